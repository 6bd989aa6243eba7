import type { FieldTest } from "../../core/filter.ts";
import { decodeText } from "../../wire/any-value-decode.ts";
import { PerOwner } from "../block.ts";
import { compileFieldTest } from "../value-test.ts";
import type { ValueTest } from "../value-test.ts";
import { AttributeReader } from "./attribute-reader.ts";
import { SlotValueTest } from "./attribute-slots.ts";
import { readConstant, valueStart } from "./attribute-values.ts";
import { STRING_TYPE } from "./attribute-splitter.ts";
import type { ClauseColumn, ClauseDictionaries } from "./clause-column.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import { ANY_TEMPLATE, FIXED_TEMPLATES, VALUE_TEMPLATE } from "./clause-marks.ts";
import { findInSlots } from "./slot-search.ts";
import { EVERY_ROW, NO_ROW, SOME_ROWS } from "./template-search.ts";
import type { StringJudge } from "./string-judge.ts";
import { compileStringJudge } from "./string-judge.ts";

/** What a segment's dictionaries say of a test. */
interface AttributeVerdicts {
  /** Of each template: whether rows that have it have the key, with a value that passes. */
  readonly ofTemplates: Uint8Array;
  /** Bytes that one slot of a template holds wherever its value passes. */
  readonly literals: ReadonlyMap<number, Uint8Array>;
  readonly hasAny: boolean;
}

const NO_ROWS = new Uint32Array(0);

interface ShapeVerdicts {
  readonly ofShapes: Uint8Array;
  readonly hasSome: boolean;
}

/**
 * A test of one attribute over columns of clauses. An attribute is a clause, whose template tells the
 * key, and the value where this is constant. So
 *
 * 1. each template of the key is judged once a segment; a value that is constant is tested there;
 * 2. shapes that have such a template are judged by it, and with it all their rows;
 * 3. only where the value is in slots, these are read, template by template, without their rows.
 *
 * Concurrency: one for each query and thread; it keeps what it found of each segment.
 */
export class AttributeSearch {
  readonly #key: Uint8Array;
  readonly #test: ValueTest;
  readonly #isExists: boolean;
  readonly #judge: (templates: ClauseTemplates) => StringJudge;
  readonly #found: PerOwner<ClauseTemplates, AttributeVerdicts>;
  readonly #verdicts = new WeakMap<ClauseShapes, ShapeVerdicts>();

  constructor(key: string, test: FieldTest) {
    this.#key = new TextEncoder().encode(key);
    this.#test = compileFieldTest(test);
    this.#isExists = test.op === "exists";
    this.#judge = compileStringJudge(test);
    this.#found = new PerOwner((templates) => this.#judgeTemplates(templates));
  }

  /** How many rows of the segment pass, where its dictionaries alone tell; else undefined. */
  countRows(source: ClauseDictionaries): number | undefined {
    const verdicts = this.#shapeVerdicts(source);
    if (verdicts === undefined) return 0;
    if (verdicts.hasSome) return undefined;
    const { uses } = source.shapes();
    let count = 0;
    for (const [shape, verdict] of verdicts.ofShapes.entries()) {
      if (verdict === EVERY_ROW) count += uses[shape];
    }
    return count;
  }

  /** By shape, 1 where all rows pass and 0 where none does; undefined where rows must be looked at. */
  verdictsOfShapes(source: ClauseDictionaries): Uint8Array | undefined {
    const verdicts = this.#shapeVerdicts(source);
    if (verdicts === undefined) return new Uint8Array(source.shapes().count);
    return verdicts.hasSome ? undefined : verdicts.ofShapes;
  }

  /** Rows among the candidates whose attribute passes; of other rows it may say anything. */
  hits(column: ClauseColumn, candidates: Uint8Array): Uint8Array {
    const hits = new Uint8Array(candidates.length);
    const verdicts = this.#shapeVerdicts(column.source);
    if (verdicts === undefined) return hits;
    const { ofShapes, hasSome } = verdicts;
    const shapeIds = column.source.shapeIds();
    if (!hasSome) {
      for (let row = 0; row < hits.length; row++) hits[row] = ofShapes[shapeIds[row]];
      return hits;
    }
    for (let row = 0; row < hits.length; row++) {
      hits[row] = ofShapes[shapeIds[row]] === EVERY_ROW ? 1 : 0;
    }
    const { ofTemplates } = this.#found.of(column.source.templates());
    for (let template = 0; template < ofTemplates.length; template++) {
      if (ofTemplates[template] === SOME_ROWS) this.#testRows(column, template, candidates, hits);
    }
    return hits;
  }

