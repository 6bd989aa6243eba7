import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  PACKED_MAX,
  packNumbers,
  unpackNumbers,
} from "../../../src/log-store/points/packed-numbers.ts";

function unpack(bytes: Uint8Array, count: number, offset = 0): readonly number[] {
  const target = new Float64Array(count);
  expect(unpackNumbers(bytes, offset, target)).toBe(bytes.length);
  return [...target];
}

describe("packed numbers", () => {
  test("have exactly these bytes", () => {
    // Rising by 2: first differences, 5 first (zigzag 10), one group of least 2 (4) and no bit.
    expect([...packNumbers(Float64Array.of(5, 7, 9, 11))]).toEqual([1, 10, 4, 0]);
    // As they are: least 1 (2), two bits each (4): 0, 3, 0, 3, low ones first.
    expect([...packNumbers(Float64Array.of(1, 4, 1, 4))]).toEqual([0, 2, 4, 0b11_00_11_00]);
    // Mostly zero: least 3 (6), no bit and sparse (1); a bit each.
    expect([...packNumbers(Float64Array.of(0, 0, 3, 0, 0, 0, 0, 0, 3))]).toEqual([
      0, 6, 1, 0b0000_0100, 1,
    ]);
  });

  test("give back what went in, steady, jumping, sparse, at the limits", () => {
    const number = fc.oneof(
      fc.integer({ min: -300, max: 300 }),
      fc.constant(0),
      fc.constantFrom(PACKED_MAX, -PACKED_MAX, PACKED_MAX - 1, 2 ** 32, 2 ** 31, -(2 ** 31) - 1),
    );
    const steady = fc
      .tuple(fc.integer(), fc.integer({ min: -1000, max: 1000 }), fc.nat(300))
      .map(([from, step, count]) =>
        Array.from({ length: count }, (_, index) => from + index * step),
      );
    const values = fc.oneof(
      fc.array(number, { maxLength: 300 }),
      steady,
      fc.tuple(steady, fc.array(number, { maxLength: 5 }), steady).map((parts) => parts.flat()),
    );
    fc.assert(
      fc.property(values, (numbers) => {
        const bytes = packNumbers(Float64Array.from(numbers));
        // -0 has no bytes of its own.
        const expected = numbers.map((value) => value + 0);
        expect(unpack(bytes, numbers.length).map((value) => value + 0)).toEqual(expected);
        const behind = Buffer.concat([Uint8Array.of(1, 2, 3), bytes]);
        expect(unpack(behind, numbers.length, 3).map((value) => value + 0)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("of a steady series take next to nothing", () => {
    const steady = Float64Array.from({ length: 1000 }, (_, index) => 1e12 + 10_000 * index);
    expect(packNumbers(steady).length).toBeLessThan(40);
  });
});
