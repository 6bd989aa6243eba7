import { foldCase } from "../../core/text-fold.ts";
import { decodeText } from "../../wire/any-value-decode.ts";
import type { TextMatcher } from "../text-matcher.ts";
import type { FilterKey } from "./filter-key.ts";
import { KeyHasher } from "./filter-key.ts";
import { WORD_BYTES_MIN } from "../clauses/words.ts";
import { forEachDigitWord } from "./digit-words.ts";

/** Hashes a word in any case: as its simple Unicode folding. */
export function hashWord(hasher: KeyHasher, data: Uint8Array, start: number, end: number): void {
  if (hasher.hash(data, start, end)) return;
  const folded = foldWord(data, start, end);
  hasher.hash(folded, 0, folded.length);
}

function foldWord(data: Uint8Array, start: number, end: number): Uint8Array {
  return new TextEncoder().encode(foldCase(decodeText(data, start, end)));
}

/** Whether a word is in no filter: short ones of ASCII are everywhere. */
export function isShortWord(data: Uint8Array, start: number, end: number): boolean {
  if (end - start >= WORD_BYTES_MIN) return false;
  for (let at = start; at < end; at++) if (data[at] >= 0x80) return false;
  return true;
}

/**
 * Keys of words that every text that matches has as whole words; a text whose filter denies one of
 * them need not be read. A word at the edge of a literal may go on in the text, unless the literal
 * asks for a boundary there.
 */
export function requiredWordKeys({ needle, required }: TextMatcher): readonly FilterKey[] {
  if (needle !== undefined) {
    const { bytes, needsLeftBoundary, needsRightBoundary } = needle;
    return wholeWordKeys(bytes, needsLeftBoundary, needsRightBoundary);
  }
  return required.flatMap((text) => wholeWordKeys(new TextEncoder().encode(text), false, false));
}

function wholeWordKeys(
  text: Uint8Array,
  startsAtWord: boolean,
  endsAtWord: boolean,
): readonly FilterKey[] {
  const keys: FilterKey[] = [];
  const hasher = new KeyHasher();
  forEachDigitWord(text, (start, end) => {
    if (start === 0 && !startsAtWord) return;
    if (end === text.length && !endsAtWord) return;
    // The text may have the word in ASCII where the needle has not: "k" where it has the Kelvin sign.
    const word = foldWord(text, start, end);
    if (isShortWord(word, 0, word.length)) return;
    hasher.hash(word, 0, word.length);
    keys.push({ high: hasher.high, low: hasher.low });
  });
  return keys;
}
