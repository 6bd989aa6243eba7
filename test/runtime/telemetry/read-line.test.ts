import { describe, expect, test } from "vitest";
import type { LineReading } from "../../../src/runtime/telemetry/line-reading.ts";
import { readLine } from "../../../src/runtime/telemetry/read-line.ts";
import { TEXT_LINE_EXAMPLES } from "../../../src/runtime/telemetry/text-line.ts";

/** A second after the time in the examples, which where it has no zone is this machine's. */
const LOCAL_NOW = BigInt(new Date(2025, 0, 7, 20, 34, 8).getTime()) * 1_000_000n;
const NOW = BigInt(Date.UTC(2025, 0, 7, 20, 34, 8)) * 1_000_000n;
const AT = NOW - 701_482_000n;

function read(line: string): LineReading {
  return readLine(line, NOW);
}

describe("lines of text", () => {
  test.each(TEXT_LINE_EXAMPLES)("%s", (line) => {
    const now = line.includes("Z ") ? NOW : LOCAL_NOW;
    const reading = readLine(line, now);
    const hasLevel = /warn|error/i.test(line) || line.startsWith("W0107");
    expect(reading.severityNumber).toBe(hasLevel ? (line.includes("error") ? 17 : 13) : 0);
    if (line.endsWith("late frame") && !/UserWarning|^warning/.test(line)) {
      expect(reading.message).toBe("late frame");
    } else {
      expect(reading.message).toBe(line);
    }
    const hasLogger = /camera\W|coordinator|Camera/.test(line) && !/camera\.(?:cc|py)/.test(line);
    expect(reading.logger !== "").toBe(hasLogger);
  });

  test("a time to the microsecond becomes the record's", () => {
    const reading = read("2025-01-07T20:34:07.298518Z ERROR dora_daemon::run: lost");
    expect(reading).toMatchObject({
      timeUnixNs: AT,
      logger: "dora_daemon::run",
      message: "lost",
      severityText: "ERROR",
    });
    expect(read("2025-01-07 21:34:07,298518+01:00 lost").timeUnixNs).toBe(AT);
    expect(read("2025-01-07 21:34:07,298518+0100 lost").timeUnixNs).toBe(AT);
    expect(read("[INFO] [1736282047.298518000] [talker]: hello").timeUnixNs).toBe(AT);
  });

  test("a time of whole seconds tells less than when the line came", () => {
    expect(read("2025-01-07T20:34:07Z INFO a: b").timeUnixNs).toBe(NOW);
  });

  test("a time that cannot be the record's stays in its message", () => {
    for (const line of [
      "1970-01-01T00:00:07.298518Z ERROR sim: lost",
      "2025-01-07T20:33:00Z INFO a: b",
      "2025-13-41 20:34:07,298 - a - INFO - b",
    ]) {
      const reading = read(line);
      expect(reading.message).toBe(line);
      expect(reading.timeUnixNs).toBeUndefined();
      expect(reading.severityNumber).toBeGreaterThan(0);
    }
  });

  test.each([
    "Error opening the camera",
    "INFORMATION for you",
    "Warning signs were seen",
    "12 errors",
    "information: none",
    "[12] late",
    "",
    "{",
    "{}",
    '{"frame":7}',
    '["level","info","msg"]',
    "a=b level=unheard-of msg=x",
    "see level=info for more",
  ])("no level is read into %j", (line) => {
    expect(read(line)).toEqual({
      message: line,
      severityNumber: 0,
      severityText: "",
      logger: "",
      traceId: "",
      spanId: "",
      attributes: {},
    });
  });

  test("words before a colon are no logger where they may be prose", () => {
    expect(read("ERROR connection: refused")).toMatchObject({
      message: "connection: refused",
      logger: "",
    });
    expect(read("2025-01-07T20:34:07.298518Z INFO Listening: 80").message).toBe("Listening: 80");
  });

  test("colours are left out", () => {
    const line =
      "\u001b[2m2025-01-07T20:34:07.298518Z\u001b[0m \u001b[33m WARN\u001b[0m \u001b[2mapp::camera\u001b[0m: late";
    expect(read(line)).toMatchObject({
      message: "late",
      severityNumber: 13,
      logger: "app::camera",
    });
  });

  test("a head of a megabyte takes no time", () => {
    for (const start of ["2025-01-07 20:34:07 - ", "[INFO", "ERROR ", "a=", "["]) {
      const line = start + "- ".repeat(500_000);
      const startedMs = performance.now();
      expect(read(line).message.length).toBeGreaterThan(999_000);
      expect(performance.now() - startedMs).toBeLessThan(1000);
    }
  });
});

