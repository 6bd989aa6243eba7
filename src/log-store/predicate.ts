import type { FieldRef, FieldTest, Filter, TextMatch } from "../core/filter.ts";
import type { AnyValue } from "../core/any-value.ts";
import type { Signal } from "../core/record.ts";
import { decodeAttributes } from "../wire/any-value-decode.ts";
import { BODY_TEXT } from "../wire/otlp-decode-logs.ts";
import type { Block, BytesColumn, Dictionary } from "./block.ts";
import { PerOwner } from "./block.ts";
import { searchColumn } from "./byte-search.ts";
import type { FieldColumn } from "./field-column.ts";
import { fieldColumn, messageText, textOf } from "./field-column.ts";
import type { BlockHeader } from "./segment-format.ts";
import type { TextMatcher } from "./text-matcher.ts";
import { compileTextMatch } from "./text-matcher.ts";
import type { ValueTest } from "./value-test.ts";
import { compileFieldTest } from "./value-test.ts";

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
  /** False where no row of a block with this header can match. */
  mayMatch(header: PruneHeader): boolean;
}

/** What a header tells of a block without reading it. */
type PruneHeader = Pick<BlockHeader, "minSeverity" | "maxSeverity">;

export function compileFilter(filter: Filter, signal: Signal): Predicate {
  switch (filter.kind) {
    case "all":
      return { cost: 0, narrow: () => undefined, mayMatch: () => true };
    case "none":
      return { cost: 0, narrow: (_, mask) => void mask.fill(0), mayMatch: () => false };
    case "and":
      return new AndPredicate(filter.of.map((part) => compileFilter(part, signal)));
    case "or":
      return new OrPredicate(filter.of.map((part) => compileFilter(part, signal)));
    case "not":
      return new NotPredicate(compileFilter(filter.of, signal));
    case "severity":
      return signal === "logs" ? new SeverityPredicate(filter.min, filter.max) : NONE;
    case "text":
      return new TextPredicate(filter.match, signal);
    case "field": {
      const { field, test } = filter;
      if (signal === "logs" && field.target === "message" && test.op === "contains") {
        return new MessagePredicate(test.match);
      }
      const wholeId = signal === "metrics" ? undefined : wholeIdPredicate(field, test);
      if (wholeId !== undefined) return wholeId;
      return new FieldPredicate(compileFieldTest(test), (block) =>
        fieldColumn(field, signal, block),
      );
    }
  }
}

const NONE: Predicate = {
  cost: 0,
  narrow: (_, mask) => void mask.fill(0),
  mayMatch: () => false,
};

class AndPredicate implements Predicate {
  readonly cost: number;
  readonly #parts: readonly Predicate[];

  constructor(parts: readonly Predicate[]) {
    this.#parts = parts.toSorted((left, right) => left.cost - right.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, mask: Uint8Array): void {
    for (const part of this.#parts) {
      if (!mask.includes(1)) return;
      part.narrow(block, mask);
    }
  }

  mayMatch(header: PruneHeader): boolean {
    return this.#parts.every((part) => part.mayMatch(header));
  }
}

class OrPredicate implements Predicate {
  readonly cost: number;
  readonly #parts: readonly Predicate[];

  constructor(parts: readonly Predicate[]) {
    this.#parts = parts.toSorted((left, right) => left.cost - right.cost);
    this.cost = parts.reduce((sum, { cost }) => sum + cost, 0);
  }

  narrow(block: Block, mask: Uint8Array): void {
    // What no part has matched yet; a row that matched one is not shown to the next.
    const left = mask.slice();
    const trial = new Uint8Array(mask.length);
    for (const part of this.#parts) {
      if (!left.includes(1)) break;
      trial.set(left);
      part.narrow(block, trial);
      for (let row = 0; row < left.length; row++) left[row] ^= trial[row];
    }
    for (let row = 0; row < mask.length; row++) mask[row] ^= left[row];
  }

  mayMatch(header: PruneHeader): boolean {
    return this.#parts.some((part) => part.mayMatch(header));
  }
}

class NotPredicate implements Predicate {
  readonly cost: number;
  readonly #part: Predicate;

