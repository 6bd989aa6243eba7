import { hexDigit } from "./json-reader.ts";

/** What no digit of base64 stands for. */
const NO_DIGIT = 0xff;

/** The value of each base64 digit, standard and URL alphabets alike. */
const BASE64_DIGITS: Uint8Array = (() => {
  const table = new Uint8Array(256).fill(NO_DIGIT);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (let value = 0; value < letters.length; value++) table[letters.charCodeAt(value)] = value;
  for (const [value, digits] of [
    [62, "+-"],
    [63, "/_"],
  ] as const) {
    for (const digit of digits) table[digit.charCodeAt(0)] = value;
  }
  return table;
})();

const EQUALS_SIGN = 0x3d;

/**
 * Decodes base64 of either alphabet, padded or not, to `target` and returns the end, or -1 where
 * the text is none. `target` needs room for the text's length.
 */
export function decodeBase64(text: Uint8Array, target: Uint8Array, offset: number): number {
  const length = unpaddedLength(text);
  if (length % 4 === 1) return -1;
  let to = offset;
  let bits = 0;
  let bitCount = 0;
  for (let index = 0; index < length; index++) {
    const digit = BASE64_DIGITS[text[index]];
    if (digit === NO_DIGIT) return -1;
    bits = ((bits << 6) | digit) & 0xffff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      target[to++] = bits >> bitCount;
    }
  }
  return to;
}

/** Padding is all or nothing: what has some must have a length that is a multiple of 4. */
function unpaddedLength(text: Uint8Array): number {
  if (text.length % 4 !== 0) return text.length;
  let length = text.length;
  if (text[length - 1] === EQUALS_SIGN) length -= 1;
  if (text[length - 1] === EQUALS_SIGN) length -= 1;
  return length;
}

/** Decodes hex digits of either case, a last odd one checked and dropped; -1 where it is no hex. */
export function decodeHex(text: Uint8Array, target: Uint8Array, offset: number): number {
  let to = offset;
  for (let index = 0; index + 1 < text.length; index += 2) {
    const value = (hexDigit(text[index]) << 4) | hexDigit(text[index + 1]);
    // A -1 on either side keeps its sign through the shift and the or.
    if (value < 0) return -1;
    target[to++] = value;
  }
  return text.length % 2 === 1 && hexDigit(text[text.length - 1]) < 0 ? -1 : to;
}
