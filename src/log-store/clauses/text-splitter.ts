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
 * Hot: runs over every byte that is sealed. Words without digits take one step a byte; the others
 * are walked again from their start.
 */
export class TextSplitter {
  readonly #recorder: ClauseRecorder;
  readonly #words: WordSink | undefined;
  /** Of the template so far; `#wordWithDigits` gives it back here. */
  #hash = HASH_START;
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
      from = this.#splitClause(data, from, from, end, recorder.clausesLeft > 1);
    }
  }

  /**
   * Records one clause whose template begins with the bytes `data[templateStart, start)` as they
   * stand, and goes on with the text `data[start, end)`, uncut.
   */
  splitBehind(data: Uint8Array, templateStart: number, start: number, end: number): void {
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
    const firstSlot = recorder.slots;
    recorder.slot(start, end, mark);
    const hash = Math.imul(hashOf(data, templateStart, start) ^ mark, HASH_FACTOR);
    this.#endClause(data, templateStart, end, hash, firstSlot);
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
    const firstSlot = recorder.slots;
    let hash = hashOf(data, templateStart, start);
    // Where the word at hand began, and the hash before it.
    let wordStart = start;
    let hashBefore = hash;
    let hasMark = false;
    let at = start;
    while (at < end) {
      const byte = data[at];
      const kind = BYTE_CLASSES[byte];
      if (kind === DIGIT) {
        const runEnd = at === wordStart ? numberEnd(data, at, end) : -1;
        if (runEnd > 0) {
          recorder.slot(at, runEnd, DIGITS_MARK);
          this.#words?.addWord(data, at, runEnd);
          hash = Math.imul(hash ^ DIGITS_MARK, HASH_FACTOR);
          at = runEnd;
          continue;
        }
        this.#hash = hashBefore;
        at = this.#wordWithDigits(data, wordStart, end);
        hash = this.#hash;
        continue;
      }
      hash = Math.imul(hash ^ byte, HASH_FACTOR);
      at += 1;
      if (kind === LETTER) continue;
      wordStart = at;
      hashBefore = hash;
      if (kind === DELIMITER) continue;
      if (kind === MARK) hasMark = true;
      else if (cuts) break;
    }
    const isOdd = hasMark || recorder.slots - firstSlot > CLAUSE_SLOTS_MAX;
    if (isOdd) recorder.anyClause(templateStart, at, firstSlot);
    else this.#endClause(data, templateStart, at, hash, firstSlot);
    return at;
  }

  #endClause(data: Uint8Array, start: number, end: number, hash: number, firstSlot: number): void {
    const clause = this.#clause;
    clause.hash = (hash ^ (hash >>> 15)) >>> 0;
    clause.firstSlot = firstSlot;
    this.#recorder.endClause(data, start, end, clause);
  }

  /** A word that holds a digit; returns its end. */
  #wordWithDigits(data: Uint8Array, start: number, end: number): number {
    const recorder = this.#recorder;
    const firstSlot = recorder.slots;
    let hash = this.#hash;
    let at = start;
    let hasDigits = false;
    let letters = 0;
    let isMixed = false;
    while (at < end) {
      const byte = data[at];
      const kind = BYTE_CLASSES[byte];
      if (kind === LETTER) {
        hash = Math.imul(hash ^ byte, HASH_FACTOR);
        if (hasDigits && byte !== UNDERSCORE) letters += 1;
        at += 1;
      } else if (kind === DIGIT) {
        if (letters > 0) isMixed = true;
        const runStart = at;
        do at += 1;
        while (at < end && BYTE_CLASSES[data[at]] === DIGIT);
        recorder.slot(runStart, at, DIGITS_MARK);
        hash = Math.imul(hash ^ DIGITS_MARK, HASH_FACTOR);
        hasDigits = true;
      } else break;
    }
    this.#words?.addWord(data, start, at);
    if (at - start === UUID_FIRST && isUuid(data, start, end)) {
      recorder.slots = firstSlot;
      return this.#uuid(data, start);
    }
    if (isMixed || letters > UNIT_LETTERS_MAX) {
      recorder.slots = firstSlot;
      return this.#mixed(start, at);
    }
    this.#hash = hash;
    return at;
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
        this.#words?.addWord(data, at + 1, at + 1 + length);
        at += 1;
      }
      at = this.#mixed(at, at + length);
    }
    return at;
  }
}

/** Slots of one clause at the most; a clause with more is one slot. */
const CLAUSE_SLOTS_MAX = 1024;

/** Of an empty template. */
const HASH_START = 0x811c9dc5 | 0;
const HASH_FACTOR = 0x01000193;
const UNDERSCORE = 0x5f;
const DASH = 0x2d;

function hashOf(data: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ data[at], HASH_FACTOR);
  return hash;
}

const UUID_FIRST = 8;
const UUID_PARTS = [8, 4, 4, 4, 12] as const;
const UUID_LENGTH = 36;

/** The end of a word of digits alone that is no part of a UUID's beginning; else -1. */
function numberEnd(data: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  while (at < end && BYTE_CLASSES[data[at]] === DIGIT) at += 1;
  if (at < end && BYTE_CLASSES[data[at]] === LETTER) return -1;
  return at - start === UUID_FIRST ? -1 : at;
}

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
