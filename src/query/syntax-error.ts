import { AppError } from "../core/errors.ts";
import { nearestName } from "../core/nearest-name.ts";

/** Characters of the query that an error shows, so that the caret fits a terminal's line. */
const SHOWN_CHARACTERS_MAX = 72;

/**
 * A `QUERY_SYNTAX` error: the message, the query, and a caret under the character at `position`
 * (an offset in UTF-16 units).
 */
export function syntaxError(query: string, position: number, message: string): AppError {
  const before = Array.from(query.slice(0, position));
  const after = Array.from(query.slice(position));
  const hidden = Math.max(0, before.length - SHOWN_CHARACTERS_MAX / 2);
  const start = (hidden > 0 ? "..." : "") + before.slice(hidden).join("");
  const room = SHOWN_CHARACTERS_MAX - (before.length - hidden);
  const end = after.slice(0, room).join("") + (after.length > room ? "..." : "");
  const shown = oneLine(start + end);
  const caret = " ".repeat(Array.from(start).length);
  return new AppError("QUERY_SYNTAX", `${message}\n  ${shown}\n  ${caret}^`, { position });
}

/** Line breaks and other control characters would part the caret from its character. */
function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, " ");
}

/** ` (did you mean "x"?)` with the candidate nearest to what was typed, or "" where none is near. */
export function didYouMean(typed: string, candidates: readonly string[]): string {
  const near = nearestName(typed, candidates);
  return near === undefined ? "" : ` (did you mean "${near}"?)`;
}
