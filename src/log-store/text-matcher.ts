import { assert } from "../core/assert.ts";
import type { TextMatch } from "../core/filter.ts";
import { foldCase, isAscii, isWordUnit } from "../core/text-fold.ts";
import { planRegex } from "./regex-plan.ts";
import type { RegexReach } from "./regex-reach.ts";

/** A `TextMatch` made ready to be asked often. Not to be shared by threads. */
export interface TextMatcher {
  test(text: string): boolean;
  /**
   * Texts that every match holds, in this order and none overlapping another; may be empty. Where
   * `anyCase` is set they may stand there in another case: fold both sides to compare.
   */
  readonly required: readonly string[];
  readonly anyCase: boolean;
  /** Set where the match can be looked for in bytes: see `byte-search.ts`. */
  readonly needle: Needle | undefined;
  /** Finds one match after the other; has flag `g`. Undefined for literals, and where there is none. */
  readonly pattern: RegExp | undefined;
  /** How far a match can reach, where text is cut into clauses. */
  readonly reach: RegexReach;
}

/** A literal as bytes. */
export interface Needle {
  /** UTF-8; folded where `anyCase`. */
  readonly bytes: Uint8Array;
  readonly anyCase: boolean;
  readonly isAscii: boolean;
  /** The byte to the left (right) of a hit must not belong to a word. */
  readonly needsLeftBoundary: boolean;
  readonly needsRightBoundary: boolean;
}

/** Errors: none; the parser has checked regular expressions. */
export function compileTextMatch(match: TextMatch): TextMatcher {
  switch (match.kind) {
    case "regex":
      return { ...planRegex(match.source, match.anyCase), needle: undefined };
    case "literal":
      return new LiteralMatcher(match);
  }
}

class LiteralMatcher implements TextMatcher {
  readonly needle: Needle;
  readonly pattern = undefined;
  readonly reach: RegexReach;
  readonly required: readonly string[];
  readonly anyCase: boolean;
  readonly #text: string;

  constructor(match: Extract<TextMatch, { kind: "literal" }>) {
    assert(match.text !== "", "a literal to be found is empty");
    this.required = [match.text];
    this.anyCase = match.anyCase;
    this.#text = match.anyCase ? foldCase(match.text) : match.text;
    this.reach = /[\n"=]/.test(match.text) ? "text" : "clause";
    const last = this.#text.charCodeAt(this.#text.length - 1);
    this.needle = {
      bytes: new TextEncoder().encode(this.#text),
      anyCase: match.anyCase,
      isAscii: isAscii(this.#text),
      // A boundary means something only beside a character that belongs to a word itself.
      needsLeftBoundary: match.startsAtWord && isWordUnit(this.#text.charCodeAt(0)),
      needsRightBoundary: match.endsAtWord && isWordUnit(last),
    };
  }

  test(text: string): boolean {
    const { anyCase, needsLeftBoundary, needsRightBoundary } = this.needle;
    const searched = anyCase ? foldCase(text) : text;
    const length = this.#text.length;
    let at = searched.indexOf(this.#text);
    while (at >= 0) {
      const isLeft = !needsLeftBoundary || at === 0 || !isWordUnit(searched.charCodeAt(at - 1));
      const end = at + length;
      const isRight =
        !needsRightBoundary || end === searched.length || !isWordUnit(searched.charCodeAt(end));
      if (isLeft && isRight) return true;
      at = searched.indexOf(this.#text, at + 1);
    }
    return false;
  }
}
