import { RE2JS } from "re2js";
import type { CodePointSet } from "./code-point-set.ts";
import { findRequiredLiterals } from "./regex-literals.ts";
import type { RegexBranch } from "./regex-pieces.ts";
import { splitRegex } from "./regex-pieces.ts";
import type { RegexReach } from "./regex-reach.ts";
import { reachOf } from "./regex-reach.ts";
import type { RegexAssertion, RegexNode } from "./regex-syntax.ts";
import { parseRegex } from "./regex-syntax.ts";

/** A regular expression made ready to be asked often. Not to be shared by threads. */
export interface RegexPlan {
  /** Whether it matches anywhere in the text. Cost: proportional to the text. */
  test(text: string): boolean;
  /**
   * Texts that every match holds, in this order and none overlapping another; may be empty. Where
   * `anyCase` is set they may stand there in another case: fold both sides to compare.
   */
  readonly required: readonly string[];
  readonly anyCase: boolean;
  /** Whether V8's engine runs it; else RE2JS does. */
  readonly isSafe: boolean;
  /** Finds one match after the other, with flag `g`, where one expression for V8 does. */
  readonly pattern: RegExp | undefined;
  readonly reach: RegexReach;
}

/**
 * Plans a regular expression of RE2's syntax and meaning.
 *
 * V8's engine is some ten times as fast as RE2JS, but it backtracks, so it is given only what
 * `splitRegex` has proven to take a bounded number of steps for each place of the text. It is told
 * all in its own terms, sets of code points spelled out, so that no difference of the two in `.`,
 * `\s`, `$` or case matters.
 *
 * Errors: none for what RE2JS compiles; else those of RE2JS, or none.
 */
export function planRegex(source: string, anyCase: boolean): RegexPlan {
  const root = parseRegex(source, anyCase);
  const found = root === undefined ? undefined : findRequiredLiterals(root);
  const known = {
    required: found?.literals ?? [],
    anyCase: found?.anyCase ?? false,
    reach: root === undefined ? ("text" as const) : reachOf(root),
  };
  const branches = root === undefined ? undefined : splitRegex(root);
  if (branches === undefined) {
    const pattern = RE2JS.compile(source, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
    return { ...known, isSafe: false, pattern: undefined, test: (text) => pattern.test(text) };
  }
  const tests = branches.map(compileBranch);
  const [only] = tests;
  const test = tests.length === 1 ? only : (text: string) => tests.some((one) => one(text));
  return { ...known, isSafe: true, pattern: patternOf(branches), test };
}

function patternOf(branches: readonly RegexBranch[]): RegExp | undefined {
  const [{ pieces }] = branches;
  if (branches.length > 1 || pieces.length > 1) return undefined;
  return new RegExp(writeItems(pieces[0]), "gu");
}

function compileBranch({ pieces, within }: RegexBranch): (text: string) => boolean {
  if (pieces.length === 1) {
    const pattern = new RegExp(writeItems(pieces[0]), "u");
    return (text) => pattern.test(text);
  }
  const patterns = pieces.map((piece) => new RegExp(writeItems(piece), "gu"));
  return within === "text"
    ? (text) => isInOrder(patterns, text, 0)
    : (text) => isInOneLine(patterns, text);
}

/** Whether the pieces match one after the other. */
function isInOrder(patterns: readonly RegExp[], text: string, start: number): boolean {
  let at = start;
  for (const pattern of patterns) {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
  }
  return true;
}

/**
 * The same inside one line; no piece can match a newline.
 *
 * A piece that is found only in a later line rules out all lines before that one, so each line is
 * looked at once, and the text is passed over once by each piece.
 */
function isInOneLine(patterns: readonly RegExp[], text: string): boolean {
  if (!text.includes("\n")) return isInOrder(patterns, text, 0);
  let start = 0;
  for (;;) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    let at = start;
    let isHere = true;
    for (const pattern of patterns) {
      pattern.lastIndex = at;
      if (!pattern.test(text)) return false;
      at = pattern.lastIndex;
      if (at > end) {
        isHere = false;
        break;
      }
    }
    if (isHere) return true;
    start = text.lastIndexOf("\n", at - 1) + 1;
  }
}

/**
 * V8 tries empty matches between the two halves of a pair of surrogates too, where no lookahead and
 * no lookbehind finds a code point; these fail there.
 */
const ASSERTIONS: Readonly<Record<RegexAssertion, string>> = {
  textStart: "^",
  textEnd: "$",
  lineStart: String.raw`(?<=^|\n)`,
  lineEnd: String.raw`(?=\n|$)`,
  wordBoundary: String.raw`\b`,
  noWordBoundary: String.raw`\B(?=[^]|$)`,
};

/** A pattern for V8 with flag `u`. */
function writeItems(items: readonly RegexNode[]): string {
  return items.map(writeNode).join("");
}

function writeNode(node: RegexNode): string {
  switch (node.kind) {
    case "set":
      return writeSet(node.set ?? []);
    case "assertion":
      return ASSERTIONS[node.assertion];
    case "sequence":
      return `(?:${writeItems(node.items)})`;
    case "choice":
      return `(?:${node.options.map(writeNode).join("|")})`;
    case "repeat": {
      const max = node.max === Infinity ? "" : String(node.max);
      // Lazy, so that a long run is not remembered place by place.
      return `(?:${writeNode(node.item)}){${node.min},${max}}?`;
    }
  }
}

function writeSet(set: CodePointSet): string {
  if (set.length === 2 && set[0] === set[1]) return writeCodePoint(set[0]);
  let ranges = "";
  for (let index = 0; index < set.length; index += 2) {
    ranges += `${writeCodePoint(set[index])}-${writeCodePoint(set[index + 1])}`;
  }
  return `[${ranges}]`;
}

function writeCodePoint(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  return /^[A-Za-z0-9 ]$/.test(character) ? character : `\\u{${codePoint.toString(16)}}`;
}
