import type { Json } from "../core/any-value.ts";
import type { Piece } from "./output.ts";
import { cleanLine, displayWidth } from "./terminal-text.ts";

/** One row: the columns in the order in which they are shown. */
export type TableRow = { readonly [column: string]: Json };

/** Cells of a column at the most; a longer one ends in "...". */
const CELL_WIDTH_MAX = 120;

/**
 * Rows as a table: a line of titles, numbers to the right, text to the left.
 *
 *     +------+-------+
 *     | node | count |
 *     +------+-------+
 *     | cam  |    12 |
 *     +------+-------+
 */
export function renderTable(rows: readonly TableRow[]): readonly (readonly Piece[])[] {
  const columns = columnsOf(rows);
  if (columns.length === 0) return [];
  const titles = columns.map(cleanLine);
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])));
  const widths = titles.map((title, index) =>
    cells.reduce((width, row) => Math.max(width, displayWidth(row[index])), displayWidth(title)),
  );
  const isNumeric = columns.map((column) =>
    rows.every((row) => row[column] === undefined || typeof row[column] === "number"),
  );
  const rule = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+`;
  const line = (texts: readonly string[]): string =>
    `|${texts.map((text, index) => ` ${pad(text, widths[index], isNumeric[index])} |`).join("")}`;
  return [[rule], [line(titles)], [rule], ...cells.map((row) => [line(row)]), [rule]];
}

/** All columns, those of the first row first. */
function columnsOf(rows: readonly TableRow[]): readonly string[] {
  const columns = new Set<string>();
  for (const row of rows) for (const column of Object.keys(row)) columns.add(column);
  return [...columns];
}

/** Cleaned here too, because the escapes count for the width of the column. */
function cellText(value: Json | undefined): string {
  if (value === undefined || value === null) return "-";
  const text = cleanLine(typeof value === "string" ? value : JSON.stringify(value));
  return text.length > CELL_WIDTH_MAX ? `${text.slice(0, CELL_WIDTH_MAX - 3)}...` : text;
}

function pad(text: string, width: number, isNumeric: boolean): string {
  const space = " ".repeat(Math.max(0, width - displayWidth(text)));
  return isNumeric ? space + text : text + space;
}
