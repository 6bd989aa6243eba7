import { foldCase } from "../../core/text-fold.ts";
import { decodeText } from "../../wire/any-value-decode.ts";
import { PerOwner } from "../block.ts";
import type { TextMatcher } from "../text-matcher.ts";
import type { ClauseColumn, ClauseDictionaries } from "./clause-column.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import { MARKS_END, VALUE_TEMPLATE } from "./clause-marks.ts";
import { findInParts, ODD_ROW } from "./part-search.ts";
import type { SlotNeedle } from "./slot-search.ts";
import { findInSlots } from "./slot-search.ts";
import type { TemplateNeedle } from "./template-search.ts";
import { EVERY_ROW, NO_ROW, searchTemplates, SOME_ROWS } from "./template-search.ts";
import type { TemplateTexts } from "./template-texts.ts";
import { attributeTexts, bodyTexts } from "./template-texts.ts";

/** What a search found in a segment's dictionaries. */
export interface ShapeVerdicts {
  /** Of each shape: `NO_ROW`, `EVERY_ROW` or `SOME_ROWS`. */
  readonly ofShapes: Uint8Array;
  /** Of each template: whether slots of it may hold a part of the needle. */
  readonly ofTemplates: Uint8Array;
  readonly hasSome: boolean;
}

/**
 * A search of text over columns of clauses: first in the segment's templates, then over the shapes
 * that have those templates, and only for what they cannot decide in the rows themselves.
 *
 * Concurrency: one for each query and thread; it keeps what it found of each segment.
 */
export class ClauseSearch {
  readonly #matcher: TextMatcher;
  readonly #literals: readonly Literal[];
  /** Whether every match lies within one clause. */
  readonly #isWithinClause: boolean;
  /** What a row must hold in a slot where the dictionaries do not tell. */
  readonly #slotNeedle: SlotNeedle | undefined;
  readonly #found: PerOwner<ClauseTemplates, TemplateFindings>;
  readonly #verdicts = new WeakMap<ClauseShapes, ShapeVerdicts>();

