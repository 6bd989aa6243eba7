import type { Scanner } from "./lexer.ts";
import type { RowPipeSpec } from "./pipe.ts";
import type { RowBatch } from "./row.ts";

/** `limit 100`: no more rows than that. */
export interface LimitPipe {
  readonly kind: "limit";
  readonly count: number;
}

export const limitPipe: RowPipeSpec<LimitPipe> = {
  keyword: "limit",
  usage: "limit N",
  parse(scanner) {
    scanner.skipSpace();
    const count = readCount(scanner, "limit");
    if (count === undefined) throw scanner.error("limit needs a number, as in limit 100");
    return { kind: "limit", count };
  },
  print: ({ count }) => `limit ${count}`,
  columns: (_, known) => known,
  run: ({ count }, batches) => takeRows(batches, count),
};

/** Takes a whole number of at least 1, or nothing where no number stands. */
export function readCount(scanner: Scanner, keyword: string): number | undefined {
  const position = scanner.position;
  const text = scanner.read(/[+-]?\d[\d.eE_+-]*/y);
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count > 0 && Number.isSafeInteger(count)) return count;
  throw scanner.error(`${keyword} takes a whole number of at least 1, not ${text}`, position);
}

async function* takeRows(
  batches: AsyncIterable<RowBatch>,
  count: number,
): AsyncGenerator<RowBatch, void> {
  let left = count;
  for await (const batch of batches) {
    // Cut rows have no cursor: the batch's names a row that is not given.
    yield batch.rows.length <= left ? batch : { rows: batch.rows.slice(0, left) };
    left -= batch.rows.length;
    if (left <= 0) return;
  }
}
