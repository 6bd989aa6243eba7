/**
 * Simple Unicode case folding, one code point to one code point, so that offsets survive it.
 *
 * It is lower case of upper case, kept only where each step gives one code point: "ς" and "Σ" both
 * become "σ", "K" (Kelvin) becomes "k", "ß" stays.
 *
 * Source: Unicode CaseFolding.txt, statuses C and S; a test compares it with `/u` `i` matching.
 */
export function foldCase(text: string): string {
  if (isAscii(text)) return text.toLowerCase();
  let folded = "";
  for (const character of text) folded += foldCharacter(character);
  return folded;
}

/** Simple foldings between characters whose upper cases have several code points. */
const FOLDED_APART: ReadonlyMap<string, string> = new Map([
  ["\u1fd3", "\u0390"],
  ["\u1fe3", "\u03b0"],
  ["\ufb05", "\ufb06"],
]);

function foldCharacter(character: string): string {
  // Dotless i has no simple folding, though its upper case is "I".
  if (character === "\u0131" || character === "\u0130") return character;
  const apart = FOLDED_APART.get(character);
  if (apart !== undefined) return apart;
  const upper = oneCodePoint(character.toUpperCase(), character);
  return oneCodePoint(upper.toLowerCase(), upper);
}

function oneCodePoint(text: string, otherwise: string): string {
  const codePoint = text.codePointAt(0) ?? 0;
  return text.length === (codePoint > 0xffff ? 2 : 1) ? text : otherwise;
}

/** Whether every character is below U+0080. */
export function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 0x7f) return false;
  }
  return true;
}

/** Whether a UTF-16 unit (or a UTF-8 byte) belongs to a word: `[A-Za-z0-9_]` and all from 0x80. */
export function isWordUnit(unit: number): boolean {
  return (
    (unit >= 0x61 && unit <= 0x7a) ||
    (unit >= 0x41 && unit <= 0x5a) ||
    (unit >= 0x30 && unit <= 0x39) ||
    unit === 0x5f ||
    unit >= 0x80
  );
}
