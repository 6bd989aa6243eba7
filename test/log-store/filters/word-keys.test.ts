import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TextMatch } from "../../../src/core/filter.ts";
import { foldCase } from "../../../src/core/text-fold.ts";
import { ClauseRecorder } from "../../../src/log-store/clauses/clause-recorder.ts";
import { TextSplitter } from "../../../src/log-store/clauses/text-splitter.ts";
import type { FilterKey } from "../../../src/log-store/filters/filter-key.ts";
import { isSet, placeOf } from "../../../src/log-store/filters/filter-lines.ts";
import { WordFilterWriter } from "../../../src/log-store/filters/word-filter.ts";
import { requiredWordKeys } from "../../../src/log-store/filters/word-keys.ts";
import { compileTextMatch } from "../../../src/log-store/text-matcher.ts";
import { runs } from "../../run-size.ts";

interface Options {
  readonly anyCase?: boolean;
  readonly startsAtWord?: boolean;
  readonly endsAtWord?: boolean;
}

function literal(text: string, options: Options = {}): TextMatch {
  const { anyCase = true, startsAtWord = false, endsAtWord = false } = options;
  return { kind: "literal", text, anyCase, startsAtWord, endsAtWord };
}

function keyCount(match: TextMatch): number {
  return requiredWordKeys(compileTextMatch(match)).length;
}

describe("a needle asks filters for", () => {
  test.each([
    { needle: "blk_17", count: 0, why: "nothing: it may go on at both ends" },
    { needle: " blk_17 ", count: 1, why: "a word that ends inside it" },
    { needle: "at blk_17", count: 0, why: "nothing: its word may go on" },
    { needle: "10240:20480:30720", count: 1, why: "the word in its middle" },
    { needle: " 1024 ", count: 0, why: "nothing: the word is short" },
    { needle: " timeout ", count: 0, why: "nothing: the word has no digit" },
    { needle: " \u212a123 ", count: 0, why: "nothing: the word is short in another case" },
    { needle: " \u212a1234 ", count: 1, why: "a word that is ASCII in another case" },
    { needle: " \u00e91 ", count: 1, why: "a short word that is not ASCII" },
  ])("$why ($needle)", ({ needle, count }) => {
    expect(keyCount(literal(needle))).toBe(count);
    expect(keyCount(literal(needle, { anyCase: false }))).toBe(count);
  });

  test("the words at its edges where it asks for boundaries", () => {
    expect(keyCount(literal("blk_17", { startsAtWord: true, endsAtWord: true }))).toBe(1);
    expect(keyCount(literal("blk_17", { startsAtWord: true }))).toBe(0);
    expect(keyCount(literal("blk_17 ok frame_9", { startsAtWord: true }))).toBe(1);
    expect(keyCount(literal("(blk_17)", { startsAtWord: true, endsAtWord: true }))).toBe(1);
  });

  test("whole words of what a regular expression requires", () => {
    const regex = (source: string): TextMatch => ({ kind: "regex", source, anyCase: false });
    expect(keyCount(regex("took 12345 ms after .* of blk_9999 "))).toBe(2);
    expect(keyCount(regex("blk_\\d+"))).toBe(0);
    expect(keyCount(regex(" (blk_17 | blk_18) "))).toBe(0);
  });
});

test("a folded text folds to itself, so that both sides of a filter may fold", () => {
  // No letter of planes 2 to 16 has a case.
  for (let codePoint = 0; codePoint <= 0x1ffff; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
    const folded = foldCase(String.fromCodePoint(codePoint));
    if (foldCase(folded) !== folded) expect.fail(`U+${codePoint.toString(16)}`);
  }
});

const WORDS =
  "K k \u212a s \u017f \u00e9 \u00c9 \u2c65 \u023a \u00df \u65e5 1 23 456 00000 _ a1b2c3".split(
    " ",
  );
const BETWEEN = ["-", " ", ".", "\n", '"', "=", "\u0001", "\ufffd", "\ufeff"];
const PIECES = [...WORDS, ...BETWEEN, "00000000-1111-2222-3333-4444abcd5555"];
const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 14 }).map((parts) => parts.join(""));

/** A filter of the words of texts, told as a seal tells them. */
function filterOf(texts: readonly string[]): Uint8Array {
  const words = new WordFilterWriter(texts.length);
  const recorder = new ClauseRecorder();
  const splitter = new TextSplitter(recorder, words);
  recorder.beginBlock();
  for (const one of texts) {
    const bytes = new TextEncoder().encode(one);
    splitter.splitText(bytes, 0, bytes.length);
    recorder.endRow();
  }
  words.endBlock();
  return words.endSegment() ?? new Uint8Array(0);
}

/** A part of a text, as a user may ask for it. */
const cut = fc.record({
  text: fc.nat(),
  from: fc.nat(),
  length: fc.integer({ min: 1, max: 40 }),
  isUpper: fc.boolean(),
  anyCase: fc.boolean(),
  startsAtWord: fc.boolean(),
  endsAtWord: fc.boolean(),
});

test("a filter never denies a needle that a text matches", () => {
  let asked = 0;
  const texts = fc.array(text, { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(texts, fc.array(cut, { minLength: 40, maxLength: 40 }), (stored, cuts) => {
      const file = filterOf(stored);
      for (const options of cuts) {
        const source = stored[options.text % stored.length] ?? "";
        const part = source.slice(options.from % (source.length + 1)).slice(0, options.length);
        if (part === "") continue;
        const needle = options.isUpper && options.anyCase ? part.toUpperCase() : part;
        const matcher = compileTextMatch(literal(needle, options));
        if (!stored.some((one) => matcher.test(one))) continue;
        for (const key of requiredWordKeys(matcher)) {
          asked += 1;
          if (!mayHold(file, key)) expect.fail(`${needle} in ${JSON.stringify(stored)}`);
        }
      }
    }),
    { numRuns: runs({ part: 300, full: 20_000 }) },
  );
  expect(asked).toBeGreaterThan(300);
});

function mayHold(file: Uint8Array, key: FilterKey): boolean {
  const place = placeOf(key, file.length);
  if (place === undefined) return false;
  const page = file.subarray(place.offset, place.offset + place.size);
  return isSet(page, place.line, key);
}
