import type { Worker } from "node:worker_threads";
import type { Signal } from "../core/record.ts";
import type { ManifestState } from "./manifest.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { entryOf } from "./segment-format.ts";
import { sealedFileName } from "./segment-names.ts";
import { encodeSegments } from "./segment-writer.ts";
import { startWorker } from "./worker-thread.ts";

/** Rows to seal, and what their segments' footers say of the seal. */
export interface SealTask {
  readonly signal: Signal;
  readonly slices: readonly OpenBlockSlice[];
  readonly firstSeq: number;
  readonly position: number;
  readonly state: ManifestState;
}

/** A segment as it goes to disk, and its line in the manifest. */
export interface SealedSegment {
  readonly entry: SegmentEntry;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type SealReply =
  | { readonly status: "sealed"; readonly segments: readonly SealedSegment[] }
  | { readonly status: "failed"; readonly message: string };

/** Where seals are computed: in a worker, or in this thread for tests that stop at every step. */
export interface Sealer {
  seal(task: SealTask): Promise<readonly SealedSegment[]>;
  close(): Promise<void>;
}

/** Computes the segments of a seal, one for each day. */
export function encodeSeal(task: SealTask): readonly SealedSegment[] {
  const { signal, slices, firstSeq, position, state } = task;
  const nameOf = (day: number): string => sealedFileName(signal, day, firstSeq);
  const encoded = encodeSegments(signal, slices, (days) => ({
    position,
    siblings: days.map(nameOf),
    replaces: [],
    state: { ...state },
  }));
  return encoded.map(({ footer, bytes }) => ({
    entry: entryOf(nameOf(footer.day), bytes.length, footer),
    bytes,
  }));
}

export class InlineSealer implements Sealer {
  async seal(task: SealTask): Promise<readonly SealedSegment[]> {
    return encodeSeal(task);
  }

  async close(): Promise<void> {
    // Nothing is held.
  }
}

/** Seals in a worker of its own. One seal at a time. */
export class WorkerSealer implements Sealer {
  #worker: Worker | undefined;

  async seal(task: SealTask): Promise<readonly SealedSegment[]> {
    this.#worker ??= startWorker("seal-worker");
    const worker = this.#worker;
    worker.ref();
    try {
      const reply = await ask(worker, task);
      if (reply.status === "sealed") return reply.segments;
      throw new Error(`sealing failed: ${reply.message}`);
    } catch (error) {
      this.#worker = undefined;
      await worker.terminate();
      throw error;
    } finally {
      worker.unref();
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }
}

/** Rejects where the worker ends instead, as by running out of memory. */
function ask(worker: Worker, task: SealTask): Promise<SealReply> {
  const { promise, resolve, reject } = Promise.withResolvers<SealReply>();
  const onError = (error: unknown): void =>
    reject(new Error("the worker failed", { cause: error }));
  const onExit = (code: number): void => reject(new Error(`the worker ended with ${code}`));
  worker.once("message", resolve);
  worker.once("error", onError);
  worker.once("exit", onExit);
  worker.postMessage(task);
  return promise.finally(() => {
    worker.off("message", resolve);
    worker.off("error", onError);
    worker.off("exit", onExit);
  });
}