  constructor(part: Predicate) {
    this.#part = part;
    this.cost = part.cost;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const matched = mask.slice();
    this.#part.narrow(block, matched);
    for (let row = 0; row < mask.length; row++) mask[row] ^= matched[row];
  }

  mayMatch(): boolean {
    return true;
  }
}

class SeverityPredicate implements Predicate {
  readonly cost = 1;
  readonly #min: number;
  readonly #max: number;

  constructor(min: number, max: number) {
    this.#min = min;
    this.#max = max;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const severities = block.u8("severity");
    for (let row = 0; row < mask.length; row++) {
      if (severities[row] < this.#min || severities[row] > this.#max) mask[row] = 0;
    }
  }

  mayMatch(header: PruneHeader): boolean {
    return header.maxSeverity >= this.#min && header.minSeverity <= this.#max;
  }
}

/** Free text: the body, the event name (a span's name), or a string attribute. */
class TextPredicate implements Predicate {
  readonly cost = 100;
  readonly #signal: Signal;
  readonly #matcher: TextMatcher;
  readonly #names: DictionaryVerdicts;

  constructor(match: TextMatch, signal: Signal) {
    this.#signal = signal;
    this.#matcher = compileTextMatch(match);
    this.#names = new DictionaryVerdicts((text) => this.#matcher.test(text));
  }

  narrow(block: Block, mask: Uint8Array): void {
    const left = mask.slice();
    this.#take(left, mask, this.#inNames(block, left));
    if (this.#signal === "logs") this.#take(left, mask, bodyHits(block, this.#matcher, left));
    this.#take(left, mask, this.#inAttributes(block, left));
    for (let row = 0; row < mask.length; row++) mask[row] ^= left[row];
  }

  /** Rows in `left` with a hit leave it: they match. */
  #take(left: Uint8Array, mask: Uint8Array, hits: Uint8Array): void {
    for (let row = 0; row < mask.length; row++) left[row] &= hits[row] ^ 1;
  }

