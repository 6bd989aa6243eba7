import {
  BYTE_CLASSES,
  CLAUSE_SLOTS_MAX,
  CUT,
  DIGIT,
  DIGITS_MARK,
  LETTER,
  MARK,
  MIXED_MARK,
} from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import { TemplateMatcher } from "./template-matcher.ts";
import { isHexDigit, isMixedWord, WORD_BYTES_MIN, wordEnd } from "./words.ts";

/** Is told of every word of a text that holds a digit; numbers below `WORD_BYTES_MIN` may be missing. */
export interface WordSink {
  addWord(data: Uint8Array, start: number, end: number): void;
}

/**
 * Records the clauses of texts. A word (a run of letters, digits, `_` and bytes from 0x80) is
 * constant text where it holds no digit. Else:
 *
 *     blk_17  x86  12ms  2026_06_01     its runs of digits are slots, the letters stay constant
 *     4bf92f35  a1b2  v2beta3           the whole word is a slot
 *
 * Hot: runs over every byte that is sealed. Nearly all clauses are of a template that is known, which
 * `TemplateMatcher` finds; only the others are split here.
 */
export class TextSplitter {
  readonly #recorder: ClauseRecorder;
  readonly #matcher: TemplateMatcher;
  readonly #words: WordSink | undefined;

  constructor(recorder: ClauseRecorder, words?: WordSink) {
    this.#recorder = recorder;
    this.#matcher = new TemplateMatcher(recorder);
    this.#words = words;
  }

  /** Records the clauses of the text `data[start, end)`. */
  splitText(data: Uint8Array, start: number, end: number): void {
    const recorder = this.#recorder;
    let from = start;
    while (from < end) from = this.#clause(data, from, from, end, recorder.clausesLeft > 1);
  }

  /**
   * Records one clause whose template begins with the bytes `data[templateStart, start)` as they
   * stand, and goes on with the text `data[start, end)`, uncut.
   */
  splitBehind(data: Uint8Array, templateStart: number, start: number, end: number): void {
    this.#clause(data, templateStart, start, end, false);
  }

  /** Records one clause, up to its cut or to `end`, and returns where it ended. */
  #clause(
    data: Uint8Array,
    templateStart: number,
    start: number,
    end: number,
    cuts: boolean,
  ): number {
    const recorder = this.#recorder;
    const matcher = this.#matcher;
    const firstSlot = recorder.slots;
    const template = matcher.match(data, templateStart, start, end, cuts);
    if (template < 0) return this.#split(data, templateStart, start, end, cuts);
    const sink = this.#words;
    if (sink !== undefined) {
      const { words, wordStarts, wordEnds } = matcher;
      for (let word = 0; word < words; word++) sink.addWord(data, wordStarts[word], wordEnds[word]);
    }
    recorder.knownClause(template, data, firstSlot);
    return matcher.end;
  }

  #split(
    data: Uint8Array,
    templateStart: number,
    start: number,
    end: number,
    cuts: boolean,
  ): number {
    const recorder = this.#recorder;
    const firstSlot = recorder.slots;
    let hasMark = false;
    let at = start;
    while (at < end) {
      const kind = BYTE_CLASSES[data[at]];
      if (kind === LETTER || kind === DIGIT) {
        at = this.#word(data, at, end);
        continue;
      }
      at += 1;
      if (kind === MARK) hasMark = true;
      else if (kind === CUT && cuts) break;
    }
    if (this.#words !== undefined) {
      tellWords(recorder, data, { firstSlot, start, end }, this.#words);
    }
    const isOdd = hasMark || recorder.slots - firstSlot > CLAUSE_SLOTS_MAX;
    if (isOdd) recorder.anyClause(templateStart, at, firstSlot);
    else recorder.endClause(data, templateStart, at, firstSlot);
    return at;
  }

  /** Records the slots of a word, and returns its end. */
  #word(data: Uint8Array, start: number, textEnd: number): number {
    const end = wordEnd(data, start, textEnd);
    if (end - start === UUID_PARTS[0] && isUuid(data, start, textEnd)) return this.#uuid(start);
    if (isMixedWord(data, start, end)) {
      this.#recorder.slot(start, end, MIXED_MARK);
      return end;
    }
    for (let at = start; at < end;) {
      if (BYTE_CLASSES[data[at]] !== DIGIT) {
        at += 1;
        continue;
      }
      const runStart = at;
      while (at < end && BYTE_CLASSES[data[at]] === DIGIT) at += 1;
      this.#recorder.slot(runStart, at, DIGITS_MARK);
    }
    return end;
  }

  /** Five mixed words, though one of them may lack digits: else each mixture were a template. */
  #uuid(start: number): number {
    let end = start;
    for (const length of UUID_PARTS) {
      this.#recorder.slot(end, end + length, MIXED_MARK);
      end += length + 1;
    }
    return end - 1;
  }
}

const DASH = 0x2d;
const UUID_PARTS = [8, 4, 4, 4, 12] as const;
const UUID_LENGTH = 36;

function isUuid(data: Uint8Array, start: number, end: number): boolean {
  const uuidEnd = start + UUID_LENGTH;
  if (uuidEnd > end || wordEnd(data, uuidEnd, end) > uuidEnd) return false;
  for (let index = 0; index < UUID_LENGTH; index++) {
    const byte = data[start + index];
    const isDash = index === 8 || index === 13 || index === 18 || index === 23;
    if (isDash ? byte !== DASH : !isHexDigit(byte)) return false;
  }
  return true;
}

/** Whether a run of digits is a short word by itself: most are, and need not be looked at further. */
function isShortNumber(
  data: Uint8Array,
  start: number,
  end: number,
  range: { readonly start: number; readonly end: number },
): boolean {
  if (end - start >= WORD_BYTES_MIN) return false;
  if (start > range.start && BYTE_CLASSES[data[start - 1]] === LETTER) return false;
  return end === range.end || BYTE_CLASSES[data[end]] !== LETTER;
}

/** Tells of each word that has a slot, once; the clause's text begins and ends at `range`. */
export function tellWords(
  recorder: ClauseRecorder,
  data: Uint8Array,
  range: { readonly firstSlot: number; readonly start: number; readonly end: number },
  words: WordSink,
): void {
  let toldUntil = range.start;
  for (let slot = range.firstSlot; slot < recorder.slots; slot++) {
    let start = recorder.slotStarts[slot];
    if (start < toldUntil) continue;
    const isNumber = recorder.slotMarks[slot] === DIGITS_MARK;
    if (isNumber && isShortNumber(data, start, recorder.slotEnds[slot], range)) continue;
    while (start > toldUntil && BYTE_CLASSES[data[start - 1]] === LETTER) start -= 1;
    toldUntil = wordEnd(data, start, range.end);
    words.addWord(data, start, toldUntil);
  }
}
