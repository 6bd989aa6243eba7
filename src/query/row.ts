import type { Json } from "../core/any-value.ts";
import { BATCH_ENTRIES_MAX } from "../log-store/log-store.ts";

/** One line of output, parsed: an entry, or what pipes made of it. */
export interface Row {
  readonly [key: string]: Json;
}

/** Rows on their way through the pipes. */
export interface RowBatch {
  readonly rows: readonly Row[];
  /** Names the last row's entry, where every row still stands for one in the store's order. */
  readonly cursor?: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Parses whole lines of JSON, each one object. */
export function parseRows(lines: Uint8Array): readonly Row[] {
  const rows: Row[] = [];
  for (const line of decoder.decode(lines).split("\n")) {
    if (line !== "") rows.push(parseRow(line));
  }
  return rows;
}

function parseRow(line: string): Row {
  const value: unknown = JSON.parse(line);
  if (!isRow(value)) throw new TypeError(`not a line of output: ${line.slice(0, 100)}`);
  return value;
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Rows as JSON Lines. */
export function printRows(rows: readonly Row[]): Uint8Array {
  return encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
}

/** A row with these columns, in their order; `__proto__` is a column like any other. */
export function makeRow(columns: Iterable<readonly [string, Json]>): Row {
  return Object.fromEntries(columns);
}

/** Rows in batches of the size that a search gives. */
export function* batchRows(rows: readonly Row[]): Generator<RowBatch> {
  for (let start = 0; start < rows.length; start += BATCH_ENTRIES_MAX) {
    yield { rows: rows.slice(start, start + BATCH_ENTRIES_MAX) };
  }
}

/** The value of a row's own key; undefined where it has none. */
export function ownValue(row: Row, key: string): Json | undefined {
  return Object.hasOwn(row, key) ? row[key] : undefined;
}

/** An object as a row, for looking into `attributes`; undefined for any other value. */
export function asRow(value: Json | undefined): Row | undefined {
  return isRow(value) ? value : undefined;
}