  #inNames(block: Block, candidates: Uint8Array): Uint8Array {
    const hits = new Uint8Array(candidates.length);
    if (this.#signal === "metrics") return hits;
    const { ids, dictionary } = block.dict(this.#signal === "logs" ? "event_name" : "name");
    const verdicts = this.#names.of(dictionary);
    for (let row = 0; row < hits.length; row++) hits[row] = verdicts[ids[row]];
    return hits;
  }

  #inAttributes(block: Block, candidates: Uint8Array): Uint8Array {
    const column = block.bytes("attributes");
    const test = (row: number): boolean =>
      hasStringMatch(column, row, (text) => this.#matcher.test(text));
    return columnHits(column, this.#matcher, candidates, { decidesHits: false, test });
  }

  mayMatch(): boolean {
    return true;
  }
}

function hasStringMatch(
  { data, starts, ends }: BytesColumn,
  row: number,
  test: (text: string) => boolean,
): boolean {
  if (starts[row] === ends[row]) return false;
  for (const value of decodeAttributes(data, starts[row], ends[row]).values()) {
    if (typeof value === "string" && test(value)) return true;
  }
  return false;
}

/** `message:word`: the body alone. */
class MessagePredicate implements Predicate {
  readonly cost = 50;
  readonly #matcher: TextMatcher;

  constructor(match: TextMatch) {
    this.#matcher = compileTextMatch(match);
  }

  narrow(block: Block, mask: Uint8Array): void {
    const hits = bodyHits(block, this.#matcher, mask);
    for (let row = 0; row < mask.length; row++) mask[row] &= hits[row];
  }

  mayMatch(): boolean {
    return true;
  }
}

/** Rows among the candidates whose body matches. A body that is no string is tested as its text. */
function bodyHits(block: Block, matcher: TextMatcher, candidates: Uint8Array): Uint8Array {
  const kinds = block.u8("body_kind");
  const text = messageText(block);
  const test = (row: number): boolean => kinds[row] !== 0 && matcher.test(text(row));
  const hits = columnHits(block.bytes("body"), matcher, candidates, { decidesHits: true, test });
  for (let row = 0; row < hits.length; row++) {
    if (candidates[row] === 1 && kinds[row] !== BODY_TEXT) hits[row] = test(row) ? 1 : 0;
  }
  return hits;
}

/**
 * Rows among the candidates that match in a bytes column. Where the matcher is a literal, the
 * column is searched as a whole, and `test` sees only rows that this cannot decide.
 */
function columnHits(
  column: BytesColumn,
  matcher: TextMatcher,
  candidates: Uint8Array,
  options: { readonly decidesHits: boolean; readonly test: (row: number) => boolean },
): Uint8Array {
  const { decidesHits, test } = options;
  const { needle } = matcher;
  if (needle === undefined) {
    return Uint8Array.from(candidates, (isIn, row) => (isIn === 1 && test(row) ? 1 : 0));
  }
  const { hits, unsure } = searchColumn(column, needle, decidesHits);
  for (let row = 0; row < hits.length; row++) {
    if (candidates[row] === 0) hits[row] = 0;
    else if (unsure?.[row] === 1) hits[row] = test(row) ? 1 : 0;
    else if (hits[row] === 1 && !decidesHits) hits[row] = test(row) ? 1 : 0;
  }
  return hits;
}

/** A test's answers for a dictionary's entries, each asked once. */
class DictionaryVerdicts {
  readonly #perDictionary: PerOwner<Dictionary, Uint8Array>;

  constructor(test: (text: string) => boolean) {
    this.#perDictionary = new PerOwner((dictionary) =>
      Uint8Array.from({ length: dictionary.count }, (_, id) =>
        test(textOf(dictionary, id)) ? 1 : 0,
      ),
    );
  }

  of(dictionary: Dictionary): Uint8Array {
    return this.#perDictionary.of(dictionary);
  }
}

/** A test of one field: once for each code where the column is coded, else row by row. */
class FieldPredicate implements Predicate {
  readonly cost = 10;
  readonly #test: ValueTest;
  readonly #column: (block: Block) => FieldColumn;

  constructor(test: ValueTest, column: (block: Block) => FieldColumn) {
    this.#test = test;
    this.#column = column;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const column = this.#column(block);
    if (column.kind === "rows") {
      for (let row = 0; row < mask.length; row++) {
        if (mask[row] === 1 && !this.#holds(column.valuesOf(row))) mask[row] = 0;
      }
      return;
    }
    const verdicts = new Uint8Array(column.codeCount).fill(UNKNOWN);
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      const code = column.codes[row];
      if (verdicts[code] === UNKNOWN) verdicts[code] = this.#holds(column.valuesOf(code)) ? 1 : 0;
      mask[row] = verdicts[code];
    }
  }

  #holds(values: readonly AnyValue[]): boolean {
    for (const value of values) if (this.#test(value)) return true;
    return false;
  }

  mayMatch(): boolean {
    return true;
  }
}

const UNKNOWN = 2;

/** Compares ids as bytes where a test asks for one whole id; undefined for other tests. */
function wholeIdPredicate(field: FieldRef, test: FieldTest): Predicate | undefined {
  if (field.target !== "trace_id" && field.target !== "span_id") return undefined;
  const digits = field.target === "trace_id" ? 32 : 16;
  if (test.op !== "equals" || test.text.length !== digits) return undefined;
  if (!/^[0-9a-f]+$/.test(test.text) || /^0+$/.test(test.text)) return undefined;
  return new WholeIdPredicate(Buffer.from(test.text, "hex"), field.target);
}

class WholeIdPredicate implements Predicate {
  readonly cost = 2;
  readonly #wanted: Uint8Array;
  readonly #name: string;

  constructor(wanted: Uint8Array, name: string) {
    this.#wanted = wanted;
    this.#name = name;
  }

  narrow(block: Block, mask: Uint8Array): void {
    const ids = block.ids(this.#name);
    const wanted = this.#wanted;
    const width = wanted.length;
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      const start = row * width;
      for (let byte = 0; byte < width; byte++) {
        if (ids[start + byte] !== wanted[byte]) {
          mask[row] = 0;
          break;
        }
      }
    }
  }

  mayMatch(): boolean {
    return true;
  }
}
