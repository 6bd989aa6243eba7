import type { AppError } from "../core/errors.ts";
import { QUERY_BYTES_MAX, QUERY_NESTING_MAX, REGEX_COUNT_MAX, REGEX_LENGTH_MAX } from "./limits.ts";
import { checkRegex } from "./regex-check.ts";
import { syntaxError } from "./syntax-error.ts";

/**
 * What stands between spaces in a term or a value: `"Node "*` is a quoted piece and a star.
 * `text` is unescaped and without quotes.
 */
export interface Piece {
  readonly kind: "star" | "bare" | "quoted" | "exact";
  readonly text: string;
  readonly position: number;
}

export interface WrittenRegex {
  readonly source: string;
  readonly anyCase: boolean;
  readonly position: number;
}

const NAME = /[A-Za-z_][A-Za-z0-9_.\-/]*/y;
const KEYWORD = /(?:AND|OR|NOT)(?=[\s()"|]|$)/y;
const SPACE = /\s*/y;
const BARE = /[^\s()"|*]+/y;
/** In a list a comma ends a value, so that `(a, b)` gets an answer about commas. */
const BARE_IN_LIST = /[^\s()"|*,]+/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ["\\", "\\"],
  ["n", "\n"],
  ["t", "\t"],
]);

/**
 * Reads a query's text from left to right, as the parsers ask. There is no list of tokens, because
 * what a character means depends on where it stands (`-`, `/`, `>`).
 */
export class Scanner {
  readonly text: string;
  /** Offset of the next character, in UTF-16 units. */
  position = 0;
  #regexCount = 0;

  constructor(text: string) {
    this.text = text;
    const bytes = Buffer.byteLength(text);
    if (bytes > QUERY_BYTES_MAX) {
      throw this.error(
        `the query has ${bytes} bytes, more than the ${QUERY_BYTES_MAX} allowed: leave out a part`,
        0,
      );
    }
  }

  /** An error at `position`, to be thrown. */
  error(message: string, position: number = this.position): AppError {
    return syntaxError(this.text, position, message);
  }

  /** Throws where something is nested too deeply. */
  checkNesting(depth: number): void {
    if (depth <= QUERY_NESTING_MAX) return;
    throw this.error(`nested more than ${QUERY_NESTING_MAX} deep: leave out parentheses`);
  }

  get isAtEnd(): boolean {
    return this.position >= this.text.length;
  }

  startsWith(token: string): boolean {
    return this.text.startsWith(token, this.position);
  }

  skipSpace(): void {
    this.#match(SPACE);
  }

  /** Takes `token` if it comes next. */
  accept(token: string): boolean {
    if (!this.startsWith(token)) return false;
    this.position += token.length;
    return true;
  }

  /** `AND`, `OR` or `NOT` if it comes next, not taken. */
  peekKeyword(): string | undefined {
    const before = this.position;
    const keyword = this.#match(KEYWORD);
    this.position = before;
    return keyword;
  }

  acceptKeyword(keyword: "AND" | "OR" | "NOT"): boolean {
    if (this.peekKeyword() !== keyword) return false;
    this.position += keyword.length;
    return true;
  }

  /** Takes a name such as `http.status`, or nothing. */
  readName(): string | undefined {
    return this.#match(NAME);
  }

  /** Takes what `pattern` (sticky) matches here, or nothing. */
  read(pattern: RegExp): string | undefined {
    return this.#match(pattern);
  }

  /** The run of characters here up to the next space, for error messages; not taken. */
  peekRun(): string {
    const run = /^[^\s|]*/.exec(this.text.slice(this.position))?.[0] ?? "";
    return run.length > 40 ? `${run.slice(0, 40)}...` : run;
  }

  /** Takes everything up to the next space, parenthesis or pipe: stars, quoted and bare pieces. */
  readPieces(isInList: boolean): readonly Piece[] {
    const pieces: Piece[] = [];
    for (;;) {
      const piece = this.#readPiece(isInList ? BARE_IN_LIST : BARE);
      if (piece === undefined) return pieces;
      pieces.push(piece);
    }
  }

  #readPiece(bare: RegExp): Piece | undefined {
    const position = this.position;
    if (this.startsWith('"')) return { kind: "quoted", text: this.readQuoted(), position };
    if (this.startsWith("'")) return { kind: "exact", text: this.readQuoted(), position };
    if (this.accept("*")) return { kind: "star", text: "*", position };
    const text = this.#match(bare);
    return text === undefined ? undefined : { kind: "bare", text, position };
  }

  /** Takes a quoted text; the next character is its quote. */
  readQuoted(): string {
    const opening = this.position;
    const quote = this.text[opening];
    this.position++;
    let text = "";
    while (!this.isAtEnd) {
      const character = this.text[this.position];
      if (character === quote) {
        this.position++;
        return text;
      }
      text += character === "\\" ? this.#readEscape() : character;
      if (character !== "\\") this.position++;
    }
    throw this.error(`this quote is never closed: add ${quote} where the text ends`, opening);
  }

  #readEscape(): string {
    const next = this.text[this.position + 1] ?? "";
    const meaning = ESCAPES.get(next);
    if (meaning === undefined) {
      throw this.error(
        `"\\${next}" means nothing in quotes: write \\\\ for a backslash (also \\", \\', \\n, \\t)`,
      );
    }
    this.position += 2;
    return meaning;
  }

  /** Takes `/source/` or `/source/i`, checked; the next character is its first slash. */
  readRegex(): WrittenRegex {
    const position = this.position;
    this.position++;
    const source = this.#readRegexSource(position);
    const flags = this.#match(BARE) ?? "";
    if (flags !== "" && flags !== "i") {
      const whole = this.text.slice(position, this.position);
      throw this.error(
        `a regular expression ends in / or /i, here comes "${flags}": to search for the text itself, write "${whole}" in quotes`,
        this.position - flags.length,
      );
    }
    if (source.length > REGEX_LENGTH_MAX) {
      throw this.error(
        `this regular expression has ${source.length} characters, more than the ${REGEX_LENGTH_MAX} allowed`,
        position,
      );
    }
    if (++this.#regexCount > REGEX_COUNT_MAX) {
      throw this.error(
        `a query may hold ${REGEX_COUNT_MAX} regular expressions: join some with |, as in /a|b/`,
        position,
      );
    }
    const fault = checkRegex(source, flags === "i");
    if (fault !== undefined) throw this.error(fault.message, position + 1 + fault.offset);
    return { source, anyCase: flags === "i", position };
  }

  #readRegexSource(opening: number): string {
    let source = "";
    while (!this.isAtEnd) {
      const character = this.text[this.position++];
      if (character === "/") {
        if (source !== "") return source;
        throw this.error(
          'an empty regular expression matches everything: to search for a text with slashes, quote it, as in "http://example.org"',
          opening,
        );
      }
      if (character !== "\\") {
        source += character;
        continue;
      }
      const escaped = this.text[this.position++] ?? "";
      source += escaped === "/" ? "/" : `\\${escaped}`;
    }
    throw this.error(
      'this regular expression has no closing "/": to search for a text with slashes, quote it, as in "/dev/video0"',
      opening,
    );
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }
}
