import { setImmediate as nextTurn } from "node:timers/promises";
import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import { aggregateSnapshot } from "./scan-aggregate.ts";
import type { ScanContext } from "./scan.ts";
import type { ScanRunner } from "./scan-runner.ts";
import { searchSnapshot } from "./scan-search.ts";
import { SLICE_MS } from "./scan-turns.ts";
import { SegmentFiles } from "./segment-files.ts";
import type { Snapshot } from "./snapshot.ts";

/** Runs queries in this thread, which gets a turn after each slice of time. */
export class InlineScanRunner implements ScanRunner {
  readonly #files = new SegmentFiles();
  readonly #uses: Pick<ScanContext, "useCounts" | "useFilters">;

  /**
   * To compare answers: `useCounts` false reads rows where joint counts would answer, and
   * `useFilters` false those that filters would rule out.
   */
  constructor({
    useCounts = true,
    useFilters = true,
  }: { readonly useCounts?: boolean; readonly useFilters?: boolean } = {}) {
    this.#uses = { useCounts, useFilters };
  }

  async *search(
    snapshot: Snapshot,
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd> {
    const scan = searchSnapshot(snapshot, request, this.#context());
    const slices = new Slices();
    for (;;) {
      signal.throwIfAborted();
      const step = scan.next();
      if (step.done === true) {
        const { batch, end } = step.value;
        if (batch !== undefined) yield batch;
        return end;
      }
      if (step.value === undefined) await slices.next();
      else yield step.value;
    }
  }

  async aggregate(
    snapshot: Snapshot,
    request: AggregateRequest,
    signal: AbortSignal,
  ): Promise<AggregateResult> {
    const scan = aggregateSnapshot(snapshot, request, this.#context());
    const slices = new Slices();
    for (;;) {
      signal.throwIfAborted();
      const step = scan.next();
      if (step.done === true) return step.value;
      await slices.next();
    }
  }

  forget(files: readonly string[]): void {
    this.#files.forget(files);
  }

  async close(): Promise<void> {
    this.#files.close();
  }

  #context(): ScanContext {
    return { files: this.#files, nowMs: () => performance.now(), ...this.#uses };
  }
}

/** Gives the thread away once a slice of time is used up. */
class Slices {
  #fromMs = performance.now();

  async next(): Promise<void> {
    if (performance.now() - this.#fromMs < SLICE_MS) return;
    await nextTurn();
    this.#fromMs = performance.now();
  }
}
