import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseDecimalDouble } from "../../src/wire/decimal-double.ts";

function parse(text: string): number | undefined {
  const bytes = Buffer.from(`<${text}>`);
  return parseDecimalDouble(bytes, 1, bytes.length - 1);
}

describe("a decimal text as a double", () => {
  test("is what the runtime's own parser gives, to the last bit", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parse(String(value))).toBe(Number(String(value)));
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test("is so for short decimals too, which take a way of their own", () => {
    const decimal = fc.tuple(fc.maxSafeNat(), fc.integer({ min: 0, max: 15 }), fc.boolean());
    fc.assert(
      fc.property(decimal, ([digits, places, isNegative]) => {
        const padded = String(digits % 1e15).padStart(places + 1, "0");
        const split = padded.length - places;
        const fraction = places === 0 ? "" : `.${padded.slice(split)}`;
        const text = `${isNegative ? "-" : ""}${padded.slice(0, split)}${fraction}`;
        expect(parse(text)).toBe(Number(text));
      }),
      { seed: 4, numRuns: 2000 },
    );
  });

  test.each(["", "-", ".", "1.", ".5", "1..2", "1.2.3", "+1", "1e", "e1", " 1", "0x1", "1e999"])(
    "%j is none",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );
});
