import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { AppError } from "../core/errors.ts";
import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import type { ScanReply, ScanTask, ScanWorkerData } from "./scan-messages.ts";
import type { ScanRunner } from "./scan-runner.ts";
import { ScanThread } from "./scan-thread.ts";
import type { Snapshot } from "./snapshot.ts";
import { startWorker } from "./worker-thread.ts";

/** Query workers at the most; no more than the machine has cores. */
const THREADS_MAX = 4;

/** Decompressed columns that all of them keep. */
const COLUMN_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Runs queries in workers, so that they never hold up the thread that takes requests. A query goes
 * to the worker that has least to do. A worker is started with the first query, and another one
 * when all have something to do, up to the number of cores.
 *
 * Concurrency: any number of queries; those of one worker take turns, a slice of time each.
 */
export class ScanPool implements ScanRunner {
  readonly #start: (data: ScanWorkerData) => Worker;
  readonly #threadsMax: number;
  #threads: readonly ScanThread[] = [];
  #nextId = 1;
  #isClosed = false;

  constructor({
    start = (data) => startWorker("scan-worker", data),
    threadsMax = Math.min(THREADS_MAX, availableParallelism()),
  }: { readonly start?: (data: ScanWorkerData) => Worker; readonly threadsMax?: number } = {}) {
    this.#start = start;
    this.#threadsMax = threadsMax;
  }

  async *search(
    snapshot: Snapshot,
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd> {
    const query = this.#begin(signal);
    try {
      let reply = await query.start({ kind: "search", request }, snapshot);
      while (reply.kind === "batch") {
        // The worker makes the next batch while the reader is at this one.
        const next = query.next();
        // Should it fail meanwhile, this is told where it is waited for.
        next.catch(() => undefined);
        yield reply.batch;
        reply = await next;
      }
      if (reply.kind === "error") throw new AppError(reply.code, reply.message);
      assert(reply.kind === "found", "a search ends with what it found");
      const { batch, end } = reply.finish;
      if (batch !== undefined) yield batch;
      return end;
    } finally {
      // The reader may leave at any yield; the worker must not keep its place for it.
      query.cancel();
    }
  }

  async aggregate(
    snapshot: Snapshot,
    request: AggregateRequest,
    signal: AbortSignal,
  ): Promise<AggregateResult> {
    const query = this.#begin(signal);
    try {
      const reply = await query.start({ kind: "aggregate", request }, snapshot);
      if (reply.kind === "error") throw new AppError(reply.code, reply.message);
      assert(reply.kind === "grouped", "an aggregation ends with groups");
      return reply.result;
    } finally {
      query.cancel();
    }
  }

  forget(files: readonly string[]): void {
    for (const thread of this.#threads) thread.forget(files);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  #begin(signal: AbortSignal): Query {
    if (this.#isClosed) throw new AppError("STORE_CLOSED", "the store was closed");
    signal.throwIfAborted();
    return new Query(this.#leastBusy(), this.#nextId++, signal);
  }

  #leastBusy(): ScanThread {
    this.#threads = this.#threads.filter(({ hasFailed }) => !hasFailed);
    const ready = this.#threads.filter(({ isReady }) => isReady);
    let chosen = least(ready) ?? least(this.#threads);
    const isSpareWanted = chosen === undefined || (chosen.busyCount > 0 && chosen.isReady);
    if (isSpareWanted && this.#threads.length < this.#threadsMax) {
      const thread = new ScanThread(
        this.#start({ columnBytesMax: COLUMN_BYTES_MAX / this.#threadsMax }),
      );
      this.#threads = [...this.#threads, thread];
      // A worker that is being started takes longer to begin than one that others share.
      chosen ??= thread;
    }
    assert(chosen !== undefined, "a pool has room for one thread");
    return chosen;
  }
}

/** The first of those that have least to do, whose memory likely holds what queries ask for. */
function least(threads: readonly ScanThread[]): ScanThread | undefined {
  let chosen: ScanThread | undefined;
  for (const thread of threads) {
    if (chosen === undefined || thread.busyCount < chosen.busyCount) chosen = thread;
  }
  return chosen;
}

/** A query in its worker. */
class Query {
  readonly #thread: ScanThread;
  readonly #id: number;
  readonly #signal: AbortSignal;
  #isAtEnd = false;

  constructor(thread: ScanThread, id: number, signal: AbortSignal) {
    this.#thread = thread;
    this.#id = id;
    this.#signal = signal;
  }

  start(task: ScanTask, snapshot: Snapshot): Promise<ScanReply> {
    return this.#unlessAborted(() => this.#thread.start(this.#id, task, snapshot));
  }

  next(): Promise<ScanReply> {
    return this.#unlessAborted(() => this.#thread.next(this.#id));
  }

  /** Ends it, unless it has ended. */
  cancel(): void {
    if (!this.#isAtEnd) this.#thread.cancel(this.#id);
    this.#isAtEnd = true;
  }

  #unlessAborted(ask: () => Promise<ScanReply>): Promise<ScanReply> {
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = (): void => reject(abortError(signal));
      signal.addEventListener("abort", onAbort, { once: true });
      void ask().then((reply) => {
        signal.removeEventListener("abort", onAbort);
        this.#isAtEnd = reply.kind !== "batch";
        resolve(reply);
      });
    });
  }
}

function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("the query was cancelled");
}
