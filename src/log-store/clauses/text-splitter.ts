import {
  BYTE_CLASSES,
  DELIMITER,
  DIGIT,
  DIGITS_MARK,
  LETTER,
  MARK,
  MIXED_MARK,
} from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";

/** Is told of every word of a text that holds a digit. */
export interface WordSink {
  addWord(data: Uint8Array, start: number, end: number): void;
}

/** A suffix of so many letters behind digits is a unit (`12ms`); a longer one makes a mixed word. */
const UNIT_LETTERS_MAX = 3;

/**
 * Walks texts byte by byte, once, and records their clauses. A word (a run of letters, digits, `_`
 * and bytes from 0x80) is constant text where it holds no digit. Else:
 *
 *     blk_17  x86  12ms  2026_06_01     its runs of digits are slots, the letters stay constant
 *     4bf92f35  a1b2  v2beta3           the whole word is a slot
 *
 * Hot: runs over every byte that is sealed. It keeps its state in fields, not in objects.
 */
export class TextSplitter {
  readonly #recorder: ClauseRecorder;
  readonly #words: WordSink | undefined;
  #hash = 0;
  readonly #clause = { hash: 0, firstSlot: 0 };

  constructor(recorder: ClauseRecorder, words?: WordSink) {
    this.#recorder = recorder;
    this.#words = words;
  }

  /** Records the clauses of the text `data[start, end)`. */
  splitText(data: Uint8Array, start: number, end: number): void {
    const recorder = this.#recorder;
    let from = start;
    while (from < end) {
      this.#hash = HASH_START;
      from = this.#splitClause(data, from, from, end, recorder.clausesLeft > 1);
    }
  }

  /**
   * Records one clause whose template begins with the bytes `data[templateStart, start)` as they
   * stand, and goes on with the text `data[start, end)`, uncut.
   */
  splitBehind(data: Uint8Array, templateStart: number, start: number, end: number): void {
    let hash = HASH_START;
    for (let at = templateStart; at < start; at++) hash = Math.imul(hash ^ data[at], HASH_FACTOR);
    this.#hash = hash;
    this.#splitClause(data, templateStart, start, end, false);
  }

  /** Records one clause whose template is `data[templateStart, start)` and one slot, `[start, end)`. */
  slotBehind(
    data: Uint8Array,
    templateStart: number,
    start: number,
    end: number,
    mark: number,
  ): void {
    const recorder = this.#recorder;
    const clause = this.#clause;
    clause.firstSlot = recorder.slots;
    let hash = HASH_START;
    for (let at = templateStart; at < start; at++) hash = Math.imul(hash ^ data[at], HASH_FACTOR);
    recorder.slot(start, end, mark);
    hash = Math.imul(hash ^ mark, HASH_FACTOR);
    clause.hash = (hash ^ (hash >>> 15)) >>> 0;
    recorder.endClause(data, templateStart, end, clause);
  }

