import { expect } from "vitest";
import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "../../src/log-store/log-store.ts";
import { InlineScanRunner } from "../../src/log-store/scan-inline.ts";
import type { ScanRunner } from "../../src/log-store/scan-runner.ts";
import type { Snapshot } from "../../src/log-store/snapshot.ts";

/** Runs each aggregation with joint counts and without, and holds the answers to be equal. */
export class BothWaysRunner implements ScanRunner {
  readonly #withCounts = new InlineScanRunner();
  readonly #withoutCounts = new InlineScanRunner({ useCounts: false });
  /** Rows that joint counts saved from being read. */
  savedRows = 0;

  search(
    snapshot: Snapshot,
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd> {
    return this.#withCounts.search(snapshot, request, signal);
  }

  async aggregate(
    snapshot: Snapshot,
    request: AggregateRequest,
    signal: AbortSignal,
  ): Promise<AggregateResult> {
    const byCounts = await this.#withCounts.aggregate(snapshot, request, signal);
    const byRows = await this.#withoutCounts.aggregate(snapshot, request, signal);
    expect(byCounts.rows).toEqual(byRows.rows);
    this.savedRows += byRows.scannedRows - byCounts.scannedRows;
    return byCounts;
  }

  forget(files: readonly string[]): void {
    this.#withCounts.forget(files);
    this.#withoutCounts.forget(files);
  }

  async close(): Promise<void> {
    await this.#withCounts.close();
    await this.#withoutCounts.close();
  }
}
