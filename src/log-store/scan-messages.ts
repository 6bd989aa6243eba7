import { z } from "zod";
import type { ErrorCode } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { AggregateRequest, AggregateResult, SearchBatch, SearchRequest } from "./log-store.ts";
import type { SearchFinish } from "./scan-search.ts";
import type { SegmentEntry } from "./segment-format.ts";
import type { Snapshot } from "./snapshot.ts";

/** What a query worker is told when it starts. */
export const scanWorkerData = z.object({
  /** Bytes of decompressed columns that it may keep. */
  columnBytesMax: z.number(),
});
export type ScanWorkerData = z.infer<typeof scanWorkerData>;

/** What the store's thread and a query worker say to each other. */
export type ScanTask =
  | { readonly kind: "search"; readonly request: SearchRequest }
  | { readonly kind: "aggregate"; readonly request: AggregateRequest };

/** The worker knows the segments already: it was told of each once, when it came to the store. */
export type SnapshotMessage = Omit<Snapshot, "segments">;

export type ToScanWorker =
  /** From now on snapshots of a signal have these segments too, and no more those. */
  | {
      readonly kind: "segments";
      readonly signal: Signal;
      readonly added: readonly SegmentEntry[];
      readonly removedFiles: readonly string[];
    }
  | {
      readonly kind: "start";
      readonly id: number;
      readonly task: ScanTask;
      readonly snapshot: SnapshotMessage;
    }
  /** The reader took the last batch and waits for another. */
  | { readonly kind: "next"; readonly id: number }
  | { readonly kind: "cancel"; readonly id: number }
  /** These segment files were removed. */
  | { readonly kind: "forget"; readonly files: readonly string[] };

/** What a worker says of a query. */
export type ScanReply =
  | { readonly kind: "batch"; readonly id: number; readonly batch: SearchBatch }
  | { readonly kind: "found"; readonly id: number; readonly finish: SearchFinish }
  | { readonly kind: "grouped"; readonly id: number; readonly result: AggregateResult }
  | {
      readonly kind: "error";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
    };

/** `ready` once the worker's modules are loaded: from now on it answers at once. */
export type FromScanWorker = ScanReply | { readonly kind: "ready" };
