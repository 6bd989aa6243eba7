/** What waits to be exported, of one signal. Beyond either limit what is new is dropped. */
export const EXPORT_QUEUE_RECORDS_MAX = 100_000;
export const EXPORT_QUEUE_BYTES_MAX = 64 * 1024 * 1024;

/** A batch goes out when it has so much, or after `EXPORT_DELAY_MS`. */
export const EXPORT_BATCH_RECORDS_MAX = 2000;
const EXPORT_BATCH_BYTES_MAX = 4 * 1024 * 1024;
export const EXPORT_DELAY_MS = 200;

/** Between attempts while the receiver is away, doubled each time up to the second. */
const BACKOFF_MIN_MS = 250;
const BACKOFF_MAX_MS = 5000;

/** What became of an attempt. `retryable` keeps the batch, `rejected` drops it. */
export type SendResult =
  | { readonly status: "delivered" }
  | { readonly status: "retryable" | "rejected"; readonly message: string };

/** Items that were not delivered, since the start, by reason. */
export interface ExportDrops {
  /** The queue was full. */
  readonly full: number;
  /** The receiver refused the batch for good. */
  readonly rejected: number;
  /** They were still waiting at the end. */
  readonly closed: number;
}

export interface ExportQueueOptions<Item> {
  /** Called with the same array again until it is delivered. Must not reject. */
  readonly send: (batch: readonly Item[]) => Promise<SendResult>;
  /** The receiver went away, refused a batch, or is back (undefined). */
  readonly onState: (message: string | undefined) => void;
  readonly recordsMax?: number;
  readonly bytesMax?: number;
}

/**
 * A bounded queue before an exporter: batches in order, one at a time, each sent again unchanged
 * until it is delivered, so that the receiver's retry window knows it.
 *
 * Concurrency: `push` never waits; one send is under way at most.
 */
export class ExportQueue<Item> {
  readonly #options: ExportQueueOptions<Item>;
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  #pending: { readonly item: Item; readonly bytes: number }[] = [];
  #pendingBytes = 0;
  /** What is being sent, which counts as waiting until it is delivered. */
  #batch: readonly Item[] = [];
  #batchBytes = 0;
  #delivered = 0;
  readonly #drops = { full: 0, rejected: 0, closed: 0 };
  #timer: NodeJS.Timeout | undefined;
  #wakeBackoff: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #isClosing = false;
  #isClosed = false;
  #isAway = false;

  constructor(options: ExportQueueOptions<Item>) {
    this.#options = options;
    this.#recordsMax = options.recordsMax ?? EXPORT_QUEUE_RECORDS_MAX;
    this.#bytesMax = options.bytesMax ?? EXPORT_QUEUE_BYTES_MAX;
  }

  get drops(): ExportDrops {
    return { ...this.#drops };
  }

  get delivered(): number {
    return this.#delivered;
  }

  /** What waits, the batch that is being sent included. */
  get waiting(): { readonly records: number; readonly bytes: number } {
    return {
      records: this.#pending.length + this.#batch.length,
      bytes: this.#pendingBytes + this.#batchBytes,
    };
  }

  /** `bytes` is about what the item takes in memory. */
  push(item: Item, bytes: number): void {
    if (this.#isClosed) {
      this.#drops.closed += 1;
      return;
    }
    const { records, bytes: held } = this.waiting;
    if (records >= this.#recordsMax || held + bytes > this.#bytesMax) {
      this.#drops.full += 1;
      return;
    }
    this.#pending.push({ item, bytes });
    this.#pendingBytes += bytes;
    if (this.#sending !== undefined) return;
    if (this.#isBatchFull) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), EXPORT_DELAY_MS);
  }

  /** Sends what waits, for at most so long; what is left is counted as dropped. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#start();
    this.#wakeBackoff?.();
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    await Promise.race([isLate, this.#sending]);
    clearTimeout(timer);
    this.#isClosed = true;
    this.#drops.closed += this.waiting.records;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#wakeBackoff?.();
  }

  get #isBatchFull(): boolean {
    return (
      this.#pending.length >= EXPORT_BATCH_RECORDS_MAX ||
      this.#pendingBytes >= EXPORT_BATCH_BYTES_MAX
    );
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#pending.length > 0 && !this.#isClosed) {
        this.#timer ??= setTimeout(() => this.#start(), EXPORT_DELAY_MS);
      }
    });
  }

  async #sendAll(): Promise<void> {
    do {
      this.#takeBatch();
      if (this.#batch.length === 0) return;
      await this.#sendBatch();
    } while (!this.#isClosed && (this.#isBatchFull || this.#isClosing));
  }

  #takeBatch(): void {
    let bytes = 0;
    let count = 0;
    for (const entry of this.#pending) {
      const isFull =
        count >= EXPORT_BATCH_RECORDS_MAX || bytes + entry.bytes > EXPORT_BATCH_BYTES_MAX;
      if (count > 0 && isFull) break;
      bytes += entry.bytes;
      count += 1;
    }
    this.#batch = this.#pending.splice(0, count).map((entry) => entry.item);
    this.#batchBytes = bytes;
    this.#pendingBytes -= bytes;
  }

  async #sendBatch(): Promise<void> {
    let backoffMs = BACKOFF_MIN_MS;
    const batch = this.#batch;
    for (;;) {
      const result = await this.#options.send(batch);
      // The deadline of `close` has passed, and the batch is counted.
      if (this.#batch !== batch) return;
      if (result.status !== "retryable") {
        if (result.status === "delivered") this.#delivered += batch.length;
        else this.#drops.rejected += batch.length;
        this.#batch = [];
        this.#batchBytes = 0;
        this.#tell(result.status === "delivered" ? undefined : result.message);
        return;
      }
      this.#tell(result.message);
      await this.#backOff(this.#isClosing ? BACKOFF_MIN_MS : backoffMs);
      if (this.#batch !== batch) return;
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
    }
  }

  #backOff(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      this.#wakeBackoff = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Once when it goes away, and once when it is back. */
  #tell(message: string | undefined): void {
    if ((message !== undefined) === this.#isAway) return;
    this.#isAway = message !== undefined;
    this.#options.onState(message);
  }
}