  /** Records one clause, up to its cut or to `end`, and returns where it ended. */
  #splitClause(
    data: Uint8Array,
    templateStart: number,
    start: number,
    end: number,
    cuts: boolean,
  ): number {
    const recorder = this.#recorder;
    const clause = this.#clause;
    clause.firstSlot = recorder.slots;
    let hasMark = false;
    let at = start;
    while (at < end) {
      const kind = BYTE_CLASSES[data[at]];
      if (kind === LETTER || kind === DIGIT) {
        at = this.#word(data, at, end);
        continue;
      }
      this.#hash = Math.imul(this.#hash ^ data[at], HASH_FACTOR);
      at += 1;
      if (kind === DELIMITER) continue;
      if (kind === MARK) hasMark = true;
      else if (cuts) break;
    }
    if (hasMark) {
      recorder.anyClause(templateStart, at, clause.firstSlot);
    } else {
      clause.hash = (this.#hash ^ (this.#hash >>> 15)) >>> 0;
      recorder.endClause(data, templateStart, at, clause);
    }
    return at;
  }

  /** A word: its end. */
  #word(data: Uint8Array, start: number, wordsEnd: number): number {
    let at = start;
    let hash = this.#hash;
    for (;;) {
      const kind = at < wordsEnd ? BYTE_CLASSES[data[at]] : DELIMITER;
      if (kind === LETTER) hash = Math.imul(hash ^ data[at], HASH_FACTOR);
      else if (kind === DIGIT) return this.#wordWithDigits(data, start, wordsEnd);
      else break;
      at += 1;
    }
    this.#hash = hash;
    return at;
  }

  #wordWithDigits(data: Uint8Array, start: number, wordsEnd: number): number {
    const recorder = this.#recorder;
    const firstSlot = recorder.slots;
    let hash = this.#hash;
    let at = start;
    let digitRuns = 0;
    let lettersBetween = 0;
    let lettersBehind = 0;
    while (at < wordsEnd) {
      const kind = BYTE_CLASSES[data[at]];
      if (kind === LETTER) {
        hash = Math.imul(hash ^ data[at], HASH_FACTOR);
        if (digitRuns > 0 && data[at] !== UNDERSCORE) lettersBehind += 1;
        at += 1;
      } else if (kind === DIGIT) {
        const runStart = at;
        do at += 1;
        while (at < wordsEnd && BYTE_CLASSES[data[at]] === DIGIT);
        recorder.slot(runStart, at, DIGITS_MARK);
        hash = Math.imul(hash ^ DIGITS_MARK, HASH_FACTOR);
        lettersBetween += lettersBehind;
        lettersBehind = 0;
        digitRuns += 1;
      } else break;
    }
    if (this.#words !== undefined) this.#words.addWord(data, start, at);
    const isMixed =
      lettersBetween > 0 ||
      lettersBehind > UNIT_LETTERS_MAX ||
      (at - start === UUID_FIRST && isUuid(data, start, wordsEnd));
    if (!isMixed) {
      this.#hash = hash;
      return at;
    }
    recorder.slots = firstSlot;
    return at - start === UUID_FIRST && isUuid(data, start, wordsEnd)
      ? this.#uuid(data, start)
      : this.#mixed(start, at);
  }

  #mixed(start: number, end: number): number {
    this.#recorder.slot(start, end, MIXED_MARK);
    this.#hash = Math.imul(this.#hash ^ MIXED_MARK, HASH_FACTOR);
    return end;
  }

  /** Five mixed words, though one of them may lack digits: else each mixture were a template. */
  #uuid(data: Uint8Array, start: number): number {
    let at = start;
    for (const length of UUID_PARTS) {
      if (at > start) {
        this.#hash = Math.imul(this.#hash ^ DASH, HASH_FACTOR);
        at += 1;
      }
      this.#words?.addWord(data, at, at + length);
      at = this.#mixed(at, at + length);
    }
    return at;
  }
}

/** Of an empty template. */
const HASH_START = 0x811c9dc5 | 0;
const HASH_FACTOR = 0x01000193;
const UNDERSCORE = 0x5f;
const DASH = 0x2d;
const UUID_FIRST = 8;
const UUID_PARTS = [8, 4, 4, 4, 12] as const;
const UUID_LENGTH = 36;

function isUuid(data: Uint8Array, start: number, end: number): boolean {
  const uuidEnd = start + UUID_LENGTH;
  if (uuidEnd > end) return false;
  if (uuidEnd < end && isWordByte(data[uuidEnd])) return false;
  for (let index = 0; index < UUID_LENGTH; index++) {
    const byte = data[start + index];
    const isDash = index === 8 || index === 13 || index === 18 || index === 23;
    if (isDash ? byte !== DASH : !isHexDigit(byte)) return false;
  }
  return true;
}

function isWordByte(byte: number): boolean {
  return BYTE_CLASSES[byte] === LETTER || BYTE_CLASSES[byte] === DIGIT;
}

function isHexDigit(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x66) ||
    (byte >= 0x41 && byte <= 0x46)
  );
}
