import type { TextMatch } from "../core/filter.ts";
import { isWordUnit } from "../core/text-fold.ts";
import type { Piece, Scanner } from "./lexer.ts";

/** A value between spaces, without the pieces of another value: `conn*`, `"Node "*`, `*'Tion'*`. */
export interface WrittenValue {
  readonly pieces: readonly Piece[];
  /** Offset of its first character. */
  readonly position: number;
}

/** Whether it is stars alone. */
export function isWildcard(value: WrittenValue): boolean {
  return value.pieces.every((piece) => piece.kind === "star");
}

/** Whether it holds a star outside quotes. */
export function hasStar(value: WrittenValue): boolean {
  return value.pieces.some((piece) => piece.kind === "star");
}

/** Whether it is written in single quotes, which ask for the exact case. */
export function isExactCase(value: WrittenValue): boolean {
  return value.pieces.some((piece) => piece.kind === "exact");
}

/** The text of all pieces, stars included. */
export function writtenText(value: WrittenValue): string {
  return value.pieces.map((piece) => piece.text).join("");
}

/**
 * Reads a value as text to be found inside a longer text: whole words, save at an end with a star.
 *
 * A boundary is asked for only where the text has a word character at that end: `[INFO]` is found
 * wherever it stands.
 */
export function readTextMatch(scanner: Scanner, value: WrittenValue): TextMatch {
  const { pieces } = value;
  const texts = pieces.filter((piece) => piece.kind !== "star");
  const first = texts[0];
  if (first.text === "") {
    throw scanner.error("an empty text matches nothing: write * for everything", first.position);
  }
  if (texts.length > 1) throw refuseSeveral(scanner, value, texts[1]);
  return {
    kind: "literal",
    text: first.text,
    anyCase: first.kind !== "exact",
    startsAtWord: pieces[0] === first && isWordUnit(first.text.charCodeAt(0)),
    endsAtWord: pieces.at(-1) === first && isWordUnit(first.text.charCodeAt(first.text.length - 1)),
  };
}

function refuseSeveral(scanner: Scanner, value: WrittenValue, second: Piece): Error {
  if (!hasStar(value)) {
    return scanner.error("put a space between two terms, or quote the whole text", second.position);
  }
  const expression = value.pieces
    .map((piece) => (piece.kind === "star" ? ".*" : escapeRegex(piece.text)))
    .join("");
  const star = value.pieces.find(
    (piece) =>
      piece.kind === "star" && piece.position < second.position && piece !== value.pieces[0],
  );
  return scanner.error(
    `a * may stand at the start or the end of a word, not inside: write a regular expression, as in /${expression.replaceAll("/", "\\/")}/i`,
    star?.position ?? second.position,
  );
}

/** A text with the characters escaped that mean something in a regular expression. */
export function escapeRegex(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
