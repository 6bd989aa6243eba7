import { dirname, join } from "node:path";
import type { Clock } from "../core/clock.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import { ALL_TIME } from "../core/time.ts";
import { NodeStorage } from "../journal/node-storage.ts";
import type { Storage } from "../journal/storage.ts";
import type { PerSignal } from "./counters.ts";
import { FolderLock } from "./folder-lock.ts";
import { Follower } from "./follower.ts";
import type { AppendRequest, AppendResult, Ingest, SignalCounters } from "./ingest.ts";
import { Intake } from "./intake.ts";
import type {
  AggregateRequest,
  AggregateResult,
  FollowBatch,
  FollowRequest,
  LogStore,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import type { ManifestState } from "./manifest.ts";
import type { BlockRows } from "./open-table.ts";
import { InlineScanRunner } from "./scan-inline.ts";
import { ScanPool } from "./scan-pool.ts";
import type { ScanRunner } from "./scan-runner.ts";
import type { Sealer } from "./sealer.ts";
import { WorkerSealer } from "./sealer.ts";
import { SEGMENTS_FOLDER, SegmentShelf } from "./segment-shelf.ts";
import type { Snapshot } from "./snapshot.ts";
import type { StoreLog } from "./store-log.ts";
import { silentLog } from "./store-log.ts";

/** A seal begins once this much raw data is open, so that about 64 MB is unsealed at most. */
const SEAL_BYTES = 40 * 1024 * 1024;

/** Rows are sealed after this long, however few they are. */
const SEAL_AGE_MS = 30_000;

/** How often ages are looked at: of open rows, and of segments for retention. */
const TICK_MS = 1000;

/** After a failed seal the next try waits this long. */
const SEAL_RETRY_MS = 5000;

/** The newest matching records that a live search may begin with. */
export const FOLLOW_BACKLOG_MAX = 10_000;

export interface EmbeddedStoreOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** "read" takes the lock, replays, and changes nothing: for the offline command line. */
  readonly mode?: "write" | "read";
  /** Records received longer ago are removed, a segment at a time; undefined keeps all. */
  readonly retentionMs?: number;
  readonly log?: StoreLog;
  readonly journalFileBytesMax?: number;
  readonly storage?: Storage;
  /** Takes the folder for this process; throws `STORE_IN_USE`. */
  readonly lock?: (directory: string) => { release(): void };
  readonly sealer?: Sealer;
  readonly runner?: ScanRunner;
}

/** What a store holds, for metrics and status. */
export interface StoreStats {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly journalBytes: number;
  readonly unsealedRows: number;
  readonly unsealedBytes: number;
}

/**
 * The embedded store: a folder on local disk that one process owns.
 *
 *     append ─▶ open columns + journal ─▶ acknowledged ─▶ seal ─▶ segments + manifest
 *                      └──────────── search, aggregate, follow ────────────┘
 *
 * Concurrency: one thread may call it; requests and queries may overlap freely. Seals and queries
 * run in workers.
 */
export class EmbeddedStore implements LogStore, Ingest {
  readonly #options: EmbeddedStoreOptions;
  readonly #clock: Clock;
  readonly #log: StoreLog;
  readonly #lock: { release(): void };
  readonly #intake: Intake;
  readonly #shelf: SegmentShelf;
  readonly #sealer: Sealer;
  readonly #runner: ScanRunner;
  readonly #followers: Set<Follower>;
  #timer: NodeJS.Timeout | undefined;
  /** Seals and retention, one after the other. */
  #maintenance: Promise<void> = Promise.resolve();
  #isMaintaining = false;
  #sealNotBeforeMs = 0;
  #isClosed = false;

