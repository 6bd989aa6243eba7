import { BYTE_CLASSES, DIGIT, LETTER } from "./clause-marks.ts";

/** So many letters behind digits are a unit (`12ms`); more make a mixed word. */
const UNIT_LETTERS_MAX = 3;
const UNDERSCORE = 0x5f;

/** Words of fewer bytes are everywhere, and nobody keeps them: see `WordSink`. */
export const WORD_BYTES_MIN = 5;

/** Where the word that begins at `start` ends; `start` where there is none. */
export function wordEnd(data: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (BYTE_CLASSES[data[at]] === LETTER || BYTE_CLASSES[data[at]] === DIGIT)) {
    at += 1;
  }
  return at;
}

/**
 * Whether the word that begins at `start` mixes letters and digits so that it is a slot as a whole:
 * letters follow digits, and are more than a unit or followed by digits again.
 */
export function isMixedWord(data: Uint8Array, start: number, end: number): boolean {
  let hasDigits = false;
  let letters = 0;
  for (let at = start; at < end; at++) {
    const kind = BYTE_CLASSES[data[at]];
    if (kind === DIGIT) {
      if (letters > 0) return true;
      hasDigits = true;
    } else if (kind === LETTER) {
      if (hasDigits && data[at] !== UNDERSCORE) letters += 1;
    } else break;
  }
  return letters > UNIT_LETTERS_MAX;
}

/** Whether `data[start, end)` has hexadecimal digits alone, in either case. */
export function isHexWord(data: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isHexDigit(data[at])) return false;
  return true;
}

export function isHexDigit(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x66) ||
    (byte >= 0x41 && byte <= 0x46)
  );
}
