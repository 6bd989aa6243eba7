import * as fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, test } from "vitest";
import { foldCase } from "../../src/core/text-fold.ts";
import { stepsPerPlace } from "../../src/log-store/regex-cost.ts";
import { STEPS_PER_PLACE_MAX, splitRegex } from "../../src/log-store/regex-pieces.ts";
import type { RegexPlan } from "../../src/log-store/regex-plan.ts";
import { planRegex } from "../../src/log-store/regex-plan.ts";
import { parseRegex } from "../../src/log-store/regex-syntax.ts";
import { LONG_TEST_MS, runs } from "../run-size.ts";
import { countSearchSteps } from "./regex-steps.ts";

/** Characters that the two engines could take for different things. */
const CHARACTERS = [
  "a",
  "b",
  "A",
  "k",
  "K",
  "s",
  "ſ",
  "K",
  "1",
  "_",
  " ",
  "-",
  ".",
  "\n",
  "é",
  "😀",
];
const EDGES = ["\r", "\u2028", "\v", "\f", "\t", "ß", "İ", "٣"];

const atom = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("a", "b", "k", "s", "A", "1", " ", "-", "é", "😀", "ab"),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      ..."\\d \\D \\w \\W \\s \\S . \\. \\n \\x41 \\x{e9} \\141 \\Qa.b\\E \\pL \\PN [[:alpha:]]".split(
        " ",
      ),
      ..."[ab] [^ab] [a-z] [^a-z] [^\\n] [\\w-] [^\\s] [\\W] [k-s] []a] [é-ü] [[:^digit:]_]".split(
        " ",
      ),
    ),
  },
  { weight: 2, arbitrary: fc.constantFrom("^", "$", "\\b", "\\B", "\\A", "\\z") },
);
const flags = fc.constantFrom("(?i)", "(?-i)", "(?s)", "(?m)", "(?U)");
const repeat = fc.constantFrom("*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{2,}", "{0,2}?", "{0}");
const group = fc.constantFrom("(", "(?:", "(?i:", "(?s:", "(?m:", "(?-i:", "(?P<n>", "(?ims)(");
const source = fc.letrec<{ sequence: string; term: string }>((tie) => ({
  sequence: fc
    .array(tie("term"), { minLength: 1, maxLength: 4, depthIdentifier: "regex" })
    .map((terms) => terms.join("")),
  term: fc.oneof(
    { maxDepth: 3, depthIdentifier: "regex" },
    { weight: 10, arbitrary: atom },
    { weight: 1, arbitrary: flags },
    { weight: 6, arbitrary: fc.tuple(atom, repeat).map(([one, times]) => one + times) },
    { weight: 4, arbitrary: fc.constantFrom(".*", ".+", ".*?", "[^\\n]*", "(?s:.*)") },
    {
      weight: 4,
      arbitrary: fc
        .tuple(
          group,
          fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }),
          fc.oneof({ weight: 3, arbitrary: fc.constant("") }, { weight: 1, arbitrary: repeat }),
        )
        .map(([open, options, times]) => `${open}${options.join("|")})${times}`),
    },
  ),
})).sequence;
const text = fc
  .array(fc.constantFrom(...CHARACTERS, ...CHARACTERS, ...EDGES, "ab", "aa"), { maxLength: 24 })
  .map((characters) => characters.join(""));

function compile(pattern: string, anyCase: boolean): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch {
    return undefined;
  }
}

/** Whether the literals stand in the text, in order and apart. */
function holdsRequired({ required, anyCase }: RegexPlan, found: string): boolean {
  const folded = anyCase ? foldCase(found) : found;
  let at = 0;
  for (const literal of required) {
    const wanted = anyCase ? foldCase(literal) : literal;
    const start = folded.indexOf(wanted, at);
    if (start < 0) return false;
    at = start + wanted.length;
  }
  return true;
}

