import type { Worker } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import type { ScanReply, ScanTask, ToScanWorker } from "./scan-messages.ts";
import type { ScanRunner } from "./scan-runner.ts";
import type { Snapshot } from "./snapshot.ts";
import { startWorker } from "./worker-thread.ts";

/**
 * Runs queries in a worker, so that they never hold up the thread that takes requests.
 *
 * Concurrency: any number of queries; the worker takes a block of each in turn.
 */
export class ScanPool implements ScanRunner {
  #worker: Worker | undefined;
  #nextId = 1;
  readonly #waiting = new Map<number, (reply: ScanReply) => void>();
  #isClosed = false;

  async *search(
    snapshot: Snapshot,
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd> {
    const id = this.#nextId++;
    let reply = await this.#ask(
      id,
      this.#startMessage(id, { kind: "search", snapshot, request }),
      signal,
    );
    try {
      while (reply.kind === "batch") {
        yield reply.batch;
        reply = await this.#ask(id, { kind: "next", id }, signal);
      }
    } finally {
      // The reader may leave at any yield; the worker must not keep its place for it.
      this.#post({ kind: "cancel", id });
    }
    return endOf(reply);
  }

  async aggregate(
    snapshot: Snapshot,
    request: AggregateRequest,
    signal: AbortSignal,
  ): Promise<AggregateResult> {
    const id = this.#nextId++;
    const task: ScanTask = { kind: "aggregate", snapshot, request };
    const end = endOf(await this.#ask(id, this.#startMessage(id, task), signal));
    assert("rows" in end, "an aggregation ends with rows");
    return end;
  }

  forget(files: readonly string[]): void {
    this.#worker?.postMessage({ kind: "forget", files } satisfies ToScanWorker);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
    this.#fail("STORE_CLOSED", "the store was closed");
  }

  #startMessage(id: number, task: ScanTask): ToScanWorker {
    return { kind: "start", id, task };
  }

  #ask(id: number, message: ToScanWorker, signal: AbortSignal): Promise<ScanReply> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(abortError(signal));
        return;
      }
      const onAbort = (): void => {
        this.#waiting.delete(id);
        this.#post({ kind: "cancel", id });
        reject(abortError(signal));
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.set(id, (reply) => {
        signal.removeEventListener("abort", onAbort);
        resolve(reply);
      });
      this.#post(message);
    });
  }

  #post(message: ToScanWorker): void {
    if (this.#isClosed) {
      this.#fail("STORE_CLOSED", "the store was closed");
      return;
    }
    this.#worker ??= this.#start();
    // The process lives on for a query that somebody waits for, not for an idle worker.
    if (this.#waiting.size > 0) this.#worker.ref();
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const worker = startWorker("scan-worker");
    worker.on("message", (reply: ScanReply) => {
      const resolve = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      resolve?.(reply);
      if (this.#waiting.size === 0) worker.unref();
    });
    // A query that kills its worker (out of memory, say) ends itself and its neighbours, not us.
    worker.on("error", (error) => {
      this.#worker = undefined;
      this.#fail("INTERNAL", `the query worker failed: ${errorMessage(error)}`);
    });
    worker.unref();
    return worker;
  }

  #fail(code: "INTERNAL" | "STORE_CLOSED", message: string): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [id, resolve] of waiting) resolve({ kind: "error", id, code, message });
  }
}

function endOf(reply: ScanReply): SearchEnd | AggregateResult {
  switch (reply.kind) {
    case "end":
      return reply.end;
    case "error":
      throw new AppError(reply.code, reply.message);
    case "batch":
      throw new Error("assertion failed: an answer goes on behind its end");
  }
}

function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("the query was cancelled");
}
