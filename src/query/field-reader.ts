import type { Comparison, Filter } from "../core/filter.ts";
import type { WrittenRegex } from "./lexer.ts";
import type { WrittenValue } from "./text-match.ts";

/** A bound of a comparison or a range, as it was typed. */
export interface WrittenBound {
  readonly text: string;
  readonly position: number;
}

/** One end of a range; no bound stands for `*`. */
export interface RangeEnd {
  readonly bound?: WrittenBound;
  readonly isInclusive: boolean;
}

/** What the operators mean for one kind of field. */
export interface FieldReader {
  /** `field:*` */
  exists(): Filter;
  /** `field:value` */
  matches(value: WrittenValue): Filter;
  /** `field=value` */
  equals(value: WrittenValue): Filter;
  /** `field:/re/` */
  matchesRegex(regex: WrittenRegex): Filter;
  /** `field>5` */
  compares(comparison: Comparison, bound: WrittenBound): Filter;
  /** `field:[10 TO 50}` */
  isWithin(low: RangeEnd, high: RangeEnd): Filter;
}