describe("a plan", () => {
  test(
    "finds what RE2JS finds, and what it finds holds the required literals",
    () => {
      const numRuns = runs({ part: 6_000, full: 120_000 });
      let safeCount = 0;
      let matchCount = 0;
      let literalCount = 0;
      const asked = fc.tuple(
        source,
        fc.boolean(),
        fc.array(text, { minLength: 12, maxLength: 12 }),
      );
      fc.assert(
        fc.property(asked, ([pattern, anyCase, texts]) => {
          const reference = compile(pattern, anyCase);
          if (reference === undefined) return;
          const plan = planRegex(pattern, anyCase);
          if (plan.isSafe) safeCount++;
          for (const one of texts) {
            const isMatch = reference.test(one);
            expect(plan.test(one), JSON.stringify({ pattern, anyCase, one })).toBe(isMatch);
            if (!isMatch) continue;
            matchCount++;
            literalCount += plan.required.length;
            expect(holdsRequired(plan, one), JSON.stringify({ pattern, anyCase, one })).toBe(true);
          }
        }),
        { numRuns },
      );
      // The property says something only where there were such patterns, matches and literals.
      expect(safeCount).toBeGreaterThan(numRuns / 4);
      expect(matchCount).toBeGreaterThan(0.8 * numRuns);
      expect(literalCount).toBeGreaterThan(numRuns / 3);
    },
    LONG_TEST_MS,
  );

  test(
    "that V8 runs takes no more steps than its bound, whatever the text",
    () => {
      let worst = 0;
      const asked = fc.tuple(source, fc.boolean(), text, fc.nat(30), text, fc.nat(30));
      fc.assert(
        fc.property(asked, ([pattern, anyCase, head, headCount, tail, tailCount]) => {
          const root = parseRegex(pattern, anyCase);
          const branches = root === undefined ? undefined : splitRegex(root);
          fc.pre(branches !== undefined);
          const searched = head.repeat(headCount) + tail.repeat(tailCount);
          for (const { pieces } of branches ?? []) {
            for (const piece of pieces) {
              const steps = countSearchSteps(piece, searched);
              worst = Math.max(worst, steps / (searched.length + 1));
              expect(steps, pattern).toBeLessThanOrEqual(
                stepsPerPlace(piece) * (Array.from(searched).length + 1),
              );
            }
          }
        }),
        { numRuns: runs({ part: 4_000, full: 80_000 }) },
      );
      expect(worst).toBeGreaterThan(2);
    },
    LONG_TEST_MS,
  );

  test.each([
    ["took [0-9]{4,} ms", "took 1111111"],
    ["(GET|POST) /api/.* HTTP", "GET /api/"],
    [String.raw`user=\w+ id=\d+ x`, "user=user=user="],
    [String.raw`src=[\d.]+ dst=[\d.]+ port=\d+ x`, "src=1 dst=2 port=3"],
    ['"[^"]*"$', '"'],
    [String.raw`\b\w+@\w+\.com`, "aaa"],
    [String.raw`^\s*error`, "    "],
    [String.raw`(?i)https?://[^/ ]+ `, "https://"],
    [String.raw`\d{1,3}(\.\d{1,3}){3}`, "1.1.1.1."],
    ["error.*timeout.*retry", "error timeout "],
    [".*foo.*bar.*", "foo"],
  ])("%s is safe, and long texts of its own parts stay within the bound", (pattern, part) => {
    const plan = planRegex(pattern, false);
    expect(plan.isSafe).toBe(true);
    const root = parseRegex(pattern, false);
    if (root === undefined) throw new Error("not understood");
    for (const { pieces } of splitRegex(root) ?? []) {
      for (const piece of pieces) {
        const perPlace = [1_000, 4_000].map(
          (length) => countSearchSteps(piece, part.repeat(length / part.length)) / length,
        );
        expect(perPlace[1]).toBeLessThan(STEPS_PER_PLACE_MAX);
        expect((perPlace[1] ?? 0) / (perPlace[0] ?? 1)).toBeLessThan(1.1);
      }
    }
  });

  test.each([
    "(a+)+b",
    "x(a|aa)+b",
    "a+a+b",
    "ba+a+c",
    "a.*b\\sc",
    String.raw`x\w+ \S+z`,
    String.raw`id=\w+:[^ ]+ `,
    "(.*a){12}b",
    "(a?){30}b",
    "foo(a+|b+)*c",
    "x[ab]{1,12}[ab]{1,12}c",
    "x(a|a){7}c",
    "-[ab]{30}a*(c|d|e)",
    "(-|a)a*c",
    String.raw`\b[a-]*c`,
    "(?m)^[a\\n]*c",
    String.raw`\pL+ x`,
    "(?i)straße",
  ])("%s is left to RE2JS", (pattern) => {
    expect(planRegex(pattern, false).isSafe).toBe(false);
  });

  test("a megabyte of one character is answered", () => {
    const long = "a".repeat(1_000_000);
    for (const pattern of ["[a-z]+1", "1[a-z]+2", "a[^b]*c", "^a+$", "aa.*b", "a+b", "^[ab]*c"]) {
      expect(planRegex(pattern, false).test(long)).toBe(RE2JS.compile(pattern).test(long));
    }
    // The same in two bytes a character, where a class may take one unit or two.
    expect(planRegex("^[^b]+$", false).test(`${long}é😀`.repeat(2))).toBe(true);
  });

  test.each([
    ["a.*\\n*b", "a\nb", true],
    ["(abb|b).*b", "abb", true],
    ["(a(?i)b)c", "abC", false],
    ["a(?i)b|c", "C", true],
    ["(?i-i:a)", "A", false],
    ["[\\]a-]+$", "]-a", true],
    ["a{,2}", "a{,2}", true],
    ["\\B", "a😀a", false],
  ])("%j in %j is found: %j", (pattern, found, isFound) => {
    expect(planRegex(pattern, false).test(found)).toBe(isFound);
    expect(RE2JS.compile(pattern).test(found)).toBe(isFound);
  });

  test("`.*` stays inside a line, unless `s` is set", () => {
    const lines = "a x\nb\na y b\n";
    expect(planRegex("a.*b", false).test(lines)).toBe(true);
    expect(planRegex("x.*b", false).test(lines)).toBe(false);
    expect(planRegex("(?s)x.*y", false).test(lines)).toBe(true);
    expect(planRegex("b.*$", false).test(lines)).toBe(false);
    expect(planRegex("(?m)^b.*$", false).test(lines)).toBe(true);
  });
});