  constructor(matcher: TextMatcher, kind: "text" | "attributes") {
    this.#matcher = matcher;
    this.#literals = literalsOf(matcher, kind);
    this.#isWithinClause = kind === "text" && matcher.reach !== "text";
    this.#slotNeedle = slotNeedleOf(matcher, this.#literals, this.#isWithinClause);
    const texts = kind === "text" ? bodyTexts : attributeTexts;
    this.#found = new PerOwner((templates) => {
      const findings = findTemplates(this.#literals, templates, texts.of(templates));
      return this.#isWithinClause && matcher.needle === undefined
        ? judgeTemplates(matcher, findings, templates)
        : findings;
    });
  }

  /** What the dictionaries say; undefined where no row can match. Reads the shapes only if need be. */
  verdicts(source: ClauseDictionaries): ShapeVerdicts | undefined {
    const findings = this.#found.of(source.templates());
    if (!findings.hasAny) return undefined;
    const shapes = source.shapes();
    let verdicts = this.#verdicts.get(shapes);
    if (verdicts === undefined) {
      verdicts = this.#judgeShapes(findings, shapes);
      this.#verdicts.set(shapes, verdicts);
    }
    return verdicts;
  }

  /** How many rows of the segment match, where its dictionaries alone tell; else undefined. */
  countRows(source: ClauseDictionaries): number | undefined {
    const verdicts = this.verdicts(source);
    if (verdicts === undefined) return 0;
    if (verdicts.hasSome) return undefined;
    const { uses } = source.shapes();
    let count = 0;
    for (const [shape, verdict] of verdicts.ofShapes.entries()) {
      if (verdict === EVERY_ROW) count += uses[shape];
    }
    return count;
  }

  /**
   * Rows among the candidates that match. `test` decides a row that the dictionaries do not;
   * `isOdd` names rows that must be asked whatever their slots hold.
   */
  hits(column: ClauseColumn, candidates: Uint8Array, test: (row: number) => boolean): Uint8Array {
    const hits = new Uint8Array(candidates.length);
    const verdicts = this.verdicts(column.source);
    if (verdicts === undefined) return hits;
    const { ofShapes, hasSome } = verdicts;
    const shapeIds = column.source.shapeIds();
    if (!hasSome) {
      for (let row = 0; row < hits.length; row++) hits[row] = ofShapes[shapeIds[row]];
      return hits;
    }
    let left = 0;
    for (let row = 0; row < hits.length; row++) {
      const verdict = ofShapes[shapeIds[row]];
      if (verdict === EVERY_ROW) hits[row] = 1;
      else if (verdict === SOME_ROWS && candidates[row] === 1) {
        hits[row] = UNDECIDED;
        left += 1;
      }
    }
    const found = this.#searchClauses(column, verdicts, left);
    for (let row = 0; row < hits.length; row++) {
      if (hits[row] !== UNDECIDED) continue;
      const isFound = found === undefined ? ODD_ROW : found.rows[row];
      const isSure = isFound === 0 || (isFound !== ODD_ROW && found?.areHits === true);
      hits[row] = isSure ? isFound : test(row) ? 1 : 0;
    }
    return hits;
  }

  /**
   * Of each row: 0 where it does not match, 1 where it does or, unless these `areHits`, may match,
   * `ODD_ROW` where it must be tested; nothing where all must.
   */
  #searchClauses(
    column: ClauseColumn,
    { ofTemplates }: ShapeVerdicts,
    rows: number,
  ): { readonly rows: Uint8Array; readonly areHits: boolean } | undefined {
    const needle = this.#slotNeedle;
    const isRare = needle?.kind === "bytes" && needle.bytes.length >= RARE_BYTES;
    const isDecided = needle?.kind === "digits";
    if (this.#isWithinClause && !isRare && !isDecided && rows > column.rows / ROWS_PER_TEST) {
      return { rows: findInParts(column, this.#matcher, ofTemplates), areHits: true };
    }
    if (needle === undefined) return undefined;
    // What holds the needle's digits need not hold the needle, nor odd values any match.
    return { rows: findInSlots(column, needle, ofTemplates), areHits: false };
  }

  #judgeShapes({ parts }: TemplateFindings, shapes: ClauseShapes): ShapeVerdicts {
    const isWhole = this.#isWithinClause || this.#matcher.needle !== undefined;
    const ofShapes = new Uint8Array(shapes.count);
    const seen = new Uint8Array(shapes.count);
    for (const [index, alternatives] of parts.entries()) {
      for (const sequence of alternatives) markShapes(sequence, shapes, { ofShapes: seen });
      for (let shape = 0; shape < shapes.count; shape++) {
        const verdict = isWhole ? seen[shape] : Math.min(seen[shape], 1) * SOME_ROWS;
        ofShapes[shape] = index === 0 ? verdict : ofShapes[shape] === NO_ROW ? NO_ROW : verdict;
        seen[shape] = NO_ROW;
      }
    }
    if (parts.length === 0) ofShapes.fill(SOME_ROWS);
    return { ofShapes, ofTemplates: unionOf(parts.flat(2)), hasSome: ofShapes.includes(SOME_ROWS) };
  }
}

/** A literal that every match holds, cut as texts are cut. */
interface Literal {
  readonly anyCase: boolean;
  /** The whole of it, for clauses that are not cut; and its parts where it would be cut. */
  readonly sequences: readonly (readonly TemplateNeedle[])[];
  /** The text, folded where `anyCase`. */
  readonly text: string;
}

/** For each literal, each way in which it may stand: verdicts of templates in sequence. */
interface TemplateFindings {
  readonly parts: readonly (readonly (readonly Uint8Array[])[])[];
  readonly hasAny: boolean;
}

