import type { ErrorCode } from "../core/errors.ts";
import type {
  AggregateRequest,
  AggregateResult,
  SearchBatch,
  SearchEnd,
  SearchRequest,
} from "./log-store.ts";
import type { Snapshot } from "./snapshot.ts";

/** What the store's thread and a query worker say to each other. */
export type ScanTask =
  | { readonly kind: "search"; readonly snapshot: Snapshot; readonly request: SearchRequest }
  | { readonly kind: "aggregate"; readonly snapshot: Snapshot; readonly request: AggregateRequest };

export type ToScanWorker =
  | { readonly kind: "start"; readonly id: number; readonly task: ScanTask }
  /** The reader took the last batch and waits for another. */
  | { readonly kind: "next"; readonly id: number }
  | { readonly kind: "cancel"; readonly id: number }
  /** These segment files were removed. */
  | { readonly kind: "forget"; readonly files: readonly string[] };

export type ScanReply =
  | { readonly kind: "batch"; readonly id: number; readonly batch: SearchBatch }
  | { readonly kind: "end"; readonly id: number; readonly end: SearchEnd | AggregateResult }
  | {
      readonly kind: "error";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
    };