describe("required literals", () => {
  test.each<[string, readonly string[], boolean]>([
    ["took [0-9]{4,} ms", ["took ", " ms"], false],
    ["error.*timeout", ["error", "timeout"], false],
    ["(?i)connection (reset|refused)", ["connection re"], true],
    ["/api/v[12]/orders", ["/api/v", "/orders"], false],
    ["(tcp|udp) port", ["p port"], false],
    ["read (timeout|time-out) now", ["read time", "out now"], false],
    [String.raw`(foo|bar\d) baz`, [" baz"], false],
    ["a(bcd)?efg", ["efg"], false],
    ["(ab){2,}c", ["abab"], false],
    [String.raw`x\d`, ["x"], false],
    [String.raw`foo\b[.]\bbar`, ["foo.bar"], false],
    ["(?i:foo)BAR", ["fooBAR"], true],
    ["(?i)42", ["42"], false],
    ["(?i)(read|reap)", ["rea"], true],
    [String.raw`\d+`, [], false],
    ["foo|bar", [], false],
    [String.raw`\Qa.b*\E+c`, ["a.b*"], false],
  ])("of %s are %j", (pattern, required, anyCase) => {
    const plan = planRegex(pattern, false);
    expect(plan.required).toEqual(required);
    expect(plan.anyCase).toBe(anyCase);
  });
});
