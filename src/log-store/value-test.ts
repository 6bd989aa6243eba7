import type { AnyValue } from "../core/any-value.ts";
import { anyValueToText } from "../core/any-value.ts";
import type { Comparison, FieldTest } from "../core/filter.ts";
import { foldCase } from "../core/text-fold.ts";
import { compileTextMatch } from "./text-matcher.ts";

/** A `FieldTest` made ready to be asked often. */
export type ValueTest = (value: AnyValue) => boolean;

export function compileFieldTest(test: FieldTest): ValueTest {
  switch (test.op) {
    case "exists":
      return () => true;
    case "equals": {
      const wanted = test.anyCase ? foldCase(test.text) : test.text;
      return (value) => textFor(value, test.anyCase) === wanted;
    }
    case "glob": {
      const glob = compileGlob(test.anyCase ? foldCase(test.pattern) : test.pattern);
      return (value) => glob(textFor(value, test.anyCase));
    }
    case "compare": {
      const compare = COMPARISONS[test.comparison];
      return (value) => {
        const number = numberOf(value);
        return number !== undefined && compare(number, test.value);
      };
    }
    case "contains": {
      const matcher = compileTextMatch(test.match);
      return (value) => matcher.test(anyValueToText(value));
    }
  }
}

function textFor(value: AnyValue, anyCase: boolean): string {
  const text = anyValueToText(value);
  return anyCase ? foldCase(text) : text;
}

/** Matches a whole text against pieces with `*` between them: greedy, linear, no backtracking. */
function compileGlob(pattern: string): (text: string) => boolean {
  const pieces = pattern.split("*");
  const first = pieces[0] ?? "";
  const last = pieces[pieces.length - 1] ?? "";
  const middle = pieces.slice(1, -1);
  if (pieces.length === 1) return (text) => text === pattern;
  return (text) => {
    if (text.length < first.length + last.length || !text.startsWith(first)) return false;
    const end = text.length - last.length;
    let position = first.length;
    for (const piece of middle) {
      const at = text.indexOf(piece, position);
      if (at < 0 || at + piece.length > end) return false;
      position = at + piece.length;
    }
    return text.endsWith(last);
  };
}

const COMPARISONS: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
};

const NUMBER_TEXT = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

/** The number that a value is, or that its text is written as; undefined for all else. */
export function numberOf(value: AnyValue): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "string" && NUMBER_TEXT.test(value)) return Number(value);
  return undefined;
}
