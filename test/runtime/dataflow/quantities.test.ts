import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  expandVariables,
  parseSize,
  parseTimer,
  splitWords,
} from "../../../src/runtime/dataflow/quantities.ts";

test.each([
  ["4096", 4096],
  ["0", 0],
  ["50MB", 50 * 1024 ** 2],
  ["50 mb", 50 * 1024 ** 2],
  ["1.5 KB", 1536],
  ["2g", 2 * 1024 ** 3],
  ["7B", 7],
  [" 1GB ", 1024 ** 3],
  ["", undefined],
  ["MB", undefined],
  ["-1KB", undefined],
  ["1TB", undefined],
  ["1e3", undefined],
  ["99999999999999999GB", undefined],
])("the size %j is %j bytes, as dora-rs counts", (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each([
  ["dora/timer/secs/2", 2e9],
  ["dora/timer/millis/100", 1e8],
  ["dora/timer/micros/5", 5000],
  ["dora/timer/nanos/1", 1],
  ["dora/timer/hz/30", 33_333_333],
  ["dora/timer/hz/0.5", 2e9],
  ["dora/timer/secs/86400", 86_400e9],
  ["dora/timer/secs/86401", undefined],
  ["dora/timer/secs/0", undefined],
  ["dora/timer/hz/0", undefined],
  ["dora/timer/hz/3e9", undefined],
  ["dora/timer/hz/2000000001", undefined],
  ["dora/timer/millis/-1", undefined],
  ["dora/timer/hours/1", undefined],
  ["dora/timer/millis", undefined],
  ["dora/timer/millis/1/2", undefined],
])("the timer %s ticks each %j ns", (source, ns) => {
  expect(parseTimer(source)).toBe(ns);
});

test.each([
  ["", []],
  ["  a\tb\n c ", ["a", "b", "c"]],
  [`--label "two words" 'and $more'`, ["--label", "two words", "and $more"]],
  [String.raw`a\ b \"c\"`, ["a b", '"c"']],
  [String.raw`"a\"b\\c\d"`, [String.raw`a"b\c\d`]],
  [String.raw`'a\b'`, [String.raw`a\b`]],
  [`x"y z"'w'v`, ["xy zwv"]],
  [`"" ''`, ["", ""]],
  [`"open`, undefined],
  [`it's`, undefined],
  ["end\\", undefined],
])("the words of %j are %j, as in a POSIX shell", (text, words) => {
  expect(splitWords(text)).toEqual(words);
});

test("any words, quoted as a shell does, are read back", () => {
  const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (words) => {
      expect(splitWords(words.map(quote).join(" "))).toEqual(words);
    }),
  );
});

test.each([
  ["$A/$B", "one/two"],
  ["${A}x", "onex"],
  ["${NO:-else}", "else"],
  ["${EMPTY:-else}", "else"],
  ["[$EMPTY]", "[]"],
  ["$$A costs 5$", "$A costs 5$"],
  ["${", "${"],
  ["$1", "$1"],
])("%j becomes %j", (text, expanded) => {
  const missing: string[] = [];
  const environment = { A: "one", B: "two", EMPTY: "" };
  expect(expandVariables(text, environment, (name) => missing.push(name))).toBe(expanded);
  expect(missing).toEqual([]);
});

test("a variable that is not set is empty, and told of; names of every object are not set", () => {
  const missing: string[] = [];
  const text = expandVariables("[$NO][${NO2}][$toString]", {}, (name) => missing.push(name));
  expect(text).toBe("[][][]");
  expect(missing).toEqual(["NO", "NO2", "toString"]);
});

test("a text full of open braces is looked through once", () => {
  const text = "${a:-".repeat(200_000);
  expect(expandVariables(text, {}, () => {})).toBe(text);
});
