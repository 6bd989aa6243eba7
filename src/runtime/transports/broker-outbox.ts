/** The sending side of links through a broker: what it has not confirmed yet is what the outbox holds. */
import { checkMessage } from "./payload.ts";
import {
  CLOSE_TIMEOUT_MS,
  type Outbox,
  OUTBOX_BYTES_MAX,
  type OutboxStats,
  type Payload,
  type SendResult,
  type WaitingMessage,
} from "./transport.ts";

/** The broker's client, as its outbox sees it. */
export interface BrokerSender {
  /**
   * Settles when the broker has the message: true; false where it is lost, or nobody listened. Never rejects.
   * Messages are confirmed in the order in which they were given.
   */
  publish(header: Uint8Array, payload: Payload): Promise<boolean>;
  /** Called after everything was confirmed, or given up. */
  close(): Promise<void>;
}

export class BrokerOutbox implements Outbox {
  readonly stats: OutboxStats;
  readonly #sender: BrokerSender;
  readonly #payloadBytesMax: number;
  #unconfirmedBytes = 0;
  #unconfirmedMessages = 0;
  #isToldFull = false;
  #isClosed = false;
  #waiters: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  constructor(
    sender: BrokerSender,
    options: { readonly payloadBytesMax: number; readonly stats: OutboxStats },
  ) {
    this.#sender = sender;
    this.#payloadBytesMax = options.payloadBytesMax;
    this.stats = options.stats;
  }

  get isFull(): boolean {
    return this.#isClosed || this.#unconfirmedBytes >= OUTBOX_BYTES_MAX;
  }

  send(header: Uint8Array, payload: Payload): SendResult {
    const payloadBytes = checkMessage(header, payload, this.#payloadBytesMax);
    this.#isToldFull &&= this.isFull;
    if (this.#isToldFull || this.#isClosed) {
      this.stats.droppedMessages++;
      return "dropped";
    }
    this.stats.sentMessages++;
    this.stats.sentBytes += header.length + payloadBytes;
    // An empty message takes room too, in the client and on the wire.
    const bytes = header.length + payloadBytes + MESSAGE_COST_BYTES;
    this.#unconfirmedBytes += bytes;
    this.#unconfirmedMessages++;
    void this.#sender
      .publish(header, payload)
      .then((isDelivered) => this.#settle(bytes, isDelivered));
    this.#isToldFull = this.isFull;
    return this.#isToldFull ? "full" : "sent";
  }

  /** All is with the broker's client. */
  takeWaiting(): readonly WaitingMessage[] {
    return [];
  }

  async drained(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (this.isFull && !this.#isClosed) await this.#nextSettled(signal);
  }

  async close(deadlineMs = CLOSE_TIMEOUT_MS): Promise<void> {
    this.#closing ??= this.#closeWithin(deadlineMs);
    await this.#closing;
  }

  async #closeWithin(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    const deadline = AbortSignal.timeout(Math.ceil(deadlineMs));
    try {
      while (this.#unconfirmedMessages > 0) await this.#nextSettled(deadline);
    } catch {
      // The deadline is over: the rest is lost, and what the client says of it later is not counted again.
      this.stats.lostMessages += this.#unconfirmedMessages;
      this.#unconfirmedMessages = 0;
    }
    await this.#sender.close();
  }

  #settle(bytes: number, isDelivered: boolean): void {
    if (this.#unconfirmedMessages === 0) return;
    this.#unconfirmedBytes -= bytes;
    this.#unconfirmedMessages--;
    if (!isDelivered) this.stats.lostMessages++;
    this.#wake();
  }

  #nextSettled(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void =>
        reject(new Error("no longer waited for", { cause: signal?.reason }));
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiters.push(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

const MESSAGE_COST_BYTES = 256;
