import type { TextMatch } from "../core/filter.ts";
import type { Signal } from "../core/record.ts";
import { decodeAttributes } from "../wire/any-value-decode.ts";
import { BODY_TEXT } from "../wire/otlp-decode-logs.ts";
import type { Block, BytesColumn, Dictionary } from "./block.ts";
import { PerOwner } from "./block.ts";
import { searchColumn } from "./byte-search.ts";
import { AttributeRowReader } from "./clauses/attribute-rows.ts";
import type { ClauseColumn } from "./clauses/clause-column.ts";
import { ClauseSearch } from "./clauses/clause-search.ts";
import { messageText, textOf } from "./field-column.ts";
import type { FilterKey } from "./filters/filter-key.ts";
import type { Probe } from "./filters/probe.ts";
import { requiredWordKeys } from "./filters/word-keys.ts";
import type { Predicate } from "./predicate.ts";
import type { SegmentTexts } from "./segment-texts.ts";
import type { TextMatcher } from "./text-matcher.ts";
import { compileTextMatch } from "./text-matcher.ts";

/** Free text: the body, the event name (a span's name), or a string attribute. */
export class TextPredicate implements Predicate {
  readonly cost = 100;
  readonly #signal: Signal;
  readonly #matcher: TextMatcher;
  readonly #names: DictionaryVerdicts;
  readonly #bodies: ClauseSearch;
  readonly #attributes: ClauseSearch;
  readonly #words: readonly FilterKey[];

  constructor(match: TextMatch, signal: Signal) {
    this.#signal = signal;
    this.#matcher = compileTextMatch(match);
    this.#words = requiredWordKeys(this.#matcher);
    this.#bodies = new ClauseSearch(this.#matcher, "text");
    this.#attributes = new ClauseSearch(this.#matcher, "attributes");
    this.#names = new DictionaryVerdicts((text) => this.#matcher.test(text));
  }

  narrow(block: Block, mask: Uint8Array): void {
    const left = mask.slice();
    this.#take(left, mask, this.#inNames(block, left));
    if (this.#signal === "logs")
      this.#take(left, mask, bodyHits(block, this.#matcher, this.#bodies, left));
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
    const clauses = block.clauses("attributes");
    if (clauses !== undefined) return this.#inAttributeClauses(clauses, candidates);
    const column = block.bytes("attributes");
    const test = (row: number): boolean =>
      hasStringMatch(column, row, (text) => this.#matcher.test(text));
    return columnHits(column, this.#matcher, candidates, { decidesHits: false, test });
  }

  #inAttributeClauses(clauses: ClauseColumn, candidates: Uint8Array): Uint8Array {
    // Most searches need no row: the reader is made with the first one.
    let reader: AttributeRowReader | undefined;
    return this.#attributes.hits(clauses, candidates, (row) => {
      reader ??= new AttributeRowReader(clauses);
      const end = reader.read(row);
      return hasStringValue(reader.bytes, 0, end, (text) => this.#matcher.test(text));
    });
  }

  mayMatch(probe: Probe): boolean {
    return this.#words.every((key) => probe.mayHoldWord(key));
  }

  countRows(segment: SegmentTexts): number | undefined {
    if (this.#hasName(segment)) return undefined;
    const attributes = segment.clauses("attributes");
    const bodies = this.#signal === "logs" ? segment.clauses("body") : undefined;
    if (attributes === undefined || (this.#signal === "logs" && bodies === undefined)) {
      return undefined;
    }
    const inAttributes = this.#attributes.countRows(attributes);
    const inBodies = bodies === undefined ? 0 : this.#bodies.countRows(bodies);
    // Rows that match in both would count twice.
    if (inAttributes === 0) return inBodies;
    return inBodies === 0 ? inAttributes : undefined;
  }

  #hasName(segment: SegmentTexts): boolean {
    if (this.#signal === "metrics") return false;
    const dictionary = segment.dictionary(this.#signal === "logs" ? "event_name" : "name");
    return this.#names.of(dictionary).includes(1);
  }
}

function hasStringMatch(
  { data, starts, ends }: BytesColumn,
  row: number,
  test: (text: string) => boolean,
): boolean {
  return starts[row] < ends[row] && hasStringValue(data, starts[row], ends[row], test);
}

function hasStringValue(
  data: Uint8Array,
  start: number,
  end: number,
  test: (text: string) => boolean,
): boolean {
  for (const value of decodeAttributes(data, start, end).values()) {
    if (typeof value === "string" && test(value)) return true;
  }
  return false;
}

/** `message:word`: the body alone. */
export class MessagePredicate implements Predicate {
  readonly cost = 50;
  readonly #matcher: TextMatcher;
  readonly #bodies: ClauseSearch;
  readonly #words: readonly FilterKey[];

  constructor(match: TextMatch) {
    this.#matcher = compileTextMatch(match);
    this.#words = requiredWordKeys(this.#matcher);
    this.#bodies = new ClauseSearch(this.#matcher, "text");
  }

  narrow(block: Block, mask: Uint8Array): void {
    const hits = bodyHits(block, this.#matcher, this.#bodies, mask);
    for (let row = 0; row < mask.length; row++) mask[row] &= hits[row];
  }

  mayMatch(probe: Probe): boolean {
    return this.#words.every((key) => probe.mayHoldWord(key));
  }

  countRows(segment: SegmentTexts): number | undefined {
    const bodies = segment.clauses("body");
    return bodies === undefined ? undefined : this.#bodies.countRows(bodies);
  }
}

/** Rows among the candidates whose body matches. A body that is no string is tested as its text. */
function bodyHits(
  block: Block,
  matcher: TextMatcher,
  search: ClauseSearch,
  candidates: Uint8Array,
): Uint8Array {
  const clauses = block.clauses("body");
  if (clauses !== undefined && search.verdicts(clauses.source) === undefined) {
    return new Uint8Array(candidates.length);
  }
  const kinds = block.u8("body_kind");
  const text = messageText(block);
  const test = (row: number): boolean => kinds[row] !== 0 && matcher.test(text(row));
  if (clauses !== undefined) return search.hits(clauses, candidates, test);
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