/** So many bytes stand in few slots. */
const RARE_BYTES = 4;
/** Up to so many times fewer rows than a block has, they are tested one by one. */
const ROWS_PER_TEST = 16;
const UNDECIDED = 2;
const NEWLINE = 0x0a;

const CUTS = /[^\n"=]*[\n"=]|[^\n"=]+/g;
/** Fewer digits are found nearly everywhere. */
const DIGITS_MIN = 2;

function literalsOf(matcher: TextMatcher, kind: "text" | "attributes"): readonly Literal[] {
  const { needle } = matcher;
  if (needle !== undefined) {
    const { anyCase, needsLeftBoundary, needsRightBoundary } = needle;
    const text = Buffer.from(needle.bytes).toString();
    return [literalOf(text, kind, { anyCase, needsLeftBoundary, needsRightBoundary })];
  }
  const { required, anyCase } = matcher;
  return required.map((text) =>
    literalOf(anyCase ? foldCase(text) : text, kind, {
      anyCase,
      needsLeftBoundary: false,
      needsRightBoundary: false,
    }),
  );
}

function literalOf(
  text: string,
  kind: "text" | "attributes",
  options: Omit<TemplateNeedle, "text" | "fromStart" | "toEnd"> & { readonly anyCase: boolean },
): Literal {
  const { anyCase, needsLeftBoundary, needsRightBoundary } = options;
  const whole = { text, needsLeftBoundary, needsRightBoundary, fromStart: false, toEnd: false };
  const parts = text.match(CUTS) ?? [];
  const last = parts.length - 1;
  const sequence = parts.map((part, index) => ({
    text: part,
    needsLeftBoundary: needsLeftBoundary && index === 0,
    needsRightBoundary: needsRightBoundary && index === last,
    fromStart: index > 0,
    toEnd: index < last,
  }));
  const isCut = kind === "text" && parts.length > 1;
  return {
    anyCase,
    sequences: isCut ? [[whole], sequence] : [[whole]],
    text,
  };
}

/** See `SlotNeedle`; undefined where nothing is long enough to be worth it. */
function slotNeedleOf(
  matcher: TextMatcher,
  [literal]: readonly Literal[],
  isWithinClause: boolean,
): SlotNeedle | undefined {
  const { needle, pattern, reach } = matcher;
  if (needle !== undefined) return slotBytes(literal.text, literal.anyCase);
  if (!isWithinClause || reach !== "digits" || pattern === undefined) return undefined;
  return { kind: "digits", pattern, test: (text) => matcher.test(text) };
}

/** The longest bytes of a literal that must stand in one slot. */
function slotBytes(text: string, anyCase: boolean): SlotNeedle | undefined {
  const digits = text.match(/[0-9]+/g) ?? [];
  const mixed = (text.match(anyCase ? WORDS_ANY_CASE : WORDS) ?? []).flatMap(mixedPart);
  const longest = [...digits, ...mixed].reduce(
    (best, run) => (run.length > best.length ? run : best),
    "",
  );
  if (longest.length < DIGITS_MIN) return undefined;
  const hasLetter = /[a-z]/.test(longest);
  return {
    kind: "bytes",
    bytes: new TextEncoder().encode(longest),
    anyCase: anyCase && hasLetter,
  };
}

const WORDS = /[0-9A-Za-z_]+/g;
/** Without the two letters that characters beyond ASCII have as a case. */
const WORDS_ANY_CASE = /[0-9a-jl-rt-z_]+/g;

/** From the first digit of a word to the last: a slot whole where letters stand between them. */
function mixedPart(word: string): readonly string[] {
  const [part] = /[0-9].*[0-9]/.exec(word) ?? [];
  return part !== undefined && /[A-Za-z]/.test(part) ? [part] : [];
}

function findTemplates(
  literals: readonly Literal[],
  templates: ClauseTemplates,
  texts: TemplateTexts,
): TemplateFindings {
  const parts = literals.map(({ anyCase, sequences }) => {
    const searched = anyCase ? texts.folded() : texts;
    return sequences.map((sequence) =>
      sequence.map((needle) => searchTemplates(needle, templates, searched)),
    );
  });
  const hasAny = parts.every((alternatives) =>
    alternatives.some((sequence) =>
      sequence.every((verdicts) => verdicts.some((verdict) => verdict !== NO_ROW)),
    ),
  );
  return { parts, hasAny };
}

/**
 * The same for a regular expression whose matches lie within a clause: one verdict for the whole of
 * it. Constant text is given to the expression itself.
 */
function judgeTemplates(
  matcher: TextMatcher,
  { parts }: TemplateFindings,
  templates: ClauseTemplates,
): TemplateFindings {
  const { count, bytes, offsets, slotCounts, letters } = templates;
  const verdicts = new Uint8Array(count);
  for (let id = 0; id < count; id++) {
    if (parts.some(([[ofTemplates]]) => ofTemplates[id] === NO_ROW)) continue;
    if (id <= VALUE_TEMPLATE) {
      if (letters[id] !== 0) verdicts[id] = SOME_ROWS;
      continue;
    }
    // No match holds a newline: with one for each mark, what matches is constant.
    const text = bodyText(bytes.subarray(offsets[id], offsets[id + 1]));
    const isSure = slotCounts[id] === 0 || matcher.reach === "words";
    if (isSure && matcher.test(text)) verdicts[id] = EVERY_ROW;
    else if (slotCounts[id] > 0) verdicts[id] = SOME_ROWS;
  }
  return { parts: [[[verdicts]]], hasAny: verdicts.some((verdict) => verdict !== NO_ROW) };
}

function bodyText(template: Uint8Array): string {
  const text = template.map((byte) => (byte < MARKS_END ? NEWLINE : byte));
  return decodeText(text, 0, text.length);
}

/** 1 for each template of which one of the verdicts is not `NO_ROW`. */
function unionOf(verdicts: readonly Uint8Array[]): Uint8Array {
  const union = new Uint8Array(verdicts[0]?.length ?? 0);
  for (const ofTemplates of verdicts) {
    for (let id = 0; id < union.length; id++) if (ofTemplates[id] !== NO_ROW) union[id] = 1;
  }
  return union;
}

/** Raises the verdict of every shape in which templates stand in the sequence. */
function markShapes(
  sequence: readonly Uint8Array[],
  shapes: ClauseShapes,
  { ofShapes }: { readonly ofShapes: Uint8Array },
): void {
  const [first, ...rest] = sequence;
  const mark = (shape: number, template: number): void => {
    if (ofShapes[shape] === EVERY_ROW) return;
    const verdict = rest.length === 0 ? first[template] : sequenceVerdict(sequence, shapes, shape);
    if (verdict !== NO_ROW) ofShapes[shape] = verdict;
  };
  if (shapes.isFirstSearch()) {
    const { templates, offsets } = shapes;
    for (let shape = 0; shape < shapes.count; shape++) {
      for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
        const template = templates[index];
        if (first[template] !== NO_ROW) mark(shape, template);
      }
    }
    return;
  }
  for (let template = 0; template < first.length; template++) {
    if (first[template] === NO_ROW) continue;
    for (const shape of shapes.having(template)) mark(shape, template);
  }
}

function sequenceVerdict(
  sequence: readonly Uint8Array[],
  { templates, offsets }: ClauseShapes,
  shape: number,
): number {
  let best = NO_ROW;
  for (let start = offsets[shape]; start + sequence.length <= offsets[shape + 1]; start++) {
    const verdictAt = (index: number): number => sequence[index][templates[start + index]];
    if (sequence.some((_, index) => verdictAt(index) === NO_ROW)) continue;
    if (sequence.every((_, index) => verdictAt(index) === EVERY_ROW)) return EVERY_ROW;
    best = SOME_ROWS;
  }
  return best;
}
