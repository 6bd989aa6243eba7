import { describe, expect, test } from "vitest";
import type { LogsFlags } from "../../src/cli/logs-flags.ts";
import {
  readCount,
  readOutput,
  readQuery,
  readTimeRange,
  readTraceId,
} from "../../src/cli/logs-flags.ts";
import { AppError } from "../../src/core/errors.ts";
import type { LogRecord } from "../../src/core/record.ts";
import { parseQuery, printQuery } from "../../src/query/parse-query.ts";
import { matchesRecord } from "../query/naive-evaluator.ts";

const SECOND_NS = 1_000_000_000n;
const NOW = 1_736_282_047n * SECOND_NS;

function record(parts: {
  readonly severityNumber?: number;
  readonly body?: string;
  readonly resource?: readonly (readonly [string, string])[];
  readonly traceId?: string;
}): LogRecord {
  const none = new Map<string, string>();
  return {
    seq: 1,
    timeUnixNs: NOW,
    observedTimeUnixNs: NOW,
    severityNumber: parts.severityNumber ?? 9,
    severityText: "",
    body: parts.body ?? "started",
    attributes: none,
    eventName: "",
    traceId: parts.traceId ?? "",
    spanId: "",
    traceFlags: 0,
    droppedAttributesCount: 0,
    resource: { attributes: new Map(parts.resource ?? []), schemaUrl: "" },
    scope: { name: "", version: "", attributes: none, schemaUrl: "" },
  };
}

function matches(flags: LogsFlags, of: Parameters<typeof record>[0], text?: string): boolean {
  return matchesRecord(readQuery(text, flags).filter, record(of));
}

function failure(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("--level", () => {
  test("means that level and above", () => {
    expect(matches({ level: "warn" }, { severityNumber: 12 })).toBe(false);
    expect(matches({ level: "warn" }, { severityNumber: 13 })).toBe(true);
    expect(matches({ level: "Warning" }, { severityNumber: 24 })).toBe(true);
  });

  test("leaves out records without a severity", () => {
    expect(matches({ level: "trace" }, { severityNumber: 0 })).toBe(false);
  });

  test("refuses what is no level, and names the nearest", () => {
    const error = failure(() => readQuery("", { level: "eror" }));
    expect(error.code).toBe("USAGE");
    expect(error.message).toContain('did you mean "error"?');
  });
});

describe("--node", () => {
  const resource = [
    ["dora.node.id", "node-b"],
    ["dora.node.name", "Node B"],
  ] as const;

  test.each(["node-b", "Node B", "node b", "NODE-B"])("takes id or display name: %s", (name) => {
    expect(matches({ node: [name] }, { resource })).toBe(true);
  });

  test("takes neither a part of a name nor a pattern", () => {
    expect(matches({ node: ["node"] }, { resource })).toBe(false);
    expect(matches({ node: ["node*"] }, { resource })).toBe(false);
  });

  test("given twice means either", () => {
    expect(matches({ node: ["other", "node-b"] }, { resource })).toBe(true);
    expect(matches({ node: ["other", "another"] }, { resource })).toBe(false);
  });
});

test("--dataflow takes id or name", () => {
  const resource = [
    ["dora.dataflow.id", "0198"],
    ["dora.dataflow.name", "pick"],
  ] as const;
  expect(matches({ dataflow: "pick" }, { resource })).toBe(true);
  expect(matches({ dataflow: "0198" }, { resource })).toBe(true);
  expect(matches({ dataflow: "place" }, { resource })).toBe(false);
});

describe("--grep", () => {
  test("finds a part of the message in any case", () => {
    expect(matches({ grep: "TION time" }, { body: "Connection timeout" })).toBe(true);
    expect(matches({ grep: "time out" }, { body: "Connection timeout" })).toBe(false);
  });

  test("takes its text as it stands, whatever the language would make of it", () => {
    const body = 'a "b" \\ | count by c*';
    expect(matches({ grep: body }, { body: `x${body}y` })).toBe(true);
    expect(matches({ grep: "a*c" }, { body: "abc" })).toBe(false);
  });

  test("looks at the message alone", () => {
    expect(matches({ grep: "camera" }, { resource: [["service.name", "camera"]] })).toBe(false);
  });
});

describe("--trace", () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

  test.each([traceId, traceId.toUpperCase(), "4bf92f"])("takes an id or its start: %s", (id) => {
    expect(matches({ trace: id }, { traceId })).toBe(true);
  });

  test("leaves other traces out", () => {
    expect(matches({ trace: "4bf93" }, { traceId })).toBe(false);
  });

  test.each(["", "xyz", `${traceId}0`, "4b*"])("refuses what is no id: %j", (id) => {
    expect(failure(() => readTraceId(id)).code).toBe("USAGE");
  });
});

