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

/**
 * The segments of each signal, as lists that stay the same object while the store's segments do: so
 * that a query costs nothing for each segment, and who was told of a list knows it again.
 */
export class SegmentLists {
  #all: readonly SegmentEntry[] = [];
  readonly #bySignal = new Map<Signal, readonly SegmentEntry[]>();

  /** Those of `all` that are of the signal; `all` is never changed in place. */
  of(signal: Signal, all: readonly SegmentEntry[]): readonly SegmentEntry[] {
    if (all !== this.#all) this.#bySignal.clear();
    this.#all = all;
    const known = this.#bySignal.get(signal);
    if (known !== undefined) return known;
    const list = all.filter((segment) => segment.signal === signal);
    this.#bySignal.set(signal, list);
    return list;
  }
}
