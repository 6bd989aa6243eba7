import { expect, test } from "vitest";
import type { EmittedRecord, LogLevel } from "../../src/telemetry/logger.ts";
import { createLogger, JsonLinesSink } from "../../src/telemetry/logger.ts";

const RESOURCE = new Map([["service.name", "dora-serve"]]);
const TRACE_ID = "4BF92F3577B34DA6A3CE929D0E0E4736";

function linesOf(level: LogLevel = "debug") {
  const lines: string[] = [];
  const sink = new JsonLinesSink(RESOURCE, { write: (line) => void lines.push(line) });
  const clock = { nowUnixNs: () => 1_736_282_047_298_518_000n, monotonicMs: () => 0 };
  return { lines, log: createLogger({ level, sinks: [sink], clock }) };
}

function recordsOf() {
  const records: EmittedRecord[] = [];
  const log = createLogger({ level: "debug", sinks: [{ emit: (r) => void records.push(r) }] });
  return { records, log };
}

test("a line holds the keys of the standard entry, with ISO 8601 time and an upper-case level", () => {
  const { lines, log } = linesOf();
  log.error("Connection timeout", { trace_id: TRACE_ID, peer: "10.0.0.1" });
  expect(JSON.parse(lines.join(""))).toEqual({
    timestamp: "2025-01-07T20:34:07.298518Z",
    level: "ERROR",
    node: "dora-serve",
    message: "Connection timeout",
    trace_id: TRACE_ID.toLowerCase(),
    span_id: "",
    attributes: { peer: "10.0.0.1" },
  });
});

test("line ends, escapes and format directives in what came from outside stay data on one line (SEC-010)", () => {
  const { lines, log } = linesOf();
  const hostile = 'a\r\n{"level":"ERROR"}\u001b[2J %s %j';
  log.warn(hostile, { [hostile]: hostile });
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toMatch(/\p{Cc}(?!$)/u);
  expect(JSON.parse(lines[0])).toMatchObject({
    message: hostile,
    attributes: { [hostile]: hostile },
  });
});

test("records below the level are not made, and those at it are", () => {
  const { lines, log } = linesOf("warn");
  log.debug("debug");
  log.info("info");
  expect(lines).toEqual([]);
  log.warn("warn");
  log.error("error");
  expect(lines).toHaveLength(2);
});

test("an error becomes its type, message, code and stack trace", () => {
  const { records, log } = recordsOf();
  log.error("cannot write", { error: Object.assign(new TypeError("full"), { code: "ENOSPC" }) });
  const attributes = records[0].attributes;
  expect(attributes.get("exception.type")).toBe("TypeError");
  expect(attributes.get("exception.message")).toBe("full");
  expect(attributes.get("error.code")).toBe("ENOSPC");
  expect(attributes.get("exception.stacktrace")).toContain("logger.test.ts");
});

test("integers are int64, fractions doubles, and undefined is left out", () => {
  const { records, log } = recordsOf();
  log.info("figures", { count: 3, ratio: 0.5, big: 2n ** 70n, nothing: undefined });
  expect([...records[0].attributes]).toEqual([
    ["count", 3n],
    ["ratio", 0.5],
    ["big", String(2n ** 70n)],
  ]);
});

test("circles, throwing getters and values without a text do not throw into the caller", () => {
  const { lines, log } = linesOf();
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const throwing = {
    get bad() {
      throw new Error("getter");
    },
  };
  log.info("hostile", {
    circle,
    throwing,
    bare: Object.create(null),
    symbol: Symbol("s"),
    fn() {},
  });
  log.info("hostile itself", throwing);
  expect(lines).toHaveLength(2);
});

test("an id that is no hexadecimal id stays an attribute", () => {
  const { records, log } = recordsOf();
  log.info("ids", { trace_id: "abc", span_id: "00f067aa0ba902b7" });
  expect(records[0]).toMatchObject({ traceId: "", spanId: "00f067aa0ba902b7" });
  expect([...records[0].attributes]).toEqual([["trace_id", "abc"]]);
});

test("a text beyond the limit is cut and marked", () => {
  const { records, log } = recordsOf();
  log.info("long", { text: "x".repeat(100_000) });
  const text = records[0].attributes.get("text");
  expect(text).toMatch(/^x{16384}…$/);
});
