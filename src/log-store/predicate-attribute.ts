import type { FieldTest } from "../core/filter.ts";
import type { Block } from "./block.ts";
import { AttributeSearch } from "./clauses/attribute-search.ts";
import { attributeReader } from "./field-column.ts";
import type { Predicate } from "./predicate.ts";
import type { SegmentTexts } from "./segment-texts.ts";
import type { ValueTest } from "./value-test.ts";
import { compileFieldTest } from "./value-test.ts";

/** A test of one attribute: in sealed blocks by templates and shapes first, else row by row. */
export class AttributePredicate implements Predicate {
  readonly cost = 20;
  readonly #key: string;
  readonly #test: ValueTest;
  readonly #search: AttributeSearch;

  constructor(key: string, test: FieldTest) {
    this.#key = key;
    this.#test = compileFieldTest(test);
    this.#search = new AttributeSearch(key, test);
  }

  narrow(block: Block, mask: Uint8Array): void {
    const clauses = block.clauses("attributes");
    if (clauses === undefined) {
      this.#narrowByRow(block, mask);
      return;
    }
    const hits = this.#search.hits(clauses, mask);
    for (let row = 0; row < mask.length; row++) mask[row] &= hits[row];
  }

  narrowSeries(block: Block, mask: Uint8Array): boolean {
    const series = block.series?.();
    const clauses = block.clauses("attributes");
    if (series === undefined || clauses === undefined) return false;
    const verdicts = this.#search.verdictsOfShapes(clauses.source);
    if (verdicts === undefined) return false;
    const shapes = series.shapesOf(clauses.source);
    if (shapes === undefined) return false;
    for (let id = 0; id < mask.length; id++) mask[id] &= verdicts[shapes[id]];
    return true;
  }

  #narrowByRow(block: Block, mask: Uint8Array): void {
    const valuesOf = attributeReader(block, this.#key);
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 1 && !valuesOf(row).some((value) => this.#test(value))) mask[row] = 0;
    }
  }

  mayMatch(): boolean {
    return true;
  }

  countRows(segment: SegmentTexts): number | undefined {
    const clauses = segment.clauses("attributes");
    return clauses === undefined ? undefined : this.#search.countRows(clauses);
  }
}
