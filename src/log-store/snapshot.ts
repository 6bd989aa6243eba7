import type { Signal } from "../core/record.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import type { SegmentEntry } from "./segment-format.ts";

/**
 * Everything that a query sees of one signal: fixed when the query begins, so that no record
 * appears twice (open and sealed) or moves. Crosses to a worker as it is.
 */
export interface Snapshot {
  readonly signal: Signal;
  /** Folder of the segment files. */
  readonly directory: string;
  readonly segments: readonly SegmentEntry[];
  readonly open: readonly OpenBlockSlice[];
  /** Every record has a lower number. */
  readonly seqEnd: number;
}
