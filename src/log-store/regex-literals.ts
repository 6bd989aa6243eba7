import type { CodePointSet } from "./code-point-set.ts";
import { foldAsciiSet } from "./code-point-set.ts";
import type { RegexNode } from "./regex-syntax.ts";

export interface RequiredLiterals {
  /** In the order in which they stand in every match, none overlapping another; never empty. */
  readonly literals: readonly string[];
  /** Whether they may stand there in another case. */
  readonly anyCase: boolean;
}

interface Literal {
  readonly text: string;
  readonly anyCase: boolean;
}

const EMPTY: Literal = { text: "", anyCase: false };

/** Shorter literals occur everywhere; they count only where there is nothing better. */
const USEFUL_LENGTH_MIN = 3;
const LENGTH_MAX = 256;

/**
 * The texts that every match holds. It may miss some, and never gives one too many.
 *
 * Shape: literals of three characters and more, or else the longest one.
 */
export function findRequiredLiterals(root: RegexNode): RequiredLiterals {
  const collector = new LiteralCollector();
  collector.add(root);
  const found = collector.finish();
  const useful = found.filter(({ text }) => text.length >= USEFUL_LENGTH_MIN);
  const longest = found.toSorted((left, right) => right.text.length - left.text.length);
  const chosen = useful.length > 0 ? useful : longest.slice(0, 1);
  return {
    literals: chosen.map(({ text }) => text),
    anyCase: chosen.some(({ anyCase }) => anyCase),
  };
}

/** Walks a tree in the order of its text and joins what stands side by side. */
class LiteralCollector {
  readonly #found: Literal[] = [];
  #run = EMPTY;

  add(node: RegexNode): void {
    switch (node.kind) {
      case "set": {
        const literal = literalOf(node.set);
        if (literal === undefined) this.#end();
        else this.#append(literal);
        return;
      }
      case "assertion":
        return;
      case "sequence":
        for (const item of node.items) this.add(item);
        return;
      case "choice":
        this.#addChoice(node.options);
        return;
      case "repeat":
        this.#addRepeat(node);
    }
  }

  finish(): readonly Literal[] {
    this.#end();
    return this.#found;
  }

  /** Options that are plain text may begin and end alike. */
  #addChoice(options: readonly RegexNode[]): void {
    const literals = options.map(plainText);
    const texts = literals.map((literal) => literal?.text);
    const first = texts[0];
    if (first === undefined || texts.includes(undefined)) {
      this.#end();
      return;
    }
    const anyCase = literals.some((literal) => literal?.anyCase === true);
    const known = texts.filter((text) => text !== undefined);
    const prefix = commonPrefix(known);
    this.#append({ text: prefix, anyCase });
    if (known.every((text) => text === first)) return;
    this.#end();
    const rests = known.map((text) => reversed(text.slice(prefix.length)));
    this.#append({ text: reversed(commonPrefix(rests)), anyCase });
  }

  #addRepeat({ item, min, max }: Extract<RegexNode, { kind: "repeat" }>): void {
    const literal = plainText(item);
    if (min > 0 && literal !== undefined && literal.text.length * min <= LENGTH_MAX) {
      this.#append({ text: literal.text.repeat(min), anyCase: literal.anyCase });
      if (max > min) this.#end();
      return;
    }
    this.#end();
    if (min === 0) return;
    this.add(item);
    this.#end();
  }

  #append(literal: Literal): void {
    this.#run = join(this.#run, literal);
  }

  #end(): void {
    if (this.#run.text !== "") this.#found.push(this.#run);
    this.#run = EMPTY;
  }
}

/** The one text that a node matches; undefined where there are several. */
function plainText(node: RegexNode): Literal | undefined {
  if (node.kind === "set") return literalOf(node.set);
  if (node.kind !== "sequence") return undefined;
  let text = EMPTY;
  for (const item of node.items) {
    const literal = plainText(item);
    if (literal === undefined) return undefined;
    text = join(text, literal);
  }
  return text;
}

/** The character that a set of one, or of one letter's cases, stands for. */
function literalOf(set: CodePointSet | undefined): Literal | undefined {
  if (set === undefined || set.length === 0) return undefined;
  if (set.length === 2 && set[0] === set[1]) {
    return { text: String.fromCodePoint(set[0]), anyCase: false };
  }
  const lower = set[2];
  const cases = lower === undefined || lower < 0x61 ? undefined : foldAsciiSet([lower, lower]);
  const isLetter = cases?.length === set.length && cases.every((edge, at) => edge === set[at]);
  return isLetter ? { text: String.fromCodePoint(lower), anyCase: true } : undefined;
}

function join(left: Literal, right: Literal): Literal {
  return { text: left.text + right.text, anyCase: left.anyCase || right.anyCase };
}

function commonPrefix(texts: readonly string[]): string {
  const [first, ...others] = texts.map((text) => Array.from(text));
  if (first === undefined) return "";
  const end = first.findIndex((character, at) => others.some((text) => text[at] !== character));
  return first.slice(0, end < 0 ? first.length : end).join("");
}

function reversed(text: string): string {
  return Array.from(text).reverse().join("");
}
