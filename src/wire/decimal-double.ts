const ZERO = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;

/** Any decimal number; the leading zeros that JSON refuses are let through. */
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** 10^0 to 10^15, each an exact double, so that one division rounds once and correctly. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, exponent) => 10 ** exponent);

/**
 * Reads a decimal text to the nearest double; undefined where it is none or lies beyond them.
 *
 * Up to 15 digits without an exponent are read here, the rest by the runtime's own parser.
 */
export function parseDecimalDouble(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  const isNegative = bytes[start] === MINUS;
  let offset = isNegative ? start + 1 : start;
  if (end - offset > 16) return parseSlow(bytes, start, end);
  let mantissa = 0;
  let digitCount = 0;
  let pointAt = -1;
  for (; offset < end; offset++) {
    const digit = bytes[offset] - ZERO;
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      digitCount += 1;
    } else if (bytes[offset] === POINT && pointAt < 0 && digitCount > 0) {
      pointAt = digitCount;
    } else {
      return parseSlow(bytes, start, end);
    }
  }
  const fractionCount = pointAt < 0 ? 0 : digitCount - pointAt;
  if (digitCount === 0 || digitCount > 15 || pointAt === digitCount) {
    return parseSlow(bytes, start, end);
  }
  const magnitude = mantissa / POWERS_OF_TEN[fractionCount];
  return isNegative ? -magnitude : magnitude;
}

function parseSlow(bytes: Uint8Array, start: number, end: number): number | undefined {
  const text = Buffer.from(bytes.subarray(start, end)).toString("latin1");
  if (!DECIMAL.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
