import { expect, test } from "vitest";
import { SORT_ENTRIES_MAX } from "../../src/query/limits.ts";
import type { RowLimits } from "../../src/query/pipe.ts";
import type { SortPipe } from "../../src/query/pipe-sort.ts";
import { sortPipe } from "../../src/query/pipe-sort.ts";
import type { Row, RowBatch } from "../../src/query/row.ts";

const BY_N: SortPipe = {
  kind: "sort",
  keys: [{ column: { from: "row", name: "n" }, isDescending: false }],
};

/** `count` rows in batches of 1,000, their `n` each once, shuffled. */
async function* shuffled(count: number): AsyncGenerator<RowBatch, void> {
  for (let start = 0; start < count; start += 1000) {
    const length = Math.min(1000, count - start);
    yield { rows: Array.from({ length }, (_, index) => ({ n: ((start + index) * 7919) % count })) };
  }
}

async function sorted(count: number, limits: Partial<RowLimits>): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const all = { memoryBytes: 2 ** 30, taken: undefined, ...limits };
  for await (const batch of sortPipe.run(BY_N, shuffled(count), all)) {
    expect(batch.rows.length).toBeLessThanOrEqual(1000);
    rows.push(...batch.rows);
  }
  return rows;
}

test("a sort holds as many rows as it may, one more is refused (SEC-015)", async () => {
  const rows = await sorted(SORT_ENTRIES_MAX, {});
  expect(rows).toHaveLength(SORT_ENTRIES_MAX);
  expect(rows.every((row, index) => row["n"] === index)).toBe(true);
  await expect(sorted(SORT_ENTRIES_MAX + 1, {})).rejects.toThrow("100000 entries");
});

test("a sort of which few rows are taken holds few, however many come", async () => {
  const rows = await sorted(SORT_ENTRIES_MAX + 1, { taken: 3, memoryBytes: 200_000 });
  expect(rows.map((row) => row["n"]).slice(0, 3)).toEqual([0, 1, 2]);
});

test("a sort past its memory is refused (SEC-015)", async () => {
  await expect(sorted(2000, { memoryBytes: 100_000 })).rejects.toThrow("100000 bytes");
});
