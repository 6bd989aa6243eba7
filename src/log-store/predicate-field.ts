import type { AnyValue } from "../core/any-value.ts";
import type { FieldRef } from "../core/filter.ts";
import type { Signal } from "../core/record.ts";
import type { Block } from "./block.ts";
import { PerOwner } from "./block.ts";
import type { CodedColumn, DictionaryField, FieldColumn } from "./field-column.ts";
import { dictionaryColumn, dictionaryField, fieldColumn } from "./field-column.ts";
import type { Predicate } from "./predicate.ts";
import { keepCodes, keepSeries } from "./row-mask.ts";
import type { SegmentTexts } from "./segment-texts.ts";
import type { ValueTest } from "./value-test.ts";

/** A test of one field: once for each code where the column is coded, else row by row. */
export class FieldPredicate implements Predicate {
  readonly cost: number;
  readonly #test: ValueTest;
  readonly #column: (block: Block) => FieldColumn;
  readonly #inDictionary: DictionaryField | undefined;
  readonly #verdicts = new PerOwner<object, CodeVerdicts>(() => new CodeVerdicts());

  constructor(field: FieldRef, test: ValueTest, signal: Signal) {
    this.#test = test;
    this.#column = (block) => fieldColumn(field, signal, block);
    this.#inDictionary = dictionaryField(field, signal);
    this.cost = this.#inDictionary === undefined ? 10 : 5;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const series = block.series?.();
    const kept = series && new Uint8Array(series.count).fill(1);
    if (series !== undefined && kept !== undefined && this.narrowSeries(block, kept)) {
      keepSeries(mask, series, kept);
      return;
    }
    const column = this.#column(block);
    if (column.kind === "rows" && column.numberOf !== undefined) {
      const { numberOf } = column;
      for (let row = 0; row < mask.length; row++) {
        if (mask[row] === 1 && !this.#test(numberOf(row))) mask[row] = 0;
      }
      return;
    }
    if (column.kind === "rows") {
      for (let row = 0; row < mask.length; row++) {
        if (mask[row] === 1 && !this.#holds(column.valuesOf(row))) mask[row] = 0;
      }
      return;
    }
    const { codes, codeCount } = column;
    const verdictOf = this.#verdictsOf(column);
    if (codeCount <= mask.length / ROWS_PER_CODE_MIN) {
      keepCodes(
        mask,
        codes,
        Uint8Array.from({ length: codeCount }, (_, code) => verdictOf(code)),
      );
      return;
    }
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 1) mask[row] = verdictOf(codes[row]);
    }
  }

  narrowSeries(block: Block, mask: Uint8Array): boolean {
    const field = this.#inDictionary;
    const ofSeries = field && block.seriesDict?.(field.name);
    if (field === undefined || ofSeries === undefined) return false;
    const verdictOf = this.#verdictsOf(dictionaryColumn(field, ofSeries));
    for (let id = 0; id < mask.length; id++) mask[id] &= verdictOf(ofSeries.ids[id]);
    return true;
  }

  /** 1 for each code of which the test holds. Codes of one owner are asked once in all blocks. */
  #verdictsOf({ codeCount, owner, valuesOf }: CodedColumn): (code: number) => number {
    const known = this.#verdicts.of(owner).reach(codeCount);
    return (code) => {
      if (known[code] === UNKNOWN) known[code] = this.#holds(valuesOf(code)) ? 1 : 0;
      return known[code];
    };
  }

  #holds(values: readonly AnyValue[]): boolean {
    for (const value of values) if (this.#test(value)) return true;
    return false;
  }

  mayMatch(): boolean {
    return true;
  }

  /** Where all entries of the field's dictionary say the same, so do all rows. */
  countRows(segment: SegmentTexts): number | undefined {
    if (this.#inDictionary === undefined) return undefined;
    const { name, valuesOf } = this.#inDictionary;
    const dictionary = segment.dictionary(name);
    let held = 0;
    for (let id = 0; id < dictionary.count; id++) {
      if (this.#holds(valuesOf(dictionary, id))) held += 1;
      if (held > 0 && held <= id) return undefined;
    }
    return held === 0 ? 0 : segment.rows;
  }
}

const UNKNOWN = 2;
/** With fewer rows for a code it may be that most codes occur in none. */
const ROWS_PER_CODE_MIN = 16;

/** What a test says of codes, as far as they were asked for. Dictionaries of open blocks grow. */
class CodeVerdicts {
  #verdicts: Uint8Array = new Uint8Array(0);

  reach(codeCount: number): Uint8Array {
    if (this.#verdicts.length < codeCount) {
      const longer = new Uint8Array(codeCount).fill(UNKNOWN);
      longer.set(this.#verdicts);
      this.#verdicts = longer;
    }
    return this.#verdicts;
  }
}
