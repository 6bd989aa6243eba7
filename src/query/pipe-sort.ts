import type { Json } from "../core/any-value.ts";
import { AppError } from "../core/errors.ts";
import { severityBandOf } from "../core/severity.ts";
import type { Column } from "./column.ts";
import { columnName, columnValue, printColumn, readColumn } from "./column.ts";
import { acceptComma, acceptWord } from "./group-key.ts";
import { SORT_ENTRIES_MAX } from "./limits.ts";
import type { RowLimits, RowPipeSpec } from "./pipe.ts";
import type { Row, RowBatch } from "./row.ts";
import { asRow, batchRows, ownValue } from "./row.ts";

/** `sort latency_ms desc, node`: equal rows stay in the order in which they came. */
export interface SortPipe {
  readonly kind: "sort";
  readonly keys: readonly SortKey[];
}

interface SortKey {
  readonly column: Column;
  readonly isDescending: boolean;
}

export const sortPipe: RowPipeSpec<SortPipe> = {
  keyword: "sort",
  usage: "sort FIELD desc",
  parse(scanner, known) {
    const keys: SortKey[] = [];
    // "sort by" is what other languages write.
    scanner.read(/\s*by(?=\s)/y);
    do {
      const column = readColumn(scanner, known);
      scanner.skipSpace();
      const isDescending = acceptWord(scanner, "desc");
      if (!isDescending) acceptWord(scanner, "asc");
      keys.push({ column, isDescending });
    } while (acceptComma(scanner));
    return { kind: "sort", keys };
  },
  print: ({ keys }) => `sort ${keys.map(printKey).join(", ")}`,
  columns: (_, known) => known,
  run: ({ keys }, batches, limits) => sortRows(keys, batches, limits),
};

function printKey({ column, isDescending }: SortKey): string {
  return printColumn(column) + (isDescending ? " desc" : "");
}

/** A row and its values of the sort keys, read once. */
interface KeyedRow {
  readonly row: Row;
  readonly values: readonly SortValue[];
}

/** Numbers, and texts that are numbers, come before other texts; what is absent comes last. */
type SortValue = number | string | undefined;

async function* sortRows(
  keys: readonly SortKey[],
  batches: AsyncIterable<RowBatch>,
  limits: RowLimits,
): AsyncGenerator<RowBatch, void> {
  let held: KeyedRow[] = [];
  let heldBytes = 0;
  const order = (a: KeyedRow, b: KeyedRow): number => compareRows(keys, a, b);
  for await (const { rows } of batches) {
    for (const row of rows) {
      held.push({ row, values: keys.map(({ column }) => sortValue(column, row)) });
      heldBytes += sizeOf(row);
    }
    // With a limit behind it only the first rows matter, however many come.
    if (limits.taken !== undefined && held.length > 2 * limits.taken) {
      held = held.sort(order).slice(0, limits.taken);
      heldBytes = held.reduce((sum, { row }) => sum + sizeOf(row), 0);
    }
    checkHeld(held.length, heldBytes, limits);
  }
  yield* batchRows(held.sort(order).map(({ row }) => row));
}

function checkHeld(count: number, bytes: number, limits: RowLimits): void {
  if (count <= SORT_ENTRIES_MAX && bytes <= limits.memoryBytes) return;
  const what =
    count > SORT_ENTRIES_MAX ? `${SORT_ENTRIES_MAX} entries` : `${limits.memoryBytes} bytes`;
  throw new AppError(
    "QUERY_TOO_LARGE",
    `sort holds ${what} at the most, and more match: narrow the filter or the time range, or put "| limit N" behind sort`,
  );
}

/** Bytes that a row takes while it is held, near enough: two a character, and its objects. */
function sizeOf(value: Json): number {
  if (typeof value === "string") return 2 * value.length + 16;
  if (typeof value !== "object" || value === null) return 8;
  let bytes = 64;
  for (const [key, part] of Object.entries(value)) bytes += 2 * key.length + sizeOf(part);
  return bytes;
}

function sortValue(column: Column, row: Row): SortValue {
  const value = columnValue(column, row);
  if (value === null || value === "") return undefined;
  if (columnName(column) === "level") return levelRank(value, row);
  if (typeof value === "number") return value;
  if (typeof value !== "string") return JSON.stringify(value);
  return isNumberText(value) ? Number(value) : value;
}

/** Levels sort by severity: by the exact number in an entry, by the band in a group. */
function levelRank(value: Json, row: Row): SortValue {
  const exact = asRow(row) === undefined ? undefined : ownValue(row, "severity_number");
  if (typeof exact === "number") return exact;
  return typeof value === "string" ? (severityBandOf(value)?.min ?? 0) : undefined;
}

function isNumberText(text: string): boolean {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text);
}

function compareRows(keys: readonly SortKey[], a: KeyedRow, b: KeyedRow): number {
  for (const [index, { isDescending }] of keys.entries()) {
    const order = compareValues(a.values[index], b.values[index], isDescending);
    if (order !== 0) return order;
  }
  return 0;
}

function compareValues(a: SortValue, b: SortValue, isDescending: boolean): number {
  if (a === b) return 0;
  // Absent values come last in either direction.
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  const order = typeof a === typeof b ? (a < b ? -1 : 1) : typeof a === "number" ? -1 : 1;
  return isDescending ? -order : order;
}
