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
import type { MaintenanceLimits } from "./maintenance.ts";
import { Maintenance } from "./maintenance.ts";
import type { Merger } from "./merger.ts";
import { WorkerMerger } from "./merger.ts";
import type { MergeStats } from "./merges.ts";
import type { BlockRows } from "./open-table.ts";
import { InlineScanRunner } from "./scan-inline.ts";
import { ScanPool } from "./scan-pool.ts";
import type { ScanRunner } from "./scan-runner.ts";
import type { Sealer } from "./sealer.ts";
import { WorkerSealer } from "./sealer.ts";
import { SegmentShelf } from "./segment-shelf.ts";
import { SEGMENTS_FOLDER } from "./segment-stock.ts";
import type { Snapshot } from "./snapshot.ts";
import { SegmentLists } from "./snapshot.ts";
import type { StoreLog } from "./store-log.ts";
import { silentLog } from "./store-log.ts";

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
  /** Raw bytes that may wait to be sealed before requests wait for it. */
  readonly unsealedBytesMax?: number;
  /** When seals and retention happen, where it is not as usual. */
  readonly maintenance?: Partial<MaintenanceLimits>;
  readonly storage?: Storage;
  /** Takes the folder for this process; throws `STORE_IN_USE`. */
  readonly lock?: (directory: string) => { release(): void };
  readonly sealer?: Sealer;
  readonly merger?: Merger;
  readonly runner?: ScanRunner;
}

/** What a store holds, for metrics and status. */
export interface StoreStats {
  readonly segments: number;
  readonly segmentBytes: number;
  readonly journalBytes: number;
  readonly unsealedRows: number;
  readonly unsealedBytes: number;
  readonly merges: MergeStats;
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
  readonly #lock: { release(): void };
  readonly #intake: Intake;
  readonly #shelf: SegmentShelf;
  readonly #sealer: Sealer;
  readonly #merger: Merger;
  readonly #maintenance: Maintenance;
  readonly #runner: ScanRunner;
  readonly #followers: Set<Follower>;
  readonly #segmentLists = new SegmentLists();
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
      const journalDirectory = join(directory, JOURNAL_FOLDER);
      const { shelf, lost } = await SegmentShelf.open({
        storage,
        directory,
        journalDirectory,
        mode,
        nowUnixMs,
        log,
      });
      const followers = new Set<Follower>();
      const { intake, report } = await Intake.open({
        storage,
        directory: journalDirectory,
        mode,
        clock,
        state: shelf.state,
        ...(options.journalFileBytesMax === undefined
          ? {}
          : { fileBytesMax: options.journalFileBytesMax }),
        ...(options.unsealedBytesMax === undefined
          ? {}
          : { unsealedBytesMax: options.unsealedBytesMax }),
        onCommitted: (signal, rows) => offerRows(followers, signal, rows),
      });
      for (const sentence of report.damage) log.warn(sentence);
      for (const { signal, rows } of lost) intake.counters.of(signal).lose("damaged", rows);
      const store = new EmbeddedStore(options, { storage, lock, intake, shelf, followers });
      if (mode === "write" && lost.length > 0) await shelf.save(store.#maintenance.state({}));
      return store;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  private constructor(
    options: EmbeddedStoreOptions,
    parts: {
      readonly storage: Storage;
      readonly lock: { release(): void };
      readonly intake: Intake;
      readonly shelf: SegmentShelf;
      readonly followers: Set<Follower>;
    },
  ) {
    const mode = options.mode ?? "write";
    this.#lock = parts.lock;
    this.#intake = parts.intake;
    this.#shelf = parts.shelf;
    this.#followers = parts.followers;
    this.#sealer = options.sealer ?? new WorkerSealer();
    this.#merger = options.merger ?? new WorkerMerger();
    this.#runner = options.runner ?? (mode === "read" ? new InlineScanRunner() : new ScanPool());
    this.#maintenance = new Maintenance({
      intake: this.#intake,
      shelf: this.#shelf,
      storage: parts.storage,
      sealer: this.#sealer,
      merger: this.#merger,
      clock: options.clock,
      log: options.log ?? silentLog,
      retentionMs: options.retentionMs,
      ...(options.maintenance === undefined ? {} : { limits: options.maintenance }),
      onRemoved: (files) => this.#runner.forget(files),
    });
    if (mode === "write") this.#maintenance.start();
  }

  append(request: AppendRequest): Promise<AppendResult> {
    const answer = this.#intake.append(request);
    return answer.then((result) => {
      this.#maintenance.onRowsAdded();
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
      merges: this.#maintenance.mergeStats,
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
      budget: BACKLOG_BUDGET,
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
      segments: this.#segmentLists.of(signal, this.#shelf.segments),
      open: open.map(({ block, from, to }) => block.slice(from, to)),
      seqEnd: this.#intake.committedSeq,
    };
    const release = (): void => {
      for (const { block } of open) block.readers -= 1;
      leaveShelf();
    };
    return { snapshot, release };
  }

  /** Seals everything that is committed, now. */
  seal(): Promise<void> {
    return this.#maintenance.seal();
  }

  /** Removes the segments past the retention, now. */
  expire(): Promise<void> {
    return this.#maintenance.expire();
  }

  /** Merges the segments that are due, now. */
  merge(): Promise<void> {
    return this.#maintenance.merge();
  }

  /** Reads the footers that the start did not, now, and sets damaged segments aside. */
  checkSegments(): Promise<void> {
    return this.#maintenance.checkSegments();
  }

  /** Takes nothing more, waits for what is on its way to disk, and frees the folder. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#intake.close();
    await this.#maintenance.close();
    await this.#runner.close();
    await this.#sealer.close();
    await this.#merger.close();
    this.#lock.release();
  }
}

const JOURNAL_FOLDER = "journal";

/** A live search begins after this long at the latest, with what was found by then. */
const BACKLOG_BUDGET = {
  timeMs: 10_000,
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
