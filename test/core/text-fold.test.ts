import { describe, expect, test } from "vitest";
import { foldCase } from "../../src/core/text-fold.ts";

/** Every code point that is a character of its own, surrogates left out. */
function* codePoints(): Generator<string> {
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code < 0xd800 || code > 0xdfff) yield String.fromCodePoint(code);
  }
}

const HAS_CASE = /[\p{Cased}\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}]/u;

function inClass(characters: Iterable<string>): string {
  let text = "";
  for (const character of characters)
    text += `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  return text;
}

describe("foldCase", () => {
  test("every code point equals those, and only those, that /iu takes for equal", () => {
    const cased: string[] = [];
    const others: string[] = [];
    const groups = new Map<string, string[]>();
    for (const character of codePoints()) {
      const folded = foldCase(character);
      if (folded === character && !HAS_CASE.test(character)) {
        others.push(character);
        continue;
      }
      cased.push(character);
      const group = groups.get(folded);
      if (group === undefined) groups.set(folded, [character]);
      else group.push(character);
    }
    const text = cased.join("");
    const wrong: string[] = [];
    for (const [folded, group] of groups) {
      const equal = text.match(new RegExp(`[${inClass([folded])}]`, "giu")) ?? [];
      if (equal.join() !== group.join()) wrong.push(`${group.join()} but /iu ${equal.join()}`);
    }
    expect(wrong).toEqual([]);
    // A character without case is equal to none but itself.
    const anyCased = new RegExp(`[${inClass(cased)}]`, "iu");
    expect(others.filter((character) => anyCased.test(character))).toEqual([]);
    expect(others.length + cased.length).toBe(0x110000 - 0x800);
  });

  test("folding twice is folding once, and one code point stays one", () => {
    for (const character of codePoints()) {
      const folded = foldCase(character);
      if (foldCase(folded) !== folded || Array.from(folded).length !== 1) {
        expect.fail(`U+${character.codePointAt(0)?.toString(16)}`);
      }
    }
  });

  test("a text folds character by character, with lone surrogates left as they are", () => {
    expect(foldCase("CONNECTION Σς K ẞß İı \ud800x")).toBe("connection σσ k ßß İı \ud800x");
  });
});
