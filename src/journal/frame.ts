import type { Signal } from "../core/record.ts";

/** One request as the journal keeps it. */
export interface Frame {
  readonly signal: Signal;
  /**
   * The number of the request's first record. The record at ordinal `i` of the request has number
   * `firstSeq + i`, rejected and filtered ones included. A frame takes `max(1, receivedCount)`
   * numbers, so that every frame has a place of its own in the series.
   */
  readonly firstSeq: number;
  readonly receivedUnixMs: number;
  /** 16 bytes: hash of signal, principal and decompressed body. */
  readonly retryKey: Uint8Array;
  /** Records in the request, whatever became of them. */
  readonly receivedCount: number;
  /** Ordinals, ascending, of the records that were rejected. */
  readonly rejected: readonly number[];
  /** Ordinals, ascending, of the records that a processor filtered. */
  readonly filtered: readonly number[];
  /** True for a retry of a request that the journal has: all its records count as deduplicated. */
  readonly isDuplicate: boolean;
  /** The request's OTLP protobuf after processors; empty where nothing of it is stored. */
  readonly payload: Uint8Array;
}

/** Numbers that a frame takes in the series. */
export function frameSeqCount(frame: Pick<Frame, "receivedCount">): number {
  return Math.max(1, frame.receivedCount);
}
