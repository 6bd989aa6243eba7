import type { Worker } from "node:worker_threads";
import { assert } from "../core/assert.ts";
import type { MergeTask } from "./merge-encode.ts";
import { mergeSegments } from "./merge-encode.ts";
import type { SegmentFooter } from "./segment-format.ts";
import { SegmentDamage } from "./segment-damage.ts";
import { SegmentReader } from "./segment-reader.ts";
import { startWorker } from "./worker-thread.ts";

/** A worker that nothing asks for so long ends, and with it the memory that it used. */
const IDLE_MS = 10_000;

export type MergePriority = "low" | "normal";

/** What the store's thread and the merge worker say to each other. */
export type ToMergeWorker =
  /** Give way to other threads from now on. */
  | { readonly kind: "lower" }
  | { readonly kind: "merge"; readonly task: MergeTask }
  /** The last part was taken: make the next one. */
  | { readonly kind: "next" }
  | { readonly kind: "check"; readonly paths: readonly string[] };

export type MergeReply =
  | { readonly kind: "part"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "end"; readonly end: MergeEnd }
  | { readonly kind: "checked"; readonly damage: readonly FileDamage[] }
  | { readonly kind: "failed"; readonly message: string };

export interface FileDamage {
  readonly path: string;
  readonly message: string;
}

export type MergeEnd =
  | { readonly status: "merged"; readonly footer: SegmentFooter }
  /** A source cannot be read whole: what was made of it is worth nothing. */
  | { readonly status: "damaged"; readonly damage: FileDamage };

export interface MergeRequest {
  readonly task: MergeTask;
  readonly priority: MergePriority;
  readonly signal: AbortSignal;
  /** Takes the parts of the file in order, while the next one is made. */
  readonly write: (part: Uint8Array) => Promise<void>;
}

/** Where merges are computed: in a worker, or in this thread for tests that stop at every step. */
export interface Merger {
  /** Errors: those of `write`; the worker's; where the signal says stop. */
  merge(request: MergeRequest): Promise<MergeEnd>;
  /** Reads the footers of segment files; gives those that are damaged or gone. */
  check(paths: readonly string[], signal: AbortSignal): Promise<readonly FileDamage[]>;
  close(): Promise<void>;
}

/** Those of the files whose footer cannot be read. */
export function checkFooters(paths: readonly string[]): readonly FileDamage[] {
  return paths.flatMap((path) => {
    try {
      new SegmentReader(path).close();
      return [];
    } catch (error) {
      if (error instanceof SegmentDamage) return [{ path, message: error.message }];
      const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (isMissing) return [{ path, message: `${path}: the file is gone` }];
      throw error;
    }
  });
}

/** The parts of a merge, where damage of a source is its end. */
export function* mergeSteps(task: MergeTask): Generator<Uint8Array<ArrayBuffer>, MergeEnd> {
  try {
    return { status: "merged", footer: yield* mergeSegments(task) };
  } catch (error) {
    if (!(error instanceof SegmentDamage)) throw error;
    return { status: "damaged", damage: { path: error.path, message: error.message } };
  }
}

export class InlineMerger implements Merger {
  async merge({ task, signal, write }: MergeRequest): Promise<MergeEnd> {
    const parts = mergeSteps(task);
    for (;;) {
      signal.throwIfAborted();
      const step = parts.next();
      if (step.done === true) return step.value;
      await write(step.value);
    }
  }

  async check(paths: readonly string[]): Promise<readonly FileDamage[]> {
    return checkFooters(paths);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

/**
 * Merges in a worker of its own.
 *
 * Concurrency: one call at a time.
 */
export class WorkerMerger implements Merger {
  #worker: Worker | undefined;
  #priority: MergePriority = "low";
  #idle: NodeJS.Timeout | undefined;

  async merge({ task, priority, signal, write }: MergeRequest): Promise<MergeEnd> {
    const worker = await this.#take(priority);
    try {
      let reply = await ask(worker, { kind: "merge", task }, signal);
      while (reply.kind === "part") {
        const { bytes } = reply;
        [reply] = await Promise.all([ask(worker, { kind: "next" }, signal), write(bytes)]);
      }
      if (reply.kind === "failed") throw new Error(`merging failed: ${reply.message}`);
      assert(reply.kind === "end", "a merge has an end");
      this.#release(worker);
      return reply.end;
    } catch (error) {
      // Left in the middle, the worker would go on where it stopped.
      await this.close();
      throw error;
    }
  }

  async check(paths: readonly string[], signal: AbortSignal): Promise<readonly FileDamage[]> {
    const worker = await this.#take("low");
    try {
      const reply = await ask(worker, { kind: "check", paths }, signal);
      if (reply.kind === "failed") throw new Error(`checking segments failed: ${reply.message}`);
      assert(reply.kind === "checked", "a check ends with what is damaged");
      this.#release(worker);
      return reply.damage;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** A thread's priority cannot be raised again: another one takes its place. */
  async #take(priority: MergePriority): Promise<Worker> {
    clearTimeout(this.#idle);
    if (this.#priority !== priority) await this.close();
    this.#priority = priority;
    if (this.#worker === undefined) {
      this.#worker = startWorker("merge-worker");
      if (priority === "low") post(this.#worker, { kind: "lower" });
    }
    this.#worker.ref();
    return this.#worker;
  }

  #release(worker: Worker): void {
    worker.unref();
    this.#idle = setTimeout(() => void this.close(), IDLE_MS);
    this.#idle.unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

/** Rejects where the worker ends instead, as by running out of memory, and where it is aborted. */
function ask(worker: Worker, message: ToMergeWorker, signal: AbortSignal): Promise<MergeReply> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<MergeReply>();
  const onError = (error: unknown): void =>
    reject(new Error("the worker failed", { cause: error }));
  const onExit = (code: number): void => reject(new Error(`the worker ended with ${code}`));
  const onAbort = (): void => reject(new Error("the merge was stopped"));
  worker.once("message", resolve);
  worker.once("error", onError);
  worker.once("exit", onExit);
  signal.addEventListener("abort", onAbort, { once: true });
  post(worker, message);
  return promise.finally(() => {
    worker.off("message", resolve);
    worker.off("error", onError);
    worker.off("exit", onExit);
    signal.removeEventListener("abort", onAbort);
  });
}

function post(worker: Worker, message: ToMergeWorker): void {
  worker.postMessage(message);
}
