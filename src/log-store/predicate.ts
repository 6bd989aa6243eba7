import type { Block } from "./block.ts";
import type { Probe } from "./filters/probe.ts";
import type { SegmentTexts } from "./segment-texts.ts";

/**
 * A filter tree compiled to run over columns: a mask of one byte a row is narrowed by one node
 * after the other, cheapest first, and rows that are out are not looked at again.
 *
 * Concurrency: one for each query and thread; it keeps what it derived from dictionaries.
 */
export interface Predicate {
  /** About what a block costs, to order the parts of an AND. */
  readonly cost: number;
  /** Clears the mask of every row that does not match; rows that are 0 stay 0. */
  narrow(block: Block, mask: Uint8Array): void;
  /**
   * The same for a mask of the block's series of points, a byte each; false, and nothing is changed,
   * where the block has none, or rows of one series may differ in what is tested.
   */
  narrowSeries?(block: Block, mask: Uint8Array): boolean;
  /** False where no row of what is probed can match. */
  mayMatch(probe: Probe): boolean;
  /** How many rows of a segment match, where its dictionaries tell it; undefined where they do not. */
  countRows(segment: SegmentTexts): number | undefined;
}
