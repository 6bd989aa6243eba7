import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DecimalInteger } from "../../src/wire/decimal-integer.ts";

const integer = new DecimalInteger();

/** The value as it was read, undefined where the text was refused. */
function parse(text: string): bigint | undefined {
  const bytes = Buffer.from(`9${text}9`);
  if (!integer.parse(bytes, 1, bytes.length - 1)) return undefined;
  const magnitude = (BigInt(integer.high) << 32n) | BigInt(integer.low);
  return integer.isNegative ? -magnitude : magnitude;
}

/** The 64 bits of the value in two's complement. */
function bits(text: string): bigint {
  parse(text);
  integer.applySign();
  return (BigInt(integer.high) << 32n) | BigInt(integer.low);
}

describe("a decimal text as 64 bits", () => {
  test("keeps every digit of every 64-bit integer (OTLP-017)", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n) + 1n, max: 2n ** 64n - 1n }), (value) => {
        expect(parse(String(value))).toBe(value);
        expect(parse(`${value}.000`)).toBe(value);
        expect(parse(`${value}00e-2`)).toBe(value);
      }),
      { seed: 5, numRuns: 1000 },
    );
  });

  test("is in two's complement what BigInt says", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(bits(String(value))).toBe(BigInt.asUintN(64, value));
      }),
      { seed: 6, numRuns: 1000 },
    );
    expect(bits("-4294967296")).toBe(BigInt.asUintN(64, -4294967296n));
    expect(bits("-0")).toBe(0n);
  });

  test("has the ranges of each width at their very ends", () => {
    const ranges = (text: string): string => {
      parse(text);
      const fits = [integer.isUint32(), integer.isInt32(), integer.isUint64(), integer.isInt64()];
      return fits.map((isFit) => (isFit ? "1" : "0")).join("");
    };
    expect(ranges("2147483647")).toBe("1111");
    expect(ranges("2147483648")).toBe("1011");
    expect(ranges("-2147483648")).toBe("0101");
    expect(ranges("-2147483649")).toBe("0001");
    expect(ranges("4294967295")).toBe("1011");
    expect(ranges("4294967296")).toBe("0011");
    expect(ranges("9223372036854775807")).toBe("0011");
    expect(ranges("9223372036854775808")).toBe("0010");
    expect(ranges("-9223372036854775808")).toBe("0001");
    expect(ranges("-9223372036854775809")).toBe("0000");
  });

  test.each(["18446744073709551616", "99999999999999999999", "1e20", "-1e+30", "0.1", "1e-1", "a"])(
    "%s is refused",
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );
});
