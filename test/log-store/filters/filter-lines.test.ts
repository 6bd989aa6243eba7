import { describe, expect, test } from "vitest";
import { FilterBuilder } from "../../../src/log-store/filters/filter-builder.ts";
import type { FilterKey } from "../../../src/log-store/filters/filter-key.ts";
import { KeyHasher } from "../../../src/log-store/filters/filter-key.ts";
import {
  FilterLines,
  isPageWhole,
  isSet,
  placeOf,
} from "../../../src/log-store/filters/filter-lines.ts";

function keyOf(word: string): FilterKey {
  const hasher = new KeyHasher();
  const bytes = new TextEncoder().encode(word);
  hasher.hash(bytes, 0, bytes.length);
  return { high: hasher.high, low: hasher.low };
}

/** Asks a filter's file as a probe does. */
function mayHold(file: Uint8Array, key: FilterKey): boolean {
  const place = placeOf(key, file.length);
  if (place === undefined) return false;
  const page = file.subarray(place.offset, place.offset + place.size);
  return isPageWhole(page) && isSet(page, place.line, key);
}

/** Words of a kind that logs have. */
function words(prefix: string, count: number): readonly FilterKey[] {
  return Array.from({ length: count }, (_, index) => keyOf(`${prefix}${index}`));
}

describe("a key", () => {
  test("is exactly this hash", () => {
    expect(keyOf("blk_17")).toEqual({ high: 0xd10b6888, low: 0x803d3f95 });
    expect(keyOf("4bf92f3577b34da6")).toEqual({ high: 0xce11a20a, low: 0x861ddca0 });
  });

  test("is the same in any case of A to Z, and the same by groups as by bytes", () => {
    const hasher = new KeyHasher();
    expect(keyOf("BLK_17")).toEqual(keyOf("blk_17"));
    hasher.hashGroups(0x7f6b_6c62, 0x0000_3731);
    expect({ high: hasher.high, low: hasher.low }).toEqual(keyOf("blk_17"));
  });
});

describe("a filter", () => {
  test("has exactly these bytes", () => {
    const lines = new FilterLines(1);
    const { high, low } = keyOf("blk_17");
    lines.add(high, low);
    const file = lines.encode();
    expect(file).toHaveLength(68);
    const set = [...file.subarray(0, 64)].flatMap((byte, index) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * index + bit),
    );
    const more = Math.imul(high ^ (low >>> 5), 0x9e3779b1) >>> 5;
    const bits = [low, more].flatMap((half) => [0, 9, 18].map((shift) => (half >>> shift) & 511));
    expect(set).toEqual(bits.toSorted((left, right) => left - right));
  });

  test("without a key has no byte and holds nothing", () => {
    expect(new FilterBuilder(1000, 10).take()).toHaveLength(0);
    expect(placeOf(keyOf("blk_17"), 0)).toBeUndefined();
  });

  test.each([1, 7, 63, 64, 1000, 100_000])(
    "never denies one of its %i keys, and takes up to 14 bits for each and a line",
    (count) => {
      const keys = words("blk_", count);
      const builder = new FilterBuilder(300_000, 10);
      for (const { high, low } of keys) builder.add(high, low);
      const file = builder.take();
      expect(keys.every((key) => mayHold(file, key))).toBe(true);
      expect(8 * file.length).toBeLessThan(14 * count + 8 * 68);
    },
  );

  test.each([
    { bitsPerKey: 10, passing: 0.013 },
    { bitsPerKey: 7, passing: 0.05 },
  ])(
    "of $bitsPerKey bits a key lets fewer than $passing of other words pass",
    ({ bitsPerKey, passing }) => {
      const builder = new FilterBuilder(200_000, bitsPerKey);
      for (const { high, low } of words("req", 100_000)) builder.add(high, low);
      const file = builder.take();
      const others = words("span", 100_000);
      const passed = others.filter((key) => mayHold(file, key)).length;
      expect(passed / others.length).toBeLessThan(passing);
    },
  );

  test("is folded to the same as if it were built in fewer lines", () => {
    const keys = words("frame", 500);
    for (const parts of [2, 3, 5, 7, 360]) {
      const large = new FilterLines(2520);
      const small = new FilterLines(2520 / parts);
      for (const { high, low } of keys) {
        large.add(high, low);
        small.add(high, low);
      }
      expect(large.folded(parts).encode()).toEqual(small.encode());
    }
  });

  test("is empty again once it is taken", () => {
    const builder = new FilterBuilder(1000, 10);
    const { high, low } = keyOf("blk_17");
    builder.add(high, low);
    builder.take();
    expect(builder.take()).toHaveLength(0);
  });

  test("of more keys than it has room for denies none of them", () => {
    const keys = words("late", 50_000);
    const builder = new FilterBuilder(100, 10);
    for (const { high, low } of keys) builder.add(high, low);
    const file = builder.take();
    expect(keys.every((key) => mayHold(file, key))).toBe(true);
  });
});
