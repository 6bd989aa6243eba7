import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { FieldRef, Filter } from "../../src/core/filter.ts";
import type { Signal } from "../../src/core/record.ts";
import type { TimeRange } from "../../src/core/time.ts";
import { canUseCounts } from "../../src/log-store/aggregate-by-counts.ts";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { AggregateResult, GroupKey, Stat } from "../../src/log-store/log-store.ts";
import { SegmentFiles } from "../../src/log-store/segment-files.ts";
import { encodeMetricsRequest, encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import { ALL, aggregate, appendLogs, openStore, temporaryFolder, word } from "./store-user.ts";

const COUNT: Stat = { kind: "count", name: "count" };
const LEVEL: GroupKey = { kind: "field", field: { target: "level" }, name: "level" };
const NODE: GroupKey = { kind: "field", field: { target: "node" }, name: "node" };

function byTime(intervalNs: bigint): GroupKey {
  return { kind: "time", intervalNs, name: "time" };
}

function exists(field: FieldRef): Filter {
  return { kind: "field", field, test: { op: "exists" } };
}

describe("what joint counts answer", () => {
  const MINUTE_NS = 60_000_000_000n;
  const answer = (
    parts: Partial<Parameters<typeof canUseCounts>[0]>,
    signal: Signal = "logs",
  ): boolean => canUseCounts({ signal, filter: ALL, by: [], stats: [COUNT], ...parts });

  test.each<readonly [string, Filter, boolean]>([
    ["all", ALL, true],
    ["none", { kind: "none" }, true],
    ["a severity", { kind: "severity", min: 9, max: 24 }, true],
    ["free text", word("timeout"), false],
    ["level", exists({ target: "level" }), true],
    ["node", exists({ target: "node" }), true],
    ["dataflow", exists({ target: "dataflow" }), true],
    ["a resource attribute", exists({ target: "resource", key: "host" }), true],
    ["message", exists({ target: "message" }), false],
    ["event", exists({ target: "event" }), false],
    ["logger", exists({ target: "logger" }), false],
    ["trace_id", exists({ target: "trace_id" }), false],
    ["span_id", exists({ target: "span_id" }), false],
    ["an attribute", exists({ target: "attribute", key: "host" }), false],
    ["a bare name", exists({ target: "any", key: "host" }), false],
    ["not a node", { kind: "not", of: exists({ target: "node" }) }, true],
    ["not a logger", { kind: "not", of: exists({ target: "logger" }) }, false],
    ["nodes and levels", { kind: "and", of: [exists({ target: "node" }), ALL] }, true],
    ["a node and a word", { kind: "and", of: [exists({ target: "node" }), word("x")] }, false],
    ["a node or a word", { kind: "or", of: [exists({ target: "node" }), word("x")] }, false],
  ])("of the filters: %s", (_, filter, expected) => {
    expect(answer({ filter })).toBe(expected);
  });

  test.each<readonly [string, readonly GroupKey[], boolean]>([
    ["node and level", [NODE, LEVEL], true],
    ["node and logger", [NODE, { ...NODE, field: { target: "logger" } }], false],
    ["one minute", [byTime(MINUTE_NS)], true],
    ["fifteen minutes", [byTime(15n * MINUTE_NS)], true],
    ["seven days", [byTime(7n * 1440n * MINUTE_NS)], true],
    ["30 seconds", [byTime(MINUTE_NS / 2n)], false],
    ["90 seconds", [byTime((3n * MINUTE_NS) / 2n)], false],
    ["a minute and a nanosecond", [byTime(MINUTE_NS + 1n)], false],
  ])("of the keys: %s", (_, by, expected) => {
    expect(answer({ by })).toBe(expected);
  });

  test("of the stats: counts alone", () => {
    const sum: Stat = { kind: "sum", field: { target: "resource", key: "size" }, name: "sum" };
    expect(answer({ stats: [COUNT, COUNT] })).toBe(true);
    expect(answer({ stats: [] })).toBe(true);
    expect(answer({ stats: [COUNT, sum] })).toBe(false);
  });

  test("the level of logs alone, and the name of spans", () => {
    expect(answer({ by: [LEVEL] }, "traces")).toBe(false);
    expect(answer({ filter: exists({ target: "event" }) }, "traces")).toBe(true);
    expect(answer({ filter: exists({ target: "event" }) }, "metrics")).toBe(false);
    expect(answer({ by: [NODE], filter: { kind: "severity", min: 1, max: 9 } }, "metrics")).toBe(
      true,
    );
  });
});

/** 00:00 of a day. */
const DAY_START_NS = 1_736_294_400_000_000_000n;
const SECOND_NS = 1_000_000_000n;

/** A hundred records of one node, one a second from 00:00:00, each fourth one an error. */
async function sealedStore(directory = temporaryFolder()): Promise<EmbeddedStore> {
  const store = await openStore(directory);
  const records = Array.from({ length: 100 }, (_, index) => ({
    timeUnixNs: DAY_START_NS + BigInt(index) * SECOND_NS,
    severityNumber: index % 4 === 0 ? 17 : 9,
    body: `record ${index}`,
  }));
  await appendLogs(store, records);
  await store.seal();
  return store;
}

function countIn(store: EmbeddedStore, range: TimeRange): Promise<AggregateResult> {
  return aggregate(store, { by: [LEVEL], stats: [COUNT], range });
}

test("a count of whole blocks reads none of their rows", async () => {
  const store = await sealedStore();
  const { rows, scannedRows, status } = await aggregate(store, {
    by: [byTime(60n * SECOND_NS), LEVEL, NODE],
    stats: [COUNT],
  });
  expect(rows).toEqual([
    { time: "2025-01-08T00:00:00.000000Z", level: "ERROR", node: "camera", count: 15 },
    { time: "2025-01-08T00:00:00.000000Z", level: "INFO", node: "camera", count: 45 },
    { time: "2025-01-08T00:01:00.000000Z", level: "ERROR", node: "camera", count: 10 },
    { time: "2025-01-08T00:01:00.000000Z", level: "INFO", node: "camera", count: 30 },
  ]);
  expect({ scannedRows, status }).toEqual({ scannedRows: 0, status: "complete" });
});

test("a range that cuts a block is exact to the nanosecond, at minutes too", async () => {
  const store = await sealedStore();
  const minute = DAY_START_NS + 60n * SECOND_NS;
  const upToMinute = await countIn(store, { fromUnixNs: 0n, toUnixNs: minute });
  expect(upToMinute.rows.map(({ count }) => count)).toEqual([15, 45]);
  const withMinute = await countIn(store, { fromUnixNs: 0n, toUnixNs: minute + 1n });
  expect(withMinute.rows.map(({ count }) => count)).toEqual([16, 45]);
  const last = DAY_START_NS + 99n * SECOND_NS;
  const toLast = await countIn(store, { fromUnixNs: DAY_START_NS, toUnixNs: last });
  expect(toLast.rows.map(({ count }) => count)).toEqual([25, 74]);
  expect(toLast.scannedRows).toBe(100);
  const behindLast = await countIn(store, { fromUnixNs: DAY_START_NS, toUnixNs: last + 1n });
  expect(behindLast.rows.map(({ count }) => count)).toEqual([25, 75]);
  expect(behindLast.scannedRows).toBe(0);
});

test("rows that have too little in common are scanned", async () => {
  const store = await openStore(temporaryFolder());
  for (let index = 0; index < 20; index++) {
    await appendLogs(store, [{}, {}, {}, {}, {}], { "service.name": `node ${index}` });
  }
  await store.seal();
  const { rows, scannedRows } = await aggregate(store, { by: [NODE], stats: [COUNT] });
  expect(rows).toHaveLength(20);
  expect(rows[0]).toEqual({ node: "node 0", count: 5 });
  expect(scannedRows).toBe(100);
});

test("spans are counted by node and name, points by node", async () => {
  const store = await openStore(temporaryFolder());
  const envelope = { resource: new Map([["service.name", "camera"]]), scopeName: "test" };
  const spans = Array.from({ length: 90 }, (_, index) => ({
    traceId: "a".repeat(32),
    spanId: String(index + 1).padStart(16, "0"),
    name: index % 3 === 0 ? "read" : "plan",
    kind: 1,
    startTimeUnixNs: DAY_START_NS,
    endTimeUnixNs: DAY_START_NS + SECOND_NS,
    attributes: new Map(),
  }));
  const points = Array.from({ length: 64 }, (_, index) => ({
    timeUnixNs: DAY_START_NS,
    value: index,
    attributes: new Map(),
  }));
  const metrics = [{ name: "temperature", type: { kind: "gauge" as const }, points }];
  const traces = encodeTracesRequest({ ...envelope, spans });
  await store.append({ signal: "traces", body: traces, principal: "" });
  const body = encodeMetricsRequest({ ...envelope, metrics });
  await store.append({ signal: "metrics", body, principal: "" });
  await store.seal();
  const event: GroupKey = { kind: "field", field: { target: "event" }, name: "name" };
  const ofSpans = await aggregate(store, { signal: "traces", by: [NODE, event], stats: [COUNT] });
  expect(ofSpans.rows).toEqual([
    { node: "camera", name: "plan", count: 60 },
    { node: "camera", name: "read", count: 30 },
  ]);
  const ofPoints = await aggregate(store, { signal: "metrics", by: [NODE], stats: [COUNT] });
  expect(ofPoints.rows).toEqual([{ node: "camera", count: 64 }]);
  expect(ofSpans.scannedRows + ofPoints.scannedRows).toBe(0);
});

test("the section is one run of deltas: minutes, severities, resources, rows", async () => {
  const directory = temporaryFolder();
  await sealedStore(directory);
  const files = new SegmentFiles();
  const [file = ""] = readdirSync(join(directory, "segments"));
  const segment = files.open(join(directory, "segments"), file);
  const section = segment.footer.blocks[0]?.sections.find(({ name }) => name === "counts");
  expect(section).toBeDefined();
  if (section === undefined) return;
  // Minutes 0 0 1 1, severities 9 17 9 17, resources 0 0 0 0, rows 45 15 30 10.
  expect([...segment.readSection(section)]).toEqual([
    0, 0, 2, 0, 16, 16, 15, 16, 33, 0, 0, 0, 90, 59, 30, 39,
  ]);
  files.close();
});

test("counts have no other column, and asking for one is a mistake", async () => {
  const directory = temporaryFolder();
  await sealedStore(directory);
  const files = new SegmentFiles();
  const [file = ""] = readdirSync(join(directory, "segments"));
  const segment = files.open(join(directory, "segments"), file);
  const counts = files.counts(segment, 0);
  expect(counts?.rows).toBe(4);
  expect(counts?.weights).toEqual(new Uint32Array([45, 15, 30, 10]));
  expect(() => counts?.bytes("body")).toThrow("rows are not counted by body");
  expect(() => counts?.f64("seq")).toThrow("rows are not counted by seq");
  expect(() => counts?.dict("scope")).toThrow("rows are not counted by scope");
  expect(() => counts?.time("observed")).toThrow("rows are not counted by observed");
  files.close();
});

test("damaged counts are told, and the other blocks still count", async () => {
  const directory = temporaryFolder();
  const store = await sealedStore(directory);
  await appendLogs(
    store,
    Array.from({ length: 16 }, () => ({ severityNumber: 9 })),
  );
  await store.seal();
  const folder = join(directory, "segments");
  const file = readdirSync(folder).find((name) => name.includes("2025-01-08")) ?? "";
  const bytes = readFileSync(join(folder, file));
  const files = new SegmentFiles();
  const { footer } = files.open(folder, file);
  files.close();
  const section = footer.blocks[0]?.sections.find(({ name }) => name === "counts");
  const offset = section?.offset ?? 0;
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  writeFileSync(join(folder, file), bytes);
  const { rows, status, reasons } = await aggregate(store, { by: [LEVEL], stats: [COUNT] });
  expect(rows).toEqual([{ level: "INFO", count: 16 }]);
  expect(status).toBe("partial");
  expect(reasons[0]).toContain(`${file}: section counts fails its checksum`);
});
