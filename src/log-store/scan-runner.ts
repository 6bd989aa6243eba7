import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import type { Snapshot } from "./snapshot.ts";

/** Where queries run: in workers, or in this thread for the offline command line and tests. */
export interface ScanRunner {
  search(
    snapshot: Snapshot,
    request: SearchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<SearchBatch, SearchEnd>;
  aggregate(
    snapshot: Snapshot,
    request: AggregateRequest,
    signal: AbortSignal,
  ): Promise<AggregateResult>;
  /** Segment files were removed: those that are open can be closed, for they still take up disk. */
  forget(files: readonly string[]): void;
  close(): Promise<void>;
}