describe("--filter", () => {
  test("takes a lone name of a level as that level and above, not as a word", () => {
    expect(matches({ filter: "error" }, { severityNumber: 21, body: "fatal" })).toBe(true);
    expect(matches({ filter: "error" }, { severityNumber: 9, body: "no error" })).toBe(false);
  });

  test("takes the query language, without pipes", () => {
    expect(matches({ filter: "timeout OR lost" }, { body: "frame lost" })).toBe(true);
    const error = failure(() => readQuery("", { filter: "a | count" }));
    expect(error.code).toBe("QUERY_SYNTAX");
  });
});

describe("flags and query together", () => {
  const of = { severityNumber: 17, body: "Connection timeout", traceId: "ab".repeat(16) };

  test("must all hold", () => {
    const flags = { filter: "timeout", level: "warn", trace: "abab", grep: "connec" };
    expect(matches(flags, of, "connection")).toBe(true);
    expect(matches(flags, of, "lost")).toBe(false);
    expect(matches({ ...flags, level: "fatal" }, of, "connection")).toBe(false);
    expect(matches({ ...flags, trace: "ac" }, of, "connection")).toBe(false);
    expect(matches({ ...flags, grep: "lost" }, of, "connection")).toBe(false);
    expect(matches({ ...flags, filter: "lost" }, of, "connection")).toBe(false);
  });

  test("are not mixed up by an OR in one of them", () => {
    expect(matches({ filter: "a OR b", grep: "zzz" }, { body: "a" })).toBe(false);
  });

  test("reach a service as a text that means the same", () => {
    const query = readQuery("a OR b | count by node", {
      node: ['odd "name"', "x*"],
      grep: "50 % * of | all",
      level: "warn",
      trace: "4bf92f",
    });
    expect(parseQuery(printQuery(query))).toEqual(query);
  });
});

describe("time range", () => {
  test("--since is included and --until is not", () => {
    expect(readTimeRange({ since: "-15m", until: "now" }, NOW)).toEqual({
      fromUnixNs: NOW - 900n * SECOND_NS,
      toUnixNs: NOW,
    });
  });

  test("refuses an empty one, and what is no time", () => {
    expect(failure(() => readTimeRange({ since: "now", until: "-1h" }, NOW)).code).toBe("USAGE");
    expect(failure(() => readTimeRange({ since: "soon" }, NOW)).code).toBe("TIME_SYNTAX");
  });
});

test("counts are whole numbers from 0", () => {
  expect(readCount("--tail", "0")).toBe(0);
  expect(readCount("--tail", undefined)).toBeUndefined();
  for (const text of ["-1", "1.5", "ten", "", "1e3", "99999999999999999999"]) {
    expect(failure(() => readCount("--limit", text)).message).toContain(`got "${text}"`);
  }
});

test("an unknown output format is refused with the nearest one", () => {
  expect(readOutput("csv", ["csv", "json"])).toBe("csv");
  expect(failure(() => readOutput("jsno", ["csv", "json"])).message).toContain('"json"?');
});
