import type { Json } from "../core/any-value.ts";
import type { Piece } from "./output.ts";
import type { Style } from "./terminal-look.ts";
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
 *
 * `styleOf` says how a cell stands out; without it none does.
 */
export function renderTable(
  rows: readonly TableRow[],
  styleOf?: (column: string, value: Json | undefined) => Style,
): readonly (readonly Piece[])[] {
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
  const padded = (texts: readonly string[]): readonly string[] =>
    texts.map((text, index) => pad(text, widths[index], isNumeric[index]));
  const line = (texts: readonly string[]): string => `| ${padded(texts).join(" | ")} |`;
  const rowLine = (texts: readonly string[], row: TableRow | undefined): readonly Piece[] => {
    if (styleOf === undefined) return [line(texts)];
    const pieces = padded(texts).flatMap((text, index): readonly Piece[] => {
      const column = columns[index] ?? "";
      return [" | ", { text, style: styleOf(column, row?.[column]) }];
    });
    return ["| ", ...pieces.slice(1), " |"];
  };
  return [
    [rule],
    [line(titles)],
    [rule],
    ...cells.map((row, index) => rowLine(row, rows[index])),
    [rule],
  ];
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