  /** Tests rows that have a template which alone does not tell. */
  #testRows(
    column: ClauseColumn,
    template: number,
    candidates: Uint8Array,
    hits: Uint8Array,
  ): void {
    if (column.source.directory().firstPart(template) < 0) return;
    const rows = column.rowsWith(template);
    const wanted = this.#withLiteral(column, template, { candidates, rows });
    const slots = SlotValueTest.of(column, template, this.#test);
    if (slots !== undefined) {
      slots.run(rows, wanted, hits);
      return;
    }
    const reader = new AttributeReader(column, this.#key);
    for (const row of rows) {
      if (wanted[row] === 0 || hits[row] === 1) continue;
      const value = reader.read(row);
      if (value !== undefined && this.#test(value)) hits[row] = 1;
    }
  }

  /** The candidates, or those of them whose slots hold what the value must hold. */
  #withLiteral(
    column: ClauseColumn,
    template: number,
    { candidates, rows }: { readonly candidates: Uint8Array; readonly rows: Uint32Array },
  ): Uint8Array {
    const { literals, ofTemplates } = this.#found.of(column.source.templates());
    const literal = literals.get(template);
    if (literal === undefined) return candidates;
    const only = new Uint8Array(ofTemplates.length);
    only[template] = 1;
    const needle = { kind: "bytes", bytes: literal, anyCase: false } as const;
    const wanted = findInSlots(column, needle, only, (id) => (id === template ? rows : NO_ROWS));
    for (let row = 0; row < wanted.length; row++) wanted[row] &= candidates[row];
    return wanted;
  }

  /** Undefined where no row can pass: then the shapes are not read. */
  #shapeVerdicts(source: ClauseDictionaries): ShapeVerdicts | undefined {
    const { ofTemplates, hasAny } = this.#found.of(source.templates());
    if (!hasAny) return undefined;
    const shapes = source.shapes();
    const known = this.#verdicts.get(shapes);
    if (known !== undefined) return known;
    const ofShapes = new Uint8Array(shapes.count);
    for (let template = 0; template < ofTemplates.length; template++) {
      const verdict = ofTemplates[template];
      if (verdict === NO_ROW) continue;
      for (const shape of shapes.having(template)) {
        if (ofShapes[shape] !== EVERY_ROW) ofShapes[shape] = verdict;
      }
    }
    const verdicts = { ofShapes, hasSome: ofShapes.includes(SOME_ROWS) };
    this.#verdicts.set(shapes, verdicts);
    return verdicts;
  }

  #judgeTemplates(templates: ClauseTemplates): AttributeVerdicts {
    const { count, slotCounts, letters, bytes, offsets } = templates;
    const ofTemplates = new Uint8Array(count);
    const literals = new Map<number, Uint8Array>();
    // The key may stand in an odd clause or row; their letters say whether there are any.
    for (const id of [ANY_TEMPLATE, VALUE_TEMPLATE]) {
      if (letters[id] !== 0) ofTemplates[id] = SOME_ROWS;
    }
    let judge: StringJudge | undefined;
    for (let id = FIXED_TEMPLATES.length; id < count; id++) {
      const start = valueStart(templates, id, this.#key);
      if (start < 0) continue;
      if (this.#isExists) ofTemplates[id] = EVERY_ROW;
      else if (slotCounts[id] === 0) {
        ofTemplates[id] = this.#test(readConstant(templates, id, start)) ? EVERY_ROW : NO_ROW;
      } else if (bytes[start - 1] === STRING_TYPE) {
        judge ??= this.#judge(templates);
        const { verdict, literal } = judge(id, decodeText(bytes, start, offsets[id + 1]));
        ofTemplates[id] = verdict;
        if (literal !== undefined) literals.set(id, literal);
      } else {
        ofTemplates[id] = SOME_ROWS;
      }
    }
    return { ofTemplates, literals, hasAny: ofTemplates.some((verdict) => verdict !== NO_ROW) };
  }
}
