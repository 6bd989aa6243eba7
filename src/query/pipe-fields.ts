import type { Column } from "./column.ts";
import { columnName, columnValue, printColumn, readColumn } from "./column.ts";
import { acceptComma, checkNewName } from "./group-key.ts";
import type { RowPipeSpec } from "./pipe.ts";
import type { Row, RowBatch } from "./row.ts";
import { makeRow } from "./row.ts";

/** `fields node, message`: only these columns, in this order. */
export interface FieldsPipe {
  readonly kind: "fields";
  readonly columns: readonly Column[];
}

export const fieldsPipe: RowPipeSpec<FieldsPipe> = {
  keyword: "fields",
  usage: "fields FIELD, FIELD",
  parse(scanner, known) {
    const columns: Column[] = [];
    do {
      scanner.skipSpace();
      const position = scanner.position;
      const column = readColumn(scanner, known);
      const taken = columns.map(columnName);
      checkNewName(scanner, { text: columnName(column), position }, taken);
      columns.push(column);
    } while (acceptComma(scanner));
    return { kind: "fields", columns };
  },
  print: ({ columns }) => `fields ${columns.map(printColumn).join(", ")}`,
  columns: ({ columns }) => columns.map(columnName),
  run: ({ columns }, batches) => pickColumns(columns, batches),
};

async function* pickColumns(
  columns: readonly Column[],
  batches: AsyncIterable<RowBatch>,
): AsyncGenerator<RowBatch, void> {
  for await (const batch of batches) {
    yield { ...batch, rows: batch.rows.map((row) => pick(columns, row)) };
  }
}

function pick(columns: readonly Column[], row: Row): Row {
  return makeRow(columns.map((column) => [columnName(column), columnValue(column, row)]));
}