  /**
   * Opens (in the mode "write": or creates) the store in a folder.
   *
   * Errors: `STORE_IN_USE`, `STORE_UNWRITABLE`, `STORE_FORMAT_UNKNOWN` (nothing changed),
   *         `NOT_FOUND` in the mode "read". Damage is no error: it is set aside, counted and
   *         logged, and the store starts.
   */
  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const { directory, clock, mode = "write", log = silentLog } = options;
    const storage = options.storage ?? new NodeStorage();
    await prepareFolder(storage, directory, mode);
    const lock = options.lock?.(directory) ?? new FolderLock(directory);
    try {
      const nowUnixMs = Number(clock.nowUnixNs() / 1_000_000n);
      const { shelf, lost } = await SegmentShelf.open({ storage, directory, mode, nowUnixMs, log });
      const followers = new Set<Follower>();
      const { intake, report } = await Intake.open({
        storage,
        directory: join(directory, JOURNAL_FOLDER),
        mode,
        clock,
        state: shelf.state,
        ...(options.journalFileBytesMax === undefined
          ? {}
          : { fileBytesMax: options.journalFileBytesMax }),
        onCommitted: (signal, rows) => offerRows(followers, signal, rows),
      });
      for (const sentence of report.damage) log.warn(sentence);
      for (const { signal, rows } of lost) intake.counters.of(signal).lose("damaged", rows);
      const store = new EmbeddedStore(options, { lock, intake, shelf, followers });
      if (mode === "write" && lost.length > 0) await shelf.save(store.#state({}));
      return store;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(
    options: EmbeddedStoreOptions,
    parts: {
      readonly lock: { release(): void };
      readonly intake: Intake;
      readonly shelf: SegmentShelf;
      readonly followers: Set<Follower>;
    },
  ) {
    const mode = options.mode ?? "write";
    this.#options = options;
    this.#clock = options.clock;
    this.#log = options.log ?? silentLog;
    this.#lock = parts.lock;
    this.#intake = parts.intake;
    this.#shelf = parts.shelf;
    this.#followers = parts.followers;
    this.#sealer = options.sealer ?? new WorkerSealer();
    this.#runner = options.runner ?? (mode === "read" ? new InlineScanRunner() : new ScanPool());
    if (mode === "write") {
      this.#timer = setInterval(() => this.#tick(), TICK_MS);
      this.#timer.unref();
    }
  }

  append(request: AppendRequest): Promise<AppendResult> {
    const answer = this.#intake.append(request);
    return answer.then((result) => {
      if (this.#intake.unsealedBytes >= SEAL_BYTES) this.#maintain();
      return result;
    });
  }

  counters(): PerSignal<SignalCounters> {
    return this.#intake.counters.report(this.#intake.journal.droppedTotals);
  }

  stats(): StoreStats {
    const { segments } = this.#shelf;
    const tables = SIGNALS.map((signal) => this.#intake.table(signal));
    return {
      segments: segments.length,
      segmentBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      journalBytes: this.#intake.journal.sizeBytes,
      unsealedRows: tables.reduce((sum, { unsealedRows }) => sum + unsealedRows, 0),
      unsealedBytes: this.#intake.unsealedBytes,
    };
  }

  async *search(
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd> {
    const { snapshot, release } = this.#takeSnapshot(request.signal);
    try {
      return yield* this.#runner.search(snapshot, request, signal);
    } finally {
      release();
    }
  }

  async aggregate(request: AggregateRequest, signal: AbortSignal): Promise<AggregateResult> {
    const { snapshot, release } = this.#takeSnapshot(request.signal);
    try {
      return await this.#runner.aggregate(snapshot, request, signal);
    } finally {
      release();
    }
  }

  async *follow(request: FollowRequest, signal: AbortSignal): AsyncGenerator<FollowBatch, void> {
    const follower = new Follower(request);
    // In one turn: what is committed before it is in the snapshot, what comes after is offered.
    const { snapshot, release } = this.#takeSnapshot(request.signal);
    this.#followers.add(follower);
    try {
      const backlog = await this.#backlog(snapshot, request, signal).finally(release);
      if (backlog !== undefined) yield backlog;
      for (;;) {
        const batch = await follower.take(signal);
        if (batch === undefined) return;
        yield batch;
      }
    } finally {
      this.#followers.delete(follower);
    }
  }

  /** The newest records that match, oldest first. */
  async #backlog(
    snapshot: Snapshot,
    request: FollowRequest,
    signal: AbortSignal,
  ): Promise<FollowBatch | undefined> {
    const limit = Math.min(request.backlog, FOLLOW_BACKLOG_MAX);
    if (limit === 0) return undefined;
    const search: SearchRequest = {
      signal: request.signal,
      filter: request.filter,
      range: ALL_TIME,
      order: "newest",
      limit,
      budget: UNBOUNDED,
    };
    const lines: string[] = [];
    for await (const batch of this.#runner.search(snapshot, search, signal)) {
      lines.push(...new TextDecoder().decode(batch.lines).split("\n").slice(0, -1));
    }
    if (lines.length === 0) return undefined;
    const text = lines.reverse().map((line) => `${line}\n`);
    return { lines: Buffer.from(text.join("")), count: lines.length, missed: 0 };
  }

  /** What a query sees from now on, until `release`. */
  #takeSnapshot(signal: Signal): { readonly snapshot: Snapshot; readonly release: () => void } {
    if (this.#isClosed) throw new AppError("STORE_CLOSED", "the store is closed");
    const open = this.#intake.table(signal).committedRows();
    for (const { block } of open) block.readers += 1;
    const leaveShelf = this.#shelf.read();
    const snapshot: Snapshot = {
      signal,
      directory: this.#shelf.segmentsDirectory,
      segments: this.#shelf.segments.filter((segment) => segment.signal === signal),
      open: open.map(({ block, from, to }) => block.slice(from, to)),
      seqEnd: this.#intake.committedSeq,
    };
    const release = (): void => {
      for (const { block } of open) block.readers -= 1;
      leaveShelf();
    };
    return { snapshot, release };
  }

  #tick(): void {
    const isOld = SIGNALS.some((signal) => this.#intake.table(signal).oldestAgeMs > SEAL_AGE_MS);
    if (isOld || this.#expired().length > 0) this.#maintain();
  }

  /** Starts what maintenance is due, unless it is at work already. */
  #maintain(): void {
    if (this.#isMaintaining || this.#isClosed) return;
    if (this.#clock.monotonicMs() < this.#sealNotBeforeMs) return;
    this.#isMaintaining = true;
    this.#maintenance = this.#runMaintenance()
      .catch((error: unknown) => {
        this.#sealNotBeforeMs = this.#clock.monotonicMs() + SEAL_RETRY_MS;
        this.#log.error("sealing failed; nothing is lost, it is tried again", {
          error: errorMessage(error),
        });
      })
      .finally(() => {
        this.#isMaintaining = false;
      });
  }

  async #runMaintenance(): Promise<void> {
    do {
      const isFull = this.#intake.unsealedBytes >= SEAL_BYTES;
      for (const signal of SIGNALS) {
        const table = this.#intake.table(signal);
        const isDue = isFull && table.unsealedBytes >= SEAL_BYTES / SIGNALS.length;
        if (isDue || table.oldestAgeMs > SEAL_AGE_MS) await this.#seal(signal);
      }
      await this.expire();
      await this.#shelf.sweep();
      // What arrived meanwhile may be due again.
    } while (this.#intake.unsealedBytes >= SEAL_BYTES && !this.#isClosed);
  }

  /** Seals everything that is committed, now. For tests, and for what comes before a copy. */
  async seal(): Promise<void> {
    await this.#maintenance;
    for (const signal of SIGNALS) await this.#seal(signal);
  }

  /**
   * One seal: compute segments, write them, name them in the manifest, and only then let go of the
   * open rows and of the journal's files.
   */
  async #seal(signal: Signal): Promise<void> {
    const table = this.#intake.table(signal);
    const rows = table.committedRows();
    const last = rows[rows.length - 1];
    if (last === undefined) return;
    const firstSeq = rows[0].block.seqAt(rows[0].from);
    const position = last.block.seqAt(last.to - 1) + 1;
    const state = this.#state({ [signal]: position });
    for (const { block } of rows) block.readers += 1;
    try {
      const slices = rows.map(({ block, from, to }) => block.slice(from, to));
      const segments = await this.#sealer.seal({ signal, slices, firstSeq, position, state });
      await this.#shelf.add(segments, state);
      table.seal(rows);
    } finally {
      for (const { block } of rows) block.readers -= 1;
    }
    await this.#releaseJournal();
  }

  async #releaseJournal(): Promise<void> {
    const oldest = SIGNALS.map((signal) => this.#intake.table(signal).oldestSeq);
    const needed = oldest.filter((seq) => seq !== undefined);
    await this.#intake.journal.release(Math.min(this.#shelf.state.countedSeq, ...needed));
  }

  #expired(): SegmentShelf["segments"] {
    const { retentionMs } = this.#options;
    if (retentionMs === undefined) return [];
    const oldestMs = Number(this.#clock.nowUnixNs() / 1_000_000n) - retentionMs;
    return this.#shelf.segments.filter(({ maxReceivedMs }) => maxReceivedMs < oldestMs);
  }

  /** Removes the segments past the retention, now. */
  async expire(): Promise<void> {
    const expired = this.#expired();
    if (expired.length === 0) return;
    for (const { signal, rows } of expired) this.#intake.counters.of(signal).lose("expired", rows);
    await this.#shelf.remove(expired, this.#state({}));
    this.#log.info("removed segments past the retention", { segments: expired.length });
  }

  /** The state to commit, with new positions for some signals. */
  #state(positions: Partial<PerSignal<number>>): ManifestState {
    const { storeId, createdUnixMs, positions: current } = this.#shelf.state;
    return {
      storeId,
      createdUnixMs,
      nextSeq: this.#intake.committedSeq,
      positions: { ...current, ...positions },
      countedSeq: this.#intake.committedSeq,
      counters: this.#intake.counters.committed(),
    };
  }

  /** Takes nothing more, waits for what is on its way to disk, and frees the folder. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#intake.close();
    await this.#maintenance;
    await this.#runner.close();
    await this.#sealer.close();
    this.#lock.release();
  }
}

const JOURNAL_FOLDER = "journal";

const UNBOUNDED = {
  timeMs: Number.POSITIVE_INFINITY,
  scanBytes: Number.POSITIVE_INFINITY,
  memoryBytes: Number.POSITIVE_INFINITY,
};

function offerRows(
  followers: ReadonlySet<Follower>,
  signal: Signal,
  rows: readonly BlockRows[],
): void {
  for (const follower of followers) {
    if (follower.signal !== signal) continue;
    for (const { block, from, to } of rows) follower.offer(block.slice(from, to));
  }
}

async function prepareFolder(
  storage: Storage,
  directory: string,
  mode: "write" | "read",
): Promise<void> {
  try {
    if (mode === "write") {
      await storage.makeDirectory(directory);
      await storage.syncDirectory(dirname(directory));
    } else {
      await storage.list(join(directory, SEGMENTS_FOLDER));
    }
  } catch (error) {
    const what = mode === "write" ? "cannot create" : "cannot read";
    throw new AppError(
      mode === "write" ? "STORE_UNWRITABLE" : "NOT_FOUND",
      `${what} a store in ${directory}: ${errorMessage(error)}`,
      { cause: error },
    );
  }
}
