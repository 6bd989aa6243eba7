import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeDeltas,
  decodeOffsets,
  DeltaColumn,
  encodeDeltas,
  encodeLengths,
} from "../../src/log-store/column-codec.ts";
import { timeOrder } from "../../src/log-store/time-order.ts";

describe("deltas", () => {
  test("have exactly these bytes", () => {
    // 5, then +1, -2, +64, +0: zigzag 10, 2, 3, 128, 0.
    expect([...encodeDeltas([5, 6, 4, 68, 68])]).toEqual([10, 2, 3, 0x80, 0x01, 0]);
  });

  test("give back every whole number below 2^51, rising or not", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -(2 ** 51), max: 2 ** 51 })), (values) => {
        const decoded = decodeDeltas(encodeDeltas(values), new Float64Array(values.length));
        // -0 has no bytes of its own.
        expect([...decoded]).toEqual(values.map((value) => value + 0));
      }),
    );
  });

  test("are picked from any rows as they are decoded", () => {
    const number = fc.oneof(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), fc.nat(3));
    const column = fc
      .array(number, { minLength: 1, maxLength: 400 })
      .chain((values) =>
        fc.tuple(fc.constant(values), fc.uniqueArray(fc.nat(values.length - 1), { maxLength: 20 })),
      );
    fc.assert(
      fc.property(column, ([values, unordered]) => {
        const rows = Uint32Array.from(unordered).sort();
        const deltas = new DeltaColumn(encodeDeltas(values), values.length);
        const expected = [...rows].map((row) => (values[row] ?? 0) + 0);
        expect([...deltas.pick(rows)]).toEqual(expected);
        expect([...deltas.pick(rows)]).toEqual(expected);
      }),
    );
  });

  test("of another count of rows are noticed", () => {
    const bytes = encodeDeltas([1, 2, 3]);
    expect(() => new DeltaColumn(bytes, 2)).toThrow("another length");
    expect(() => new DeltaColumn(bytes, 4)).toThrow("another length");
    expect(() => decodeDeltas(bytes, new Float64Array(2))).toThrow("another length");
    expect(() => decodeDeltas(bytes, new Float64Array(4))).toThrow("another length");
  });
});

describe("lengths", () => {
  test("have exactly these bytes, and read back as offsets", () => {
    const bytes = encodeLengths([0, 127, 128, 70_000]);
    expect([...bytes]).toEqual([0, 127, 0x80, 0x01, 0xf0, 0xa2, 0x04]);
    expect([...decodeOffsets(bytes, 4)]).toEqual([0, 0, 127, 255, 70_255]);
  });

  test("of another count of rows are noticed", () => {
    expect(() => decodeOffsets(encodeLengths([1, 2]), 3)).toThrow("another length");
  });
});

test("rows are ordered by time, and those of one time stay as they came", () => {
  const times = fc.array(fc.tuple(fc.nat(2), fc.nat(3)), { maxLength: 70 });
  fc.assert(
    fc.property(times, (rows) => {
      const day = Int32Array.from(rows, ([value]) => value);
      const ns = Float64Array.from(rows, ([, value]) => value);
      const expected = rows
        .map(([oneDay, oneNs], index) => ({ oneDay, oneNs, index }))
        .toSorted((a, b) => a.oneDay - b.oneDay || a.oneNs - b.oneNs || a.index - b.index)
        .map(({ index }) => index);
      expect([...timeOrder(day, ns)]).toEqual(expected);
    }),
  );
});
