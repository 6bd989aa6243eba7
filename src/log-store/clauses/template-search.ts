import { isWordUnit } from "../../core/text-fold.ts";
import type { ClauseTemplates } from "./clause-dictionary.ts";
import { LETTER_BITS, OTHER_LETTERS_BIT, VALUE_TEMPLATE } from "./clause-marks.ts";
import { SEPARATOR } from "./template-texts.ts";

/** What a search of templates says of each. */
export const NO_ROW = 0;
/** Every row that has it holds the needle. */
export const EVERY_ROW = 1;
/** The needle may reach into a slot: its rows are to be looked at. */
export const SOME_ROWS = 2;

/** A text that is looked for. Offsets and letters are those of its folded form where `anyCase`. */
export interface TemplateNeedle {
  readonly text: string;
  /** The character to the left (right) of a hit must not belong to a word. */
  readonly needsLeftBoundary: boolean;
  readonly needsRightBoundary: boolean;
  /** The hit must begin (end) where the clause does. */
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

/**
 * Looks for a needle in all templates of a segment: in their constant text, and where it could
 * reach into their slots. It says `EVERY_ROW` only of what is sure, and `NO_ROW` only of what is
 * impossible.
 *
 * 1. One search over the joined texts finds the hits in constant text.
 * 2. A pattern finds the others: each word of the needle may stand in a slot of a kind that can hold
 *    it. Most needles of letters have no such word, and are done after step 1.
 */
export function searchTemplates(
  needle: TemplateNeedle,
  templates: ClauseTemplates,
  texts: { readonly text: string; readonly starts: Uint32Array },
): Uint8Array {
  const verdicts = new Uint8Array(templates.count);
  if (hasControl(needle.text)) return verdicts.fill(SOME_ROWS);
  searchConstants(needle, texts, verdicts);
  searchSlots(needle, templates, texts, verdicts);
  return verdicts;
}

/** Marks and the separator are control characters. */
function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) < 0x08) return true;
  return false;
}

function searchConstants(
  needle: TemplateNeedle,
  { text, starts }: { readonly text: string; readonly starts: Uint32Array },
  verdicts: Uint8Array,
): void {
  let id = 0;
  let at = text.indexOf(needle.text);
  while (at >= 0) {
    id = templateAt(starts, at, id);
    if (isHit(needle, text, starts, { id, at, end: at + needle.text.length })) {
      verdicts[id] = EVERY_ROW;
      at = text.indexOf(needle.text, starts[id + 1]);
    } else {
      at = text.indexOf(needle.text, at + 1);
    }
  }
}

interface Hit {
  readonly id: number;
  readonly at: number;
  readonly end: number;
}

/** Whether what stands around a hit is as the needle wants it. A slot's mark continues a word. */
function isHit(
  needle: TemplateNeedle,
  text: string,
  starts: Uint32Array,
  { id, at, end }: Hit,
): boolean {
  const last = starts[id + 1] - SEPARATOR.length;
  if (needle.fromStart && at !== starts[id]) return false;
  if (needle.toEnd && end !== last) return false;
  if (needle.needsLeftBoundary && at > starts[id] && continuesWord(text, at - 1)) return false;
  return !(needle.needsRightBoundary && end < last && continuesWord(text, end));
}

function continuesWord(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit < 0x04 || isWordUnit(unit);
}

/** The template whose text holds the character at `offset`, at or after template `from`. */
function templateAt(starts: Uint32Array, offset: number, from: number): number {
  let low = from;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function searchSlots(
  needle: TemplateNeedle,
  { letters }: ClauseTemplates,
  texts: { readonly text: string; readonly starts: Uint32Array },
  verdicts: Uint8Array,
): void {
  const { text, starts } = texts;
  for (const id of templatesOfAnything(texts)) {
    const isUsed = id > VALUE_TEMPLATE || letters[id] !== 0;
    if (isUsed && verdicts[id] === NO_ROW) verdicts[id] = SOME_ROWS;
  }
  const words = wordsOf(needle);
  if (!words.some(({ mayBeMixed, hasDigits }) => mayBeMixed || hasDigits)) return;
  const pattern = new RegExp(slotPattern(needle, words), "g");
  let id = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    id = templateAt(starts, match.index, id);
    const hit = { id, at: match.index, end: match.index + match[0].length };
    const isPossible =
      isHit(needle, text, starts, hit) &&
      words.every(
        ({ letterBits }, index) => match[index + 1] !== MIXED || fits(letterBits, letters[id]),
      );
    if (isPossible && verdicts[id] === NO_ROW) verdicts[id] = SOME_ROWS;
    // Hits may overlap; a template that is decided needs no other.
    pattern.lastIndex = verdicts[id] === NO_ROW ? match.index + 1 : starts[id + 1];
  }
}

/** Characters outside ASCII may fold to a letter within: words that have some may hold anything. */
function fits(letters: number, available: number): boolean {
  return (available & OTHER_LETTERS_BIT) !== 0 || (letters & ~available) === 0;
}

const DIGITS = "\u0000";
const MIXED = "\u0001";
const ANY = "\u0002";

/** Templates that hold a slot of any bytes. */
function templatesOfAnything({
  text,
  starts,
}: {
  readonly text: string;
  readonly starts: Uint32Array;
}): readonly number[] {
  const found: number[] = [];
  for (let at = text.indexOf(ANY); at >= 0; at = text.indexOf(ANY, at + 1)) {
    found.push(templateAt(starts, at, 0));
  }
  return found;
}

/** A word of the needle; it may be a part of a longer one where the needle ends in it. */
interface NeedleWord {
  readonly start: number;
  readonly end: number;
  readonly hasDigits: boolean;
  /** Whether it may stand in a slot of a whole mixed word. */
  readonly mayBeMixed: boolean;
  readonly letterBits: number;
}

const WORD = /[\w\u0080-\uffff]+/g;

function wordsOf({
  text,
  needsLeftBoundary,
  needsRightBoundary,
}: TemplateNeedle): readonly NeedleWord[] {
  return Array.from(text.matchAll(WORD), ({ 0: word, index: start }) => {
    const end = start + word.length;
    const isPart =
      (start === 0 && !needsLeftBoundary) || (end === text.length && !needsRightBoundary);
    const hasDigits = /[0-9]/.test(word);
    return {
      start,
      end,
      hasDigits,
      // A word of hexadecimal letters alone may be part of a UUID.
      mayBeMixed: isPart || hasDigits || /^[a-f]+$/i.test(word),
      letterBits: letterBitsOf(word),
    };
  });
}

function letterBitsOf(word: string): number {
  let bits = 0;
  for (let index = 0; index < word.length; index++) {
    bits |= LETTER_BITS[Math.min(word.charCodeAt(index), 0xff)];
  }
  return bits;
}

/** The needle as a pattern over templates, with a group for each word. */
function slotPattern({ text }: TemplateNeedle, words: readonly NeedleWord[]): string {
  let pattern = "";
  let from = 0;
  for (const { start, end, mayBeMixed } of words) {
    const word = escape(text.slice(start, end)).replaceAll(/[0-9]+/g, DIGITS);
    pattern += escape(text.slice(from, start)) + (mayBeMixed ? `(${word}|${MIXED})` : `(${word})`);
    from = end;
  }
  return pattern + escape(text.slice(from));
}

function escape(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`);
}
