import type { GroupKey } from "../log-store/log-store.ts";
import { checkNewName, printGroupKeys, readGroupKeys } from "./group-key.ts";
import { TOP_COUNT_DEFAULT } from "./limits.ts";
import type { AggregatingPipeSpec, RowLimits, RowPipeSpec } from "./pipe.ts";
import { limitPipe, readCount } from "./pipe-limit.ts";
import { sortPipe } from "./pipe-sort.ts";
import type { RowBatch } from "./row.ts";

/** `top 5 node`: the groups with the most records, the largest first. */
export interface TopPipe {
  readonly kind: "top";
  readonly count: number;
  readonly by: readonly GroupKey[];
}

const COUNT = { kind: "count", name: "count" } as const;

export const topPipe: AggregatingPipeSpec<TopPipe> & RowPipeSpec<TopPipe> = {
  keyword: "top",
  usage: "top N FIELD",
  parse(scanner) {
    scanner.skipSpace();
    const count = readCount(scanner, "top") ?? TOP_COUNT_DEFAULT;
    scanner.skipSpace();
    const position = scanner.position;
    const by = readGroupKeys(scanner);
    const taken = by.map((key) => key.name);
    checkNewName(scanner, { text: COUNT.name, position }, taken);
    return { kind: "top", count, by };
  },
  print: ({ count, by }) => `top ${count} ${printGroupKeys(by)}`,
  columns: ({ by }) => [...by.map((key) => key.name), COUNT.name],
  plan: ({ by }) => ({ by, stats: [COUNT] }),
  run: ({ count }, batches, limits) => largest(count, batches, limits),
};

/** Of the store's groups, ordered by their keys, the largest `count`; equal ones stay in order. */
function largest(
  count: number,
  batches: AsyncIterable<RowBatch>,
  limits: RowLimits,
): AsyncIterable<RowBatch> {
  const key = { column: { from: "row", name: COUNT.name }, isDescending: true } as const;
  const sorted = sortPipe.run({ kind: "sort", keys: [key] }, batches, { ...limits, taken: count });
  return limitPipe.run({ kind: "limit", count }, sorted, limits);
}
