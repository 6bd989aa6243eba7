import { expect, test } from "vitest";
import type { RowCodes } from "../../src/log-store/row-codes.ts";
import { ArrayCodes, joinCodes } from "../../src/log-store/row-codes.ts";

const ROWS = 65_536;

function codesOf(codeCount: number, codeAt: (row: number) => number): RowCodes {
  return new ArrayCodes(
    Uint32Array.from({ length: ROWS }, (_, row) => codeAt(row)),
    codeCount,
    Number,
  );
}

/** Counts pairs of codes, each named by both its numbers. */
function countPairs(
  left: RowCodes,
  right: RowCodes,
  mask: Uint8Array,
): ReadonlyMap<string, number> {
  const pairs: string[] = [];
  const joint = joinCodes(left, right, mask, (a, b) => pairs.push(`${a} ${b}`) - 1);
  expect(joint.codeCount).toBeLessThanOrEqual(4 * ROWS);
  const counts = joint.count(mask, undefined);
  // The joint codes in an array are counted alike.
  const copy = new ArrayCodes(joint.codes(), joint.codeCount, joint.numberOf);
  expect(copy.count(mask, undefined)).toEqual(counts);
  const found = new Map<string, number>();
  for (const [code, count] of counts.entries()) {
    if (count > 0) found.set(pairs[joint.numberOf(code)] ?? "", count);
  }
  return found;
}

test("two columns of few values are counted by pairs", () => {
  const mask = new Uint8Array(ROWS).map((_, row) => (row < 100 ? 1 : 0));
  const found = countPairs(
    codesOf(87, (row) => row % 2),
    codesOf(256, (row) => row % 4),
    mask,
  );
  expect(found).toEqual(
    new Map([
      ["0 0", 25],
      ["0 2", 25],
      ["1 1", 25],
      ["1 3", 25],
    ]),
  );
});

test("a few values out of large dictionaries take as little memory", () => {
  const mask = new Uint8Array(ROWS).fill(1);
  const found = countPairs(
    codesOf(1_000_000, (row) => 999_998 + (row % 2)),
    codesOf(1_000_000, (row) => 999_999 - (row % 2)),
    mask,
  );
  expect(found).toEqual(
    new Map([
      ["999998 999999", ROWS / 2],
      ["999999 999998", ROWS / 2],
    ]),
  );
});

test("so do columns whose rows all have values of their own", () => {
  const mask = new Uint8Array(ROWS).fill(1);
  const found = countPairs(
    codesOf(ROWS, (row) => row),
    codesOf(ROWS, (row) => ROWS - 1 - row),
    mask,
  );
  expect(found.size).toBe(ROWS);
  expect(found.get(`0 ${ROWS - 1}`)).toBe(1);
  expect(found.get(`${ROWS - 1} 0`)).toBe(1);
});
