import type { CodePointSet } from "./code-point-set.ts";
import { EVERY_BUT_NEWLINE, EVERY_CODE_POINT, foldAsciiSet } from "./code-point-set.ts";
import { RegexClassReader, RegexNotUnderstood } from "./regex-class.ts";

/**
 * A regular expression as a tree that says which texts match, and no more: what a group captures
 * and whether a repeat is greedy make no difference to that.
 */
export type RegexNode =
  /** One code point; where `set` is undefined it is not known which. */
  | { readonly kind: "set"; readonly set: CodePointSet | undefined }
  | { readonly kind: "assertion"; readonly assertion: RegexAssertion }
  | { readonly kind: "sequence"; readonly items: readonly RegexNode[] }
  | { readonly kind: "choice"; readonly options: readonly RegexNode[] }
  /** `max` is Infinity where there is none. */
  | {
      readonly kind: "repeat";
      readonly item: RegexNode;
      readonly min: number;
      readonly max: number;
    };

export type RegexAssertion =
  | "textStart"
  | "textEnd"
  | "lineStart"
  | "lineEnd"
  | "wordBoundary"
  | "noWordBoundary";

const NESTING_MAX = 100;
const REPEAT_MAX = 1000;
const REPEAT_COUNTS = /\{(0|[1-9]\d{0,3})(,(0|[1-9]\d{0,3})?)?\}/y;
const GROUP_NAME = /\(\?P?<\w+>/y;
const GROUP_FLAGS = /\(\?([imsU]*)(?:-([imsU]+))?([:)])/y;

interface Flags {
  readonly anyCase: boolean;
  readonly isMultiline: boolean;
  readonly dotIsAll: boolean;
}

/**
 * Reads a regular expression that RE2 accepts; undefined for what is not understood here, which the
 * caller must leave to RE2.
 *
 * Source: https://github.com/google/re2/wiki/Syntax
 */
export function parseRegex(source: string, anyCase: boolean): RegexNode | undefined {
  try {
    return new RegexParser(source, anyCase).parse();
  } catch (error) {
    if (error instanceof RegexNotUnderstood) return undefined;
    throw error;
  }
}

class RegexParser {
  readonly #source: string;
  readonly #classes: RegexClassReader;
  #at = 0;
  #flags: Flags;

  constructor(source: string, anyCase: boolean) {
    this.#source = source;
    this.#classes = new RegexClassReader(source);
    this.#flags = { anyCase, isMultiline: false, dotIsAll: false };
  }

  parse(): RegexNode {
    const root = this.#choice(0);
    if (this.#at < this.#source.length) throw new RegexNotUnderstood();
    return root;
  }

  /** Up to a closing parenthesis or the end; flags set inside end with it. */
  #choice(depth: number): RegexNode {
    if (depth > NESTING_MAX) throw new RegexNotUnderstood();
    const flags = this.#flags;
    const options = [this.#sequence(depth)];
    while (this.#accept("|")) options.push(this.#sequence(depth));
    this.#flags = flags;
    return options.length === 1 ? options[0] : { kind: "choice", options };
  }

  #sequence(depth: number): RegexNode {
    const items: RegexNode[] = [];
    while (this.#at < this.#source.length && !this.#isNext("|") && !this.#isNext(")")) {
      const atoms = this.#atoms(depth);
      const last = atoms.pop();
      items.push(...atoms);
      if (last === undefined) this.#refuseRepeat();
      else items.push(this.#repeated(last));
    }
    return items.length === 1 ? items[0] : { kind: "sequence", items };
  }

  /** What stands next, of which a repeat takes the last: one, or those of `\Q...\E`. */
  #atoms(depth: number): RegexNode[] {
    if (this.#isNext("(")) return this.#group(depth);
    if (this.#isNext("[")) return [this.#class()];
    if (this.#accept(".")) {
      return [set(this.#flags.dotIsAll ? EVERY_CODE_POINT : EVERY_BUT_NEWLINE)];
    }
    if (this.#accept("^")) {
      return [assertion(this.#flags.isMultiline ? "lineStart" : "textStart")];
    }
    if (this.#accept("$")) return [assertion(this.#flags.isMultiline ? "lineEnd" : "textEnd")];
    if (this.#isNext("\\")) return this.#escape();
    if (this.#isNext("*") || this.#isNext("+") || this.#isNext("?")) throw new RegexNotUnderstood();
    return [this.#character(this.#take())];
  }

  /** A group, or flags alone, which give no node. */
  #group(depth: number): RegexNode[] {
    if (!this.#source.startsWith("(?", this.#at)) this.#at++;
    else if (this.#match(GROUP_NAME) === undefined) {
      const found = this.#match(GROUP_FLAGS);
      if (found === undefined) throw new RegexNotUnderstood();
      const [, on = "", off = "", end] = found;
      const outer = this.#flags;
      this.#flags = {
        anyCase: (outer.anyCase || on.includes("i")) && !off.includes("i"),
        isMultiline: (outer.isMultiline || on.includes("m")) && !off.includes("m"),
        dotIsAll: (outer.dotIsAll || on.includes("s")) && !off.includes("s"),
      };
      if (end === ")") return [];
      const item = this.#groupBody(depth);
      this.#flags = outer;
      return [item];
    }
    return [this.#groupBody(depth)];
  }

  #groupBody(depth: number): RegexNode {
    const item = this.#choice(depth + 1);
    if (!this.#accept(")")) throw new RegexNotUnderstood();
    return item;
  }

  #class(): RegexNode {
    const { set: read, end } = this.#classes.readClass(this.#at, this.#flags.anyCase);
    this.#at = end;
    return { kind: "set", set: read };
  }

  #escape(): RegexNode[] {
    const letter = this.#source[this.#at + 1];
    switch (letter) {
      case "A":
        this.#at += 2;
        return [assertion("textStart")];
      case "z":
        this.#at += 2;
        return [assertion("textEnd")];
      case "b":
        this.#at += 2;
        return [assertion("wordBoundary")];
      case "B":
        this.#at += 2;
        return [assertion("noWordBoundary")];
      case "Q":
        return this.#quoted();
      default: {
        const { anyCase } = this.#flags;
        const group = this.#classes.readGroup(this.#at, anyCase);
        if (group !== undefined) {
          this.#at = group.end;
          return [{ kind: "set", set: group.set }];
        }
        const { codePoint, end } = this.#classes.readEscape(this.#at);
        this.#at = end;
        return [this.#character(codePoint)];
      }
    }
  }

  #quoted(): RegexNode[] {
    const found = this.#source.indexOf("\\E", this.#at + 2);
    const end = found < 0 ? this.#source.length : found;
    const text = this.#source.slice(this.#at + 2, end);
    this.#at = Math.min(this.#source.length, end + 2);
    return Array.from(text, (character) => this.#character(character.codePointAt(0) ?? 0));
  }

  #character(codePoint: number): RegexNode {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) throw new RegexNotUnderstood();
    const one = [codePoint, codePoint];
    return { kind: "set", set: this.#flags.anyCase ? foldAsciiSet(one) : one };
  }

  #repeated(item: RegexNode): RegexNode {
    const counts = this.#counts();
    if (counts === undefined) return item;
    this.#accept("?");
    this.#refuseRepeat();
    return { kind: "repeat", item, ...counts };
  }

  #counts(): { readonly min: number; readonly max: number } | undefined {
    if (this.#accept("*")) return { min: 0, max: Infinity };
    if (this.#accept("+")) return { min: 1, max: Infinity };
    if (this.#accept("?")) return { min: 0, max: 1 };
    // A brace that counts nothing is a character.
    const found = this.#match(REPEAT_COUNTS);
    if (found === undefined) return undefined;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === undefined ? Infinity : Number(found[3]);
    if (min > REPEAT_MAX || (max !== Infinity && (max > REPEAT_MAX || max < min))) {
      throw new RegexNotUnderstood();
    }
    return { min, max };
  }

  /** A repeat of a repeat, of flags or of nothing. */
  #refuseRepeat(): void {
    if (this.#counts() !== undefined) throw new RegexNotUnderstood();
  }

  #take(): number {
    const codePoint = this.#source.codePointAt(this.#at) ?? 0;
    this.#at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (found === null) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }

  #isNext(character: string): boolean {
    return this.#source.startsWith(character, this.#at);
  }

  #accept(character: string): boolean {
    if (!this.#isNext(character)) return false;
    this.#at += character.length;
    return true;
  }
}

function set(codePoints: CodePointSet): RegexNode {
  return { kind: "set", set: codePoints };
}

function assertion(kind: RegexAssertion): RegexNode {
  return { kind: "assertion", assertion: kind };
}

/** Whether it holds of all sets in a tree. */
export function everySet(
  node: RegexNode,
  holds: (set: CodePointSet | undefined) => boolean,
): boolean {
  switch (node.kind) {
    case "set":
      return holds(node.set);
    case "assertion":
      return true;
    case "sequence":
      return node.items.every((item) => everySet(item, holds));
    case "choice":
      return node.options.every((option) => everySet(option, holds));
    case "repeat":
      return everySet(node.item, holds);
  }
}
