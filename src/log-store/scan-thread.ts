import type { Worker } from "node:worker_threads";
import type { ErrorCode } from "../core/errors.ts";
import { errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { FromScanWorker, ScanReply, ScanTask, ToScanWorker } from "./scan-messages.ts";
import type { SegmentEntry } from "./segment-format.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * One query worker, from its start to its end, as the store's thread sees it.
 *
 * Concurrency: any number of queries at once; each waits for one reply at a time.
 */
export class ScanThread {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: ScanReply) => void>();
  /** The segments of each signal as the worker knows them. */
  readonly #known = new Map<Signal, readonly SegmentEntry[]>();
  #isReady = false;
  #failure: { readonly code: ErrorCode; readonly message: string } | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (message: FromScanWorker) => {
      if (message.kind === "ready") this.#isReady = true;
      else this.#answer(message);
    });
    // A query that kills its worker (out of memory, say) ends itself and its neighbours, not us.
    worker.on("error", (error) => {
      this.#fail("INTERNAL", `the query worker failed: ${errorMessage(error)}`);
    });
    worker.on("exit", () => this.#fail("INTERNAL", "the query worker ended"));
    worker.unref();
  }

  /** Whether its modules are loaded, so that it begins at once with what it is given. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Queries that wait for a reply. One whose reader is slow keeps nobody busy. */
  get busyCount(): number {
    return this.#waiting.size;
  }

  /** Whether the worker is gone. Every query is then answered with its failure. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  start(id: number, task: ScanTask, { segments, ...snapshot }: Snapshot): Promise<ScanReply> {
    this.#tellSegments(snapshot.signal, segments);
    return this.#ask({ kind: "start", id, task, snapshot });
  }

  /** Asks for a search's next batch. */
  next(id: number): Promise<ScanReply> {
    return this.#ask({ kind: "next", id });
  }

  /** Ends a query. A reply that is under way is not waited for. */
  cancel(id: number): void {
    this.#waiting.delete(id);
    if (this.#failure === undefined) this.#post({ kind: "cancel", id });
  }

  /** Files of segments were removed: it need not keep them open. */
  forget(files: readonly string[]): void {
    if (this.#failure === undefined) this.#post({ kind: "forget", files });
  }

  async close(): Promise<void> {
    this.#fail("STORE_CLOSED", "the store was closed");
    await this.#worker.terminate();
  }

  /** Lists of segments mostly stay as they are from query to query, so only changes are sent. */
  #tellSegments(signal: Signal, segments: readonly SegmentEntry[]): void {
    const known = this.#known.get(signal) ?? [];
    if (known === segments) return;
    this.#known.set(signal, segments);
    const files = new Set(segments.map(({ file }) => file));
    const knownFiles = new Set(known.map(({ file }) => file));
    const added = segments.filter(({ file }) => !knownFiles.has(file));
    const removedFiles = [...knownFiles].filter((file) => !files.has(file));
    if (added.length + removedFiles.length === 0) return;
    this.#post({ kind: "segments", signal, added, removedFiles });
  }

  #ask(message: ToScanWorker & { readonly id: number }): Promise<ScanReply> {
    const { id } = message;
    if (this.#failure !== undefined) {
      return Promise.resolve({ kind: "error", id, ...this.#failure });
    }
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#post(message);
    });
  }

  #post(message: ToScanWorker): void {
    this.#holdProcess();
    this.#worker.postMessage(message);
  }

  #answer(reply: ScanReply): void {
    const resolve = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    this.#holdProcess();
    resolve?.(reply);
  }

  /** The process lives on for a query that somebody waits for, not for an idle worker. */
  #holdProcess(): void {
    if (this.#waiting.size > 0) this.#worker.ref();
    else this.#worker.unref();
  }

  #fail(code: ErrorCode, message: string): void {
    this.#failure ??= { code, message };
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [id, resolve] of waiting) resolve({ kind: "error", id, ...this.#failure });
  }
}
