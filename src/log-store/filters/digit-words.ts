import { isWordUnit } from "../../core/text-fold.ts";

/**
 * Calls for each whole word of a UTF-8 text that holds a digit: a run of `[A-Za-z0-9_]` and bytes
 * from 0x80. These are the words that filters know.
 */
export function forEachDigitWord(
  text: Uint8Array,
  visit: (start: number, end: number) => void,
): void {
  let start = 0;
  let hasDigit = false;
  for (let at = 0; at <= text.length; at++) {
    const byte = at < text.length ? text[at] : END;
    if (isWordUnit(byte)) {
      if (byte >= 0x30 && byte <= 0x39) hasDigit = true;
      continue;
    }
    if (hasDigit) visit(start, at);
    start = at + 1;
    hasDigit = false;
  }
}

/** No word's byte. */
const END = 0;
