import { pipeline, Readable } from "node:stream";
import { format } from "fast-csv";
import type { Json } from "../core/any-value.ts";
import { LOG_ENTRY_KEYS } from "../core/entry.ts";
import type { Row } from "./row.ts";
import { ownValue, parseRows } from "./row.ts";

export interface CsvOptions {
  /** Cells as they are, without the guard against formulas (SEC-011). */
  readonly raw?: boolean;
  /**
   * The columns; without them those of a log entry, or the first row's keys. An answer without rows
   * has a header only if they are given.
   */
  readonly columns?: readonly string[];
}

/** Bytes that are gathered before they are handed on: rows are small. */
const CHUNK_BYTES = 64 * 1024;

const ROW_END = "\r\n";

/** With these a spreadsheet takes a cell for a formula (OWASP ASVS 5.0, 1.2.10; SEC-011). */
const FORMULA_START = /^[=+\-@\t\r\0]/;

/**
 * CSV of RFC 4180: a header, CRLF, quotes where needed. Lists and objects are JSON in a cell.
 *
 * Pitfalls: a text that a spreadsheet would run as a formula gets a `'` before it, also in the
 * header, unless `raw`; numbers do not. NUL characters are left out.
 */
export async function* exportCsv(
  lines: AsyncIterable<Uint8Array>,
  options: CsvOptions,
): AsyncGenerator<Uint8Array, void> {
  const formatter = format<string[], string[]>({
    headers: false,
    rowDelimiter: ROW_END,
  });
  const cells = Readable.from(readCells(lines, options), { highWaterMark: 1000 });
  // A failure of the source reaches the loop below, because it destroys the formatter.
  pipeline(cells, formatter, () => {});
  yield* gather(formatter);
}

async function* readCells(
  lines: AsyncIterable<Uint8Array>,
  { raw = false, columns }: CsvOptions,
): AsyncGenerator<string[], void> {
  let known = columns;
  if (known !== undefined) yield header(known, raw);
  for await (const chunk of lines) {
    for (const row of parseRows(chunk)) {
      if (known === undefined) {
        known = columnsOf(row);
        yield header(known, raw);
      }
      yield known.map((name) => printCell(ownValue(row, name), raw));
    }
  }
}

/** A log entry's columns are fixed, because the optional `body` may come with a later entry. */
function columnsOf(row: Row): readonly string[] {
  const isLogEntry = LOG_ENTRY_KEYS.every((key) => Object.hasOwn(row, key));
  return isLogEntry ? LOG_ENTRY_KEYS : Object.keys(row);
}

function header(columns: readonly string[], raw: boolean): string[] {
  return columns.map((name) => printCell(name, raw));
}

function printCell(value: Json | undefined, raw: boolean): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value !== "string") return String(value);
  return !raw && FORMULA_START.test(value) ? `'${value}` : value;
}

async function* gather(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isEmpty = true;
  for await (const chunk of chunks) {
    isEmpty = false;
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < CHUNK_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    heldBytes = 0;
  }
  // The formatter ends rows with the next one; an answer without rows and header stays empty.
  if (!isEmpty) yield Buffer.concat([...held, Buffer.from(ROW_END)]);
}
