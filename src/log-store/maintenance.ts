import type { Clock } from "../core/clock.ts";
import { errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import type { Storage } from "../journal/storage.ts";
import type { PerSignal } from "./counters.ts";
import { checkFooters } from "./footer-check.ts";
import type { Intake } from "./intake.ts";
import type { ManifestState } from "./manifest.ts";
import type { MergeLimits } from "./merge-plan.ts";
import { MERGE_LIMITS } from "./merge-plan.ts";
import type { Merger } from "./merger.ts";
import { Merges } from "./merges.ts";
import type { MergeStats } from "./merges.ts";
import type { Sealer } from "./sealer.ts";
import type { SegmentEntry } from "./segment-format.ts";
import type { SegmentShelf } from "./segment-shelf.ts";
import type { StoreLog } from "./store-log.ts";

/** When maintenance acts. A test gives smaller ones, so that it happens all the time. */
export interface MaintenanceLimits {
  /** A seal begins once this much raw data is open. */
  readonly sealBytes: number;
  /** Rows are sealed after this long, however few they are. */
  readonly sealAgeMs: number;
  /** How often ages are looked at: of open rows, and of segments for retention and merges. */
  readonly tickMs: number;
  readonly merge: MergeLimits;
}

/** At 40 MB about 64 MB is unsealed at most. */
const LIMITS: MaintenanceLimits = {
  sealBytes: 40 * 1024 * 1024,
  sealAgeMs: 30_000,
  tickMs: 1000,
  merge: MERGE_LIMITS,
};

/** After a failed seal the next try waits this long. */
const SEAL_RETRY_MS = 5000;

export interface MaintenanceParts {
  readonly intake: Intake;
  readonly shelf: SegmentShelf;
  readonly storage: Storage;
  readonly sealer: Sealer;
  readonly merger: Merger;
  readonly clock: Clock;
  readonly log: StoreLog;
  readonly retentionMs: number | undefined;
  readonly limits?: Partial<MaintenanceLimits>;
  /** Files of segments were removed: who has them open may close them. */
  readonly onRemoved: (files: readonly string[]) => void;
}

/**
 * Seals, retention and the last step of merges: one after the other, beside the requests that come
 * in meanwhile. Each step ends with a manifest on disk, or changes nothing.
 *
 * Concurrency: one thread; calls queue up.
 */
export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #limits: MaintenanceLimits;
  #timer: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #isQueued = false;
  #notBeforeMs = 0;
  #isClosed = false;
  readonly #merges: Merges;
  /** The write of a seal that is under way: merges wait for it. */
  #sealWrite: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();
  /** Of the footers that the start took for whole; merges begin behind it. */
  #check: Promise<void> | undefined;
  #isChecked = false;

  constructor(parts: MaintenanceParts) {
    const { storage, shelf, merger, clock, log, retentionMs } = parts;
    this.#parts = parts;
    this.#limits = { ...LIMITS, ...parts.limits };
    this.#merges = new Merges({
      storage,
      shelf,
      merger,
      clock,
      log,
      retentionMs,
      limits: this.#limits.merge,
      state: () => this.state({}),
      enqueue: (step) => this.#enqueue(step),
      giveWay: async () => {
        await this.#sealWrite.catch(() => undefined);
      },
      onReplaced: async () => {
        await this.#enqueue(() => this.#sweep());
        this.onRowsAdded();
      },
    });
  }

  get mergeStats(): MergeStats {
    return this.#merges.stats;
  }

  /** Looks at ages from now on. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), this.#limits.tickMs);
    this.#timer.unref();
  }

  /** To be called after rows were added: seals where that is due. */
  onRowsAdded(): void {
    if (this.#parts.intake.unsealedBytes >= this.#limits.sealBytes) this.#begin();
  }

  #tick(): void {
    const { intake, shelf } = this.#parts;
    const { sealAgeMs } = this.#limits;
    const isOld = SIGNALS.some((signal) => intake.table(signal).oldestAgeMs > sealAgeMs);
    if (isOld || this.#expired().length > 0 || shelf.hasFree) this.#begin();
    this.#check ??= this.checkSegments();
    if (this.#isChecked) this.#merges.begin();
  }

  /** Reads the footers that the start did not, and sets damaged segments aside. */
  async checkSegments(): Promise<void> {
    const { shelf, merger, log } = this.#parts;
    const setAside = (segments: readonly SegmentEntry[]): Promise<void> =>
      this.#enqueue(() => this.#lose("damaged", segments));
    await checkFooters({ shelf, merger, log, setAside }, this.#stop.signal);
    this.#isChecked = true;
  }

  /** Merges what is due, now. */
  async merge(): Promise<void> {
    await this.#check;
    await this.#merges.run();
  }

  #begin(): void {
    const { clock, log } = this.#parts;
    if (this.#isQueued || this.#isClosed || clock.monotonicMs() < this.#notBeforeMs) return;
    this.#isQueued = true;
    this.#enqueue(() => this.#run())
      .catch((error: unknown) => {
        this.#notBeforeMs = clock.monotonicMs() + SEAL_RETRY_MS;
        log.error("sealing failed; nothing is lost, it is tried again", {
          error: errorMessage(error),
        });
      })
      .finally(() => {
        this.#isQueued = false;
      });
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(step);
    // The failure goes to this step's caller; the next one waits only for its end.
    this.#queue = done.catch(() => undefined);
    return done;
  }

  async #run(): Promise<void> {
    const { intake } = this.#parts;
    const { sealBytes, sealAgeMs } = this.#limits;
    let hasSealed: boolean;
    do {
      hasSealed = false;
      const isFull = intake.unsealedBytes >= sealBytes;
      for (const signal of SIGNALS) {
        const table = intake.table(signal);
        const isDue = isFull && table.unsealedBytes >= sealBytes / SIGNALS.length;
        if ((isDue || table.oldestAgeMs > sealAgeMs) && !this.#merges.isFarBehind) {
          hasSealed = (await this.#seal(signal)) || hasSealed;
        }
      }
      await this.#expire();
      if (this.#isChecked) this.#merges.begin();
      // What arrived meanwhile may be due again. Rows that are not on disk yet count as unsealed and
      // cannot be sealed: a turn that sealed nothing ends it, or it would spin, and keep the event
      // loop from the very sync that it waits for.
    } while (hasSealed && intake.unsealedBytes >= sealBytes && !this.#isClosed);
  }

  /** Seals everything that is committed. */
  seal(): Promise<void> {
    return this.#enqueue(async () => {
      for (const signal of SIGNALS) await this.#seal(signal);
    });
  }

  /** Removes the segments past the retention, and files that nobody reads any more. */
  expire(): Promise<void> {
    return this.#enqueue(() => this.#expire());
  }

  /**
   * One seal: compute segments, write them, name them in the manifest, and only then let go of the
   * open rows and of the journal's files. False where no row was committed.
   */
  async #seal(signal: Signal): Promise<boolean> {
    const { intake, shelf, sealer } = this.#parts;
    const table = intake.table(signal);
    const rows = table.committedRows();
    const last = rows[rows.length - 1];
    if (last === undefined) return false;
    const firstSeq = rows[0].block.seqAt(rows[0].from);
    const position = last.block.seqAt(last.to - 1) + 1;
    const state = this.state({ [signal]: position });
    for (const { block } of rows) block.readers += 1;
    try {
      const slices = rows.map(({ block, from, to }) => block.slice(from, to));
      const segments = await sealer.seal({ signal, slices, firstSeq, position, state });
      this.#sealWrite = shelf.add(segments, state);
      await this.#sealWrite;
      intake.sealed(signal, rows);
    } finally {
      for (const { block } of rows) block.readers -= 1;
    }
    await this.#releaseJournal();
    return true;
  }

  async #releaseJournal(): Promise<void> {
    const { intake, shelf } = this.#parts;
    const oldest = SIGNALS.map((signal) => intake.table(signal).oldestSeq);
    const needed = oldest.filter((seq) => seq !== undefined);
    await intake.journal.release(Math.min(shelf.state.countedSeq, ...needed));
  }

  #expired(): SegmentShelf["segments"] {
    const { clock, retentionMs, shelf } = this.#parts;
    if (retentionMs === undefined) return [];
    const oldestMs = Number(clock.nowUnixNs() / 1_000_000n) - retentionMs;
    return shelf.segments.filter(({ maxReceivedMs }) => maxReceivedMs < oldestMs);
  }

  async #expire(): Promise<void> {
    const expired = this.#expired();
    if (expired.length > 0) {
      await this.#lose("expired", expired);
      this.#parts.log.info("removed segments past the retention", { segments: expired.length });
    }
    await this.#sweep();
  }

  /** Takes segments off the shelf, and counts their rows as what they are now. */
  async #lose(kind: "expired" | "damaged", segments: readonly SegmentEntry[]): Promise<void> {
    const { intake, shelf } = this.#parts;
    for (const { signal, rows } of segments) intake.counters.of(signal).lose(kind, rows);
    try {
      const state = this.state({});
      if (kind === "expired") await shelf.remove(segments, state);
      else await shelf.setAside(segments, state);
    } catch (error) {
      for (const { signal, rows } of segments) intake.counters.of(signal).lose(kind, -rows);
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const removed = await this.#parts.shelf.sweep();
    if (removed.length > 0) this.#parts.onRemoved(removed);
  }

  /** The state to commit, with new positions for some signals. */
  state(positions: Partial<PerSignal<number>>): ManifestState {
    const { intake, shelf } = this.#parts;
    const { storeId, createdUnixMs, positions: current } = shelf.state;
    return {
      storeId,
      createdUnixMs,
      nextSeq: intake.committedSeq,
      positions: { ...current, ...positions },
      countedSeq: intake.committedSeq,
      counters: intake.counters.committed(),
    };
  }

  /** Begins nothing more, stops merging, and waits for what else is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#stop.abort();
    await this.#merges.close();
    await this.#check;
    await this.#queue;
  }
}
