import type { Json } from "../core/any-value.ts";
import { parseRows } from "../query/row.ts";
import type { AnswerEnd } from "./log-source.ts";
import type { ShownEntry } from "./render-entry.ts";

/** One row of an answer: an entry, or what pipes made of it. */
export type AnswerRow = { readonly [column: string]: Json };

/** What text mode shows of a row; what is missing or no text is "". */
export function toShownEntry(row: AnswerRow): ShownEntry {
  const message = textOf(row, "message");
  return {
    timestamp: textOf(row, "timestamp"),
    level: textOf(row, "level"),
    node: textOf(row, "node"),
    message: message === "" ? textOf(row, "event_name") : message,
  };
}

function textOf(row: AnswerRow, key: string): string {
  const value = Object.hasOwn(row, key) ? row[key] : undefined;
  return typeof value === "string" ? value : "";
}

/** Rows of whole lines of JSON. */
export function rowsOf(lines: Uint8Array): readonly AnswerRow[] {
  return parseRows(lines);
}

/** An answer read to its end: its lines, each with its "\n", and how it ended. */
export interface WholeAnswer {
  readonly lines: readonly Uint8Array[];
  readonly end: AnswerEnd;
}

const NEWLINE = 0x0a;

/** Reads an answer of known size into memory, as single lines. */
export async function readWhole(
  answer: AsyncGenerator<Uint8Array, AnswerEnd>,
): Promise<WholeAnswer> {
  const lines: Uint8Array[] = [];
  let next = await answer.next();
  while (next.done !== true) {
    lines.push(...splitLines(next.value));
    next = await answer.next();
  }
  return { lines, end: next.value };
}

function* splitLines(chunk: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
    yield chunk.subarray(start, end + 1);
    start = end + 1;
  }
}

/** Hands an answer's lines on and gives its end to `onEnd`, for loops, which do not see it. */
export async function* withEnd(
  answer: AsyncGenerator<Uint8Array, AnswerEnd>,
  onEnd: (end: AnswerEnd) => void,
): AsyncGenerator<Uint8Array, void> {
  onEnd(yield* answer);
}
