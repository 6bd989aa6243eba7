import { assert, bigInt, property } from "fast-check";
import { describe, expect, test } from "vitest";
import { AppError } from "../../src/core/errors.ts";
import {
  DAY_NS,
  dayOfWords,
  formatUnixNs,
  nsInDayOfWords,
  parseDurationNs,
  parseRfc3339,
  parseTimeText,
  toDayTime,
  toUnixNs,
} from "../../src/core/time.ts";

/** Every time that OTLP can say: unsigned 64-bit nanoseconds. */
const unixNs = bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe("nanoseconds", () => {
  test("survive the split into day and nanosecond exactly (TIME-001)", () => {
    assert(
      property(unixNs, (time) => {
        const { day, ns } = toDayTime(time);
        expect(ns).toBeLessThan(DAY_NS);
        expect(toUnixNs(day, ns)).toBe(time);
      }),
    );
  });

  test("are read from two 32-bit words as from the whole (TIME-001)", () => {
    assert(
      property(unixNs, (time) => {
        const low = Number(time & 0xffff_ffffn);
        const high = Number(time >> 32n);
        const day = dayOfWords(low, high);
        expect({ day, ns: nsInDayOfWords(low, high, day) }).toEqual(toDayTime(time));
      }),
    );
  });

  test("survive being written and read (TIME-001, TIME-003)", () => {
    assert(
      property(unixNs, (time) => {
        expect(parseRfc3339(formatUnixNs(time))).toBe(time);
      }),
    );
  });
});

describe("a written time", () => {
  test.each([
    [0n, "1970-01-01T00:00:00.000000Z"],
    [1n, "1970-01-01T00:00:00.000000001Z"],
    [10n, "1970-01-01T00:00:00.000000010Z"],
    [999_999_999n, "1970-01-01T00:00:00.999999999Z"],
    [1_000n, "1970-01-01T00:00:00.000001Z"],
    [1_736_282_047_298_518_000n, "2025-01-07T20:34:07.298518Z"],
    [(1n << 64n) - 1n, "2554-07-21T23:34:33.709551615Z"],
  ])("%s ns is %s: six digits, nine where they say something (TIME-003)", (time, text) => {
    expect(formatUnixNs(time)).toBe(text);
  });
});

describe("a time read as RFC 3339", () => {
  const at = (text: string): bigint => parseRfc3339(text) ?? -1n;
  const SECOND = 1_736_282_047n * 1_000_000_000n;

  test.each([
    ["2025-01-07T20:34:07Z", SECOND],
    ["2025-01-07t20:34:07z", SECOND],
    ["2025-01-07 20:34:07Z", SECOND],
    ["2025-01-07T20:34:07.5Z", SECOND + 500_000_000n],
    ["2025-01-07T20:34:07,5Z", SECOND + 500_000_000n],
    ["2025-01-07T20:34:07.000000001Z", SECOND + 1n],
    ["2025-01-07T20:34:07.0000000019Z", SECOND + 1n],
    ["2025-01-07T21:34:07+01:00", SECOND],
    ["2025-01-07T15:04:07-05:30", SECOND],
    ["2025-01-08T00:34:07+04:00", SECOND],
    ["2016-12-31T23:59:60Z", 1_483_228_800n * 1_000_000_000n],
    ["2016-12-31T23:59:60.9Z", 1_483_228_800n * 1_000_000_000n],
    ["2024-02-29T00:00:00Z", 1_709_164_800n * 1_000_000_000n],
    ["2025-01-07T20:34Z", SECOND - 7_000_000_000n],
  ])("%s is taken (TIME-002)", (text, time) => {
    expect(at(text)).toBe(time);
  });

  test.each([
    "2025-01-07T20:34:07",
    "2025-01-07",
    "2025-02-30T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-01-07T24:00:00Z",
    "2025-01-07T20:60:00Z",
    "2025-01-07T20:34:61Z",
    "2025-01-07T20:34:07.Z",
    "2025-01-07T20:34:07+0100",
    "2025-01-07T20:34:07+25:00",
    " 2025-01-07T20:34:07Z",
    "1736282047",
    "",
  ])("%j is none (TIME-002)", (text) => {
    expect(parseRfc3339(text)).toBeUndefined();
  });
});

describe("a time as users type it", () => {
  const NOW = parseRfc3339("2025-01-07T20:34:07.25Z") ?? 0n;
  const read = (text: string): string => formatUnixNs(parseTimeText(text, NOW));

  test.each([
    ["now", "2025-01-07T20:34:07.250000Z"],
    ["-15m", "2025-01-07T20:19:07.250000Z"],
    ["15m", "2025-01-07T20:19:07.250000Z"],
    ["-1h30m", "2025-01-07T19:04:07.250000Z"],
    ["-250ms", "2025-01-07T20:34:07.000000Z"],
    ["-2d", "2025-01-05T20:34:07.250000Z"],
    ["-90000w", "1970-01-01T00:00:00.000000Z"],
    ["today", "2025-01-07T00:00:00.000000Z"],
    ["yesterday", "2025-01-06T00:00:00.000000Z"],
    ["2025-01-02", "2025-01-02T00:00:00.000000Z"],
    ["2025-01-02T01:00:00+01:00", "2025-01-02T00:00:00.000000Z"],
  ])("%s is %s", (text, time) => {
    expect(read(text)).toBe(time);
  });

  test.each(["", "soon", "15", "-m", "15 m", "2025-01-02T01:00:00", "1969-12-31T23:59:59Z"])(
    "%j is refused with the forms that are taken (TIME-002)",
    (text) => {
      expect(() => read(text)).toThrow(AppError);
      expect(() => read(text)).toThrow("give -15m, today, yesterday, now, 2025-01-07, or ISO 8601");
    },
  );
});

test("durations add their parts up, and nothing else is one", () => {
  expect(parseDurationNs("1m30s")).toBe(90_000_000_000n);
  expect(parseDurationNs("1us1ns")).toBe(1_001n);
  expect(parseDurationNs("1w")).toBe(7n * BigInt(DAY_NS));
  expect(["", "1", "m", "1.5h", "-1m", "1y"].map(parseDurationNs)).toEqual(
    Array.from({ length: 6 }, () => undefined),
  );
});
