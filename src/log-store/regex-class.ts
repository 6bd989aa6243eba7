import type { CodePointSet } from "./code-point-set.ts";
import { codePointSet, complementOf, foldAsciiSet, WORD } from "./code-point-set.ts";

/** Thrown while reading what the parser of regular expressions leaves to RE2. */
export class RegexNotUnderstood extends Error {}

/** A set of code points as read, undefined where it is not known, and where the text goes on. */
export interface ReadSet {
  readonly set: CodePointSet | undefined;
  readonly end: number;
}

const DIGIT = [0x30, 0x39];
const SPACE = [0x09, 0x0a, 0x0c, 0x0d, 0x20, 0x20];
const UPPER = [0x41, 0x5a];
const LOWER = [0x61, 0x7a];

const PERL_GROUPS: ReadonlyMap<string, CodePointSet> = new Map([
  ["d", DIGIT],
  ["s", SPACE],
  ["w", WORD],
]);

const POSIX_GROUPS: ReadonlyMap<string, CodePointSet> = new Map([
  ["alnum", [...DIGIT, ...UPPER, ...LOWER]],
  ["alpha", [...UPPER, ...LOWER]],
  ["ascii", [0x00, 0x7f]],
  ["blank", [0x09, 0x09, 0x20, 0x20]],
  ["cntrl", [0x00, 0x1f, 0x7f, 0x7f]],
  ["digit", DIGIT],
  ["graph", [0x21, 0x7e]],
  ["lower", LOWER],
  ["print", [0x20, 0x7e]],
  ["punct", [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e]],
  ["space", [0x09, 0x0d, 0x20, 0x20]],
  ["upper", UPPER],
  ["word", WORD],
  ["xdigit", [...DIGIT, 0x41, 0x46, 0x61, 0x66]],
]);

const CONTROLS: ReadonlyMap<string, number> = new Map([
  ["a", 0x07],
  ["f", 0x0c],
  ["n", 0x0a],
  ["r", 0x0d],
  ["t", 0x09],
  ["v", 0x0b],
]);

const POSIX_GROUP = /\[:(\^?)(\w+):\]/y;
const UNICODE_GROUP = /\\[pP](?:\{\^?\w+\}|\w)/y;
const HEX_ESCAPE = /\\x(?:\{([0-9A-Fa-f]{1,8})\}|([0-9A-Fa-f]{2}))/y;
/** A single digit from 1 to 7 would be a reference to a group, which RE2 has not. */
const OCTAL_ESCAPE = /\\(0[0-7]{0,2}|[1-7][0-7]{1,2})/y;

/** Reads classes and escapes of one regular expression, each from a given offset. */
export class RegexClassReader {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  /** `[...]`, from its bracket on. Errors: `RegexNotUnderstood`. */
  readClass(start: number, anyCase: boolean): ReadSet {
    const source = this.#source;
    const isNegated = source[start + 1] === "^";
    const first = start + (isNegated ? 2 : 1);
    const ranges: number[] = [];
    let isKnown = true;
    let at = first;
    while (at === first || source[at] !== "]") {
      const item = this.#posixGroup(at, anyCase) ?? this.readGroup(at, anyCase);
      const { set, end } = item ?? this.#range(at, anyCase);
      if (set === undefined) isKnown = false;
      else ranges.push(...set);
      at = end;
    }
    const union = codePointSet(ranges);
    const read = isNegated ? complementOf(union) : union;
    return { set: isKnown ? read : undefined, end: at + 1 };
  }

  /** `\d`, `\pL` and their like; undefined where none starts here. */
  readGroup(start: number, anyCase: boolean): ReadSet | undefined {
    if (this.#source[start] !== "\\") return undefined;
    const letter = this.#source[start + 1] ?? "";
    const group = PERL_GROUPS.get(letter.toLowerCase());
    if (group !== undefined) {
      return { set: signed(group, letter < "a", anyCase), end: start + 2 };
    }
    const found = matchAt(UNICODE_GROUP, this.#source, start);
    return found === undefined ? undefined : { set: undefined, end: start + found[0].length };
  }

  /** A character written with a backslash. Errors: `RegexNotUnderstood`. */
  readEscape(start: number): { readonly codePoint: number; readonly end: number } {
    const letter = this.#source[start + 1] ?? "";
    const control = CONTROLS.get(letter);
    if (control !== undefined) return { codePoint: control, end: start + 2 };
    const hex = matchAt(HEX_ESCAPE, this.#source, start);
    if (hex !== undefined) {
      const codePoint = Number.parseInt(hex[1] ?? hex[2], 16);
      return { codePoint: checkCodePoint(codePoint), end: start + hex[0].length };
    }
    const octal = matchAt(OCTAL_ESCAPE, this.#source, start);
    if (octal !== undefined) {
      return { codePoint: Number.parseInt(octal[1], 8), end: start + octal[0].length };
    }
    if (!/^[!-/:-@[-`{-~ ]$/.test(letter)) throw new RegexNotUnderstood();
    return { codePoint: letter.charCodeAt(0), end: start + 2 };
  }

  #posixGroup(start: number, anyCase: boolean): ReadSet | undefined {
    const found = matchAt(POSIX_GROUP, this.#source, start);
    if (found === undefined) return undefined;
    const group = POSIX_GROUPS.get(found[2]);
    if (group === undefined) throw new RegexNotUnderstood();
    return { set: signed(group, found[1] === "^", anyCase), end: start + found[0].length };
  }

  #range(start: number, anyCase: boolean): ReadSet {
    const from = this.#character(start);
    let last = from.codePoint;
    let { end } = from;
    if (this.#source[end] === "-" && this.#source[end + 1] !== "]") {
      const to = this.#character(end + 1);
      last = to.codePoint;
      ({ end } = to);
    }
    if (last < from.codePoint) throw new RegexNotUnderstood();
    const range = [from.codePoint, last];
    return { set: anyCase ? foldAsciiSet(range) : range, end };
  }

  #character(start: number): { readonly codePoint: number; readonly end: number } {
    if (this.#source[start] === "\\") return this.readEscape(start);
    const codePoint = this.#source.codePointAt(start);
    if (codePoint === undefined) throw new RegexNotUnderstood();
    checkCodePoint(codePoint);
    return { codePoint, end: start + (codePoint > 0xffff ? 2 : 1) };
  }
}

/** A group, or all but it. With any case the negation is of every case, as in RE2. */
function signed(group: CodePointSet, isNegated: boolean, anyCase: boolean): CodePointSet {
  const set = codePointSet(group);
  const folded = anyCase ? (foldAsciiSet(set) ?? set) : set;
  return isNegated ? complementOf(folded) : folded;
}

function checkCodePoint(codePoint: number): number {
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (isSurrogate || codePoint > 0x10ffff) throw new RegexNotUnderstood();
  return codePoint;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
