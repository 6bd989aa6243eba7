import type { RegexAssertion, RegexNode } from "../../src/log-store/regex-syntax.ts";

/**
 * Searches for a sequence as a backtracking engine does, at each place of a text until it is
 * found, and counts the nodes tried. All repeats are lazy.
 */
export function countSearchSteps(items: readonly RegexNode[], text: string): number {
  const search = new CountingSearch(text);
  for (let start = 0; start <= search.length; start++) {
    if (search.matches(items, start)) break;
  }
  return search.steps;
}

/** What is still to be matched: a list, so that alternatives share their tails. */
type Rest = { readonly node: RegexNode; readonly next: Rest } | undefined;

class CountingSearch {
  steps = 0;
  readonly #codePoints: readonly number[];

  constructor(text: string) {
    this.#codePoints = Array.from(text, (character) => character.codePointAt(0) ?? 0);
  }

  get length(): number {
    return this.#codePoints.length;
  }

  matches(items: readonly RegexNode[], start: number): boolean {
    const untried: { readonly rest: Rest; readonly at: number }[] = [
      { rest: before(items, undefined), at: start },
    ];
    for (let one = untried.pop(); one !== undefined; one = untried.pop()) {
      let { rest, at } = one;
      while (rest !== undefined) {
        const { node, next }: { readonly node: RegexNode; readonly next: Rest } = rest;
        if (node.kind !== "sequence") this.steps++;
        if (node.kind === "set") {
          if (!this.#isIn(node.set ?? [], at)) break;
          at++;
          rest = next;
        } else if (node.kind === "assertion") {
          if (!this.#holds(node.assertion, at)) break;
          rest = next;
        } else if (node.kind === "sequence") {
          rest = before(node.items, next);
        } else if (node.kind === "choice") {
          const [first, ...others] = node.options.map((option) => before([option], next));
          for (const other of others.toReversed()) untried.push({ rest: other, at });
          rest = first;
        } else {
          const more: Rest = before([node.item, oneLess(node)], next);
          if (node.min > 0) rest = more;
          else {
            if (node.max > 0) untried.push({ rest: more, at });
            rest = next;
          }
        }
      }
      if (rest === undefined) return true;
    }
    return false;
  }

  #isIn(set: readonly number[], at: number): boolean {
    const codePoint = this.#codePoints[at];
    if (codePoint === undefined) return false;
    for (let index = 0; index < set.length; index += 2) {
      if ((set[index] ?? 0) <= codePoint && codePoint <= (set[index + 1] ?? 0)) return true;
    }
    return false;
  }

  #holds(assertion: RegexAssertion, at: number): boolean {
    const isBoundary = this.#isWord(at - 1) !== this.#isWord(at);
    switch (assertion) {
      case "textStart":
        return at === 0;
      case "textEnd":
        return at === this.length;
      case "lineStart":
        return at === 0 || this.#codePoints[at - 1] === 10;
      case "lineEnd":
        return at === this.length || this.#codePoints[at] === 10;
      case "wordBoundary":
        return isBoundary;
      case "noWordBoundary":
        return !isBoundary;
    }
  }

  #isWord(at: number): boolean {
    const codePoint = this.#codePoints[at];
    return codePoint !== undefined && /^\w$/.test(String.fromCodePoint(codePoint));
  }
}

function before(items: readonly RegexNode[], next: Rest): Rest {
  return items.reduceRight<Rest>((rest, node) => ({ node, next: rest }), next);
}

function oneLess(node: Extract<RegexNode, { kind: "repeat" }>): RegexNode {
  return { ...node, min: Math.max(0, node.min - 1), max: node.max - 1 };
}