describe("lines of JSON", () => {
  const IDS = '"trace_id":"4BF92F3577B34DA6A3CE929D0E0E4736","span_id":"00f067aa0ba902b7"';

  test.each([
    ["pino", `{"level":40,"time":1736282047298.518,"pid":7,"name":"camera","msg":"late",${IDS}}`],
    ["zap", `{"level":"warn","ts":1736282047.298518,"logger":"camera","msg":"late",${IDS}}`],
    [
      "winston",
      `{"level":"warn","message":"late","timestamp":"2025-01-07T20:34:07.298518Z","logger":"camera",${IDS}}`,
    ],
    [
      "structlog",
      `{"event":"late","level":"warning","timestamp":"2025-01-07T20:34:07.298518Z","logger":"camera",${IDS}}`,
    ],
    [
      "tracing",
      `{"timestamp":"2025-01-07T20:34:07.298518Z","level":"WARN","fields":{"message":"late"},"target":"camera",${IDS}}`,
    ],
    [
      "ECS",
      `{"@timestamp":"2025-01-07T20:34:07.298518Z","log.level":"warn","message":"late","log.logger":"camera",${IDS.replace("trace_id", "trace.id").replace("span_id", "span.id")}}`,
    ],
  ])("%s", (_, line) => {
    expect(read(line)).toMatchObject({
      message: "late",
      severityNumber: 13,
      timeUnixNs: AT,
      logger: "camera",
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "00f067aa0ba902b7",
    });
  });

  test("what no field stands for is an attribute, the same key twice and `__proto__` included", () => {
    const { attributes } = read(
      '{"level":"info","msg":"m","frame":7,"__proto__":"x","fields":{"frame":8,"message":"other"},"err":{"type":"E","message":"gone","stack":"E: gone\\n at f"},"trace_id":"none"}',
    );
    expect(Object.entries(attributes)).toEqual([
      ["frame", 7],
      ["__proto__", "x"],
      ["exception.type", "E"],
      ["exception.message", "gone"],
      ["exception.stacktrace", "E: gone\n at f"],
      ["trace_id", "none"],
      ["fields.frame", 8],
      ["message", "other"],
    ]);
  });

  test("a time far off stays an attribute", () => {
    const { timeUnixNs, attributes } = read('{"level":30,"time":5,"msg":"m"}');
    expect(timeUnixNs).toBeUndefined();
    expect(attributes).toEqual({ time: 5 });
  });

  test("an object too deep or too wide for a record stays text", () => {
    const deep = `{"level":"info","msg":"m","a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const keys = Array.from({ length: 200 }, (_, index) => `"k${index}":1`);
    const wide = `{"level":"info","msg":"m",${keys.join()}}`;
    expect(read(deep).message).toBe(deep);
    expect(read(wide).message).toBe(wide);
  });
});

test("a line of logfmt", () => {
  const line =
    'time="2025-01-07T20:34:07.298518Z" level=warning msg="late \\"frame\\"" logger=camera frame=7 ok=true id=007';
  expect(read(line)).toMatchObject({
    message: 'late "frame"',
    severityNumber: 13,
    logger: "camera",
    timeUnixNs: AT,
    attributes: { frame: 7, ok: true, id: "007" },
  });
});
