import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { AnyValue } from "../../src/core/any-value.ts";
import type { Filter } from "../../src/core/filter.ts";
import type { Signal } from "../../src/core/record.ts";
import { ALL_TIME, toUnixNs } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { systemClock } from "../../src/core/clock.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { encodeMetricsRequest, encodeTracesRequest } from "../../src/wire/otlp-encode.ts";
import { withVersion } from "./newer-version.ts";
import {
  ALL,
  aggregate,
  appendLogs,
  BUDGET,
  lawHolds,
  logsRequest,
  messages,
  openStore,
  parseLines,
  searchAll,
  temporaryFolder,
  word,
} from "./store-user.ts";

const NOON = toUnixNs(20_000, 43_200_000_000_000);

test("an acknowledged record is found at once, and again after a restart and a seal", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  await appendLogs(store, [{ body: "camera started" }]);
  expect(await messages(store, { filter: word("STARTED") })).toEqual(["camera started"]);
  await store.close();
  const again = await openStore(directory);
  expect(await messages(again)).toEqual(["camera started"]);
  await again.seal();
  expect(again.stats()).toMatchObject({ segments: 1, unsealedRows: 0 });
  expect(await messages(again)).toEqual(["camera started"]);
});

test("a log record comes back with every field that was sent (LOG-004, OTLP-025, OTLP-026)", async () => {
  const store = await openStore(temporaryFolder());
  const traceId = "5b8efff798038103d269b633813fc60c";
  const attributes = new Map<string, AnyValue>([
    ["count", 9_007_199_254_740_993n],
    ["__proto__", "data"],
    ["list", ["a", 1n, Number.NaN]],
  ]);
  const record = {
    timeUnixNs: NOON + 1n,
    severityNumber: 17,
    severityText: "Error",
    body: new Map<string, AnyValue>([["reason", "late"]]),
    attributes,
    traceId,
    spanId: "eee19b7ec3c1b174",
    traceFlags: 0xffff_ff01,
    eventName: "frame.late",
  };
  await appendLogs(store, [record, { ...record, traceId: "0".repeat(32), spanId: "" }], {
    "service.name": "camera",
    "dora.node.name": "Node A",
  });
  for (const state of ["open", "sealed"]) {
    const { entries } = await searchAll(store);
    expect(entries[0], state).toMatchObject({
      timestamp: "2024-10-04T12:00:00.000000001Z",
      level: "ERROR",
      node: "Node A",
      message: '{"reason":"late"}',
      body: { reason: "late" },
      trace_id: traceId,
      span_id: "eee19b7ec3c1b174",
      trace_flags: 1,
      event_name: "frame.late",
      severity_text: "Error",
      attributes: parseJson('{"count":"9007199254740993","__proto__":"data","list":["a",1,"NaN"]}'),
    });
    expect(entries[1]).toMatchObject({ trace_id: "", span_id: "" });
    await store.seal();
  }
});

test("pages neither skip nor repeat, with equal times, late records and seals in between (TIME-005)", async () => {
  const store = await openStore(temporaryFolder());
  for (let request = 0; request < 20; request++) {
    // All records share three times, so that only the sequence number tells them apart.
    const records = Array.from({ length: 50 }, (_, index) => ({
      timeUnixNs: NOON + BigInt(index % 3),
      body: `${request}-${index}`,
    }));
    await appendLogs(store, records);
    if (request % 7 === 0) await store.seal();
  }
  for (const order of ["newest", "oldest"] as const) {
    const whole = await messages(store, { order });
    const before = whole.length;
    const paged: string[] = [];
    let after: string | undefined;
    do {
      const page = await searchAll(store, {
        order,
        limit: 37,
        ...(after === undefined ? {} : { after }),
      });
      paged.push(...page.entries.map(({ message }) => message));
      after = page.end.cursor;
      // What arrives between two pages is not seen by either, wherever its time puts it.
      await appendLogs(store, [{ timeUnixNs: NOON + 1n, body: `late ${paged.length} ${order}` }]);
      await store.seal();
    } while (after !== undefined);
    expect(paged).toEqual(whole);
    expect(before).toBe(whole.length);
  }
});

test("a cursor of another search, or none at all, is refused", async () => {
  const store = await openStore(temporaryFolder());
  for (const after of ["", "x", "o-1-2-3-4", "n-1-2-3", "n-1-2-3-99999999999999999"]) {
    await expect(searchAll(store, { order: "newest", after })).rejects.toMatchObject({
      code: "CURSOR_INVALID",
    });
  }
});

test("a request in flight that is sent again waits for the same sync and counts once", async () => {
  const store = await openStore(temporaryFolder());
  const body = logsRequest([{ body: "once" }]);
  const answers = await Promise.all(
    [1, 2, 3].map(() => store.append({ signal: "logs", body, principal: "" })),
  );
  expect(answers.map(({ status }) => status)).toEqual(["stored", "stored", "stored"]);
  expect(await messages(store)).toEqual(["once"]);
  expect(store.counters().logs).toMatchObject({ received: 3, stored: 1, deduplicated: 2 });
  expect(lawHolds(store)).toBe(true);
});

test("equal bytes of two senders are two requests; of one sender, after a restart, still one", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  const body = logsRequest([{ body: "hello" }]);
  await store.append({ signal: "logs", body, principal: "a" });
  await store.append({ signal: "logs", body, principal: "b" });
  await store.seal();
  await store.close();
  const again = await openStore(directory);
  await again.append({ signal: "logs", body, principal: "a" });
  expect(await messages(again)).toHaveLength(2);
  expect(again.counters().logs).toMatchObject({ stored: 2, deduplicated: 1 });
});

test("bytes that are no request are refused and leave no trace (OTLP-011)", async () => {
  const store = await openStore(temporaryFolder());
  const good = logsRequest([{ body: "one" }, { body: "two" }]);
  for (let length = 1; length < good.length; length++) {
    const body = good.subarray(0, length);
    const result = await store.append({ signal: "logs", body, principal: "" });
    if (result.status !== "invalid") expect(result).toMatchObject({ receivedCount: 0 });
  }
  expect(await messages(store)).toEqual([]);
  expect(store.counters().logs).toMatchObject({ received: 0, stored: 0 });
});

test("a record that breaks a limit is rejected and counted, its neighbours are stored (OTLP-010, SEC-005)", async () => {
  const store = await openStore(temporaryFolder());
  let deep: AnyValue = "deep";
  for (let level = 0; level < 40; level++) deep = [deep];
  const result = await appendLogs(store, [
    { body: "fine" },
    { body: "too large", attributes: new Map([["a", "x".repeat(5 * 1024 * 1024)]]) },
    { body: deep },
    { body: "fine too" },
  ]);
  expect(result).toMatchObject({ status: "stored", receivedCount: 4, rejectedCount: 2 });
  expect(result).toHaveProperty("message", expect.stringContaining("record 1: it is larger than"));
  expect(await messages(store)).toEqual(["fine", "fine too"]);
  expect(store.counters().logs).toMatchObject({ received: 4, stored: 2, rejected: 2 });
  expect(lawHolds(store)).toBe(true);
});

test("a record without a time has its observed time, without both the time of receipt (OTLP-024)", async () => {
  const clock = { nowUnixNs: () => NOON, monotonicMs: () => 0 };
  const store = await openStore(temporaryFolder(), { clock });
  await appendLogs(store, [
    { timeUnixNs: 0n, body: "neither" },
    { timeUnixNs: 0n, observedTimeUnixNs: NOON - 5n, body: "observed" },
  ]);
  const { entries } = await searchAll(store);
  expect(entries.map(({ message, timestamp }) => [message, timestamp])).toEqual([
    ["observed", "2024-10-04T11:59:59.999999995Z"],
    ["neither", "2024-10-04T12:00:00.000000Z"],
  ]);
});

test("of two attributes with one key the last one counts (OTLP-028)", async () => {
  const store = await openStore(temporaryFolder());
  const body = otlpJsonToProtobuf("logs", Buffer.from(TWICE_THE_KEY));
  await store.append({ signal: "logs", body, principal: "" });
  const { entries } = await searchAll(store);
  expect(entries).toMatchObject([{ attributes: { key: "second" } }]);
  const filter = (text: string): Filter => ({
    kind: "field",
    field: { target: "attribute", key: "key" },
    test: { op: "equals", text, anyCase: false },
  });
  expect(await messages(store, { filter: filter("second") })).toEqual(["x"]);
  expect(await messages(store, { filter: filter("first") })).toEqual([]);
});

test("records of several days are sealed to a segment a day, and searched in time order", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  const days = [20_002, 20_000, 20_001, 20_000];
  await appendLogs(
    store,
    days.map((day, index) => ({ timeUnixNs: toUnixNs(day, index), body: `${day}/${index}` })),
  );
  await store.seal();
  expect(store.stats().segments).toBe(3);
  expect(await messages(store)).toEqual(["20000/1", "20000/3", "20001/2", "20002/0"]);
  expect(await messages(store, { order: "newest", limit: 2 })).toEqual(["20002/0", "20001/2"]);
});

test("a search sees its time range alone, its start included and its end not", async () => {
  const store = await openStore(temporaryFolder());
  await appendLogs(
    store,
    [0n, 1n, 2n, 3n].map((ns) => ({ timeUnixNs: NOON + ns, body: String(ns) })),
  );
  const range = { fromUnixNs: NOON + 1n, toUnixNs: NOON + 3n };
  expect(await messages(store, { range })).toEqual(["1", "2"]);
  await store.seal();
  expect(await messages(store, { range })).toEqual(["1", "2"]);
});

test("groups count by node, level and time, and rows without a value form a group of their own", async () => {
  const store = await openStore(temporaryFolder());
  await appendLogs(store, [
    { timeUnixNs: NOON, severityNumber: 17 },
    { timeUnixNs: NOON + 61_000_000_000n },
  ]);
  await store.seal();
  await appendLogs(store, [{ timeUnixNs: NOON, attributes: new Map([["ms", 5n]]) }], {});
  const { rows } = await aggregate(store, {
    by: [
      { kind: "field", field: { target: "node" }, name: "node" },
      { kind: "time", intervalNs: 60_000_000_000n, name: "minute" },
    ],
    stats: [
      { kind: "count", name: "count" },
      { kind: "max", field: { target: "any", key: "ms" }, name: "slowest" },
    ],
  });
  expect(rows).toEqual([
    { node: "camera", minute: "2024-10-04T12:00:00.000000Z", count: 1, slowest: null },
    { node: "camera", minute: "2024-10-04T12:01:00.000000Z", count: 1, slowest: null },
    { node: null, minute: "2024-10-04T12:00:00.000000Z", count: 1, slowest: 5 },
  ]);
});

test("a query past its budget says that it is partial, and why", async () => {
  const store = await openStore(temporaryFolder());
  await appendLogs(store, [{ body: "one" }]);
  await store.seal();
  await appendLogs(store, [{ body: "two" }]);
  const budget = { timeMs: 1000, scanBytes: -1, memoryBytes: 1 };
  const { end } = await searchAll(store, { budget });
  expect(end).toMatchObject({
    status: "partial",
    reasons: [expect.stringContaining("stopped after reading")],
  });
  const groups = await aggregate(store, {
    by: [{ kind: "field", field: { target: "message" }, name: "message" }],
    stats: [],
    budget: { ...budget, scanBytes: 1000, memoryBytes: 0 },
  });
  expect(groups).toMatchObject({ status: "partial", reasons: [expect.stringContaining("memory")] });
});

test("the bytes that a search reads to write its entries count against its budget (SEC-015)", async () => {
  const store = await openStore(temporaryFolder());
  const body = "x".repeat(100_000);
  await appendLogs(store, [{ body }, { body }]);
  await store.seal();
  const { end } = await searchAll(store);
  expect(end.scannedBytes).toBeGreaterThan(2 * body.length);
});

test("live search gives the backlog, then every commit, with no gap and none twice", async () => {
  const store = await openStore(temporaryFolder());
  await appendLogs(store, [
    { body: "old 1" },
    { body: "skip" },
    { body: "old 2" },
    { body: "old 3" },
  ]);
  const stop = new AbortController();
  const live = store.follow(
    { signal: "logs", filter: word("old"), backlog: 2, bufferBytesMax: 1e6 },
    stop.signal,
  );
  const seen: string[] = [];
  const backlog = await live.next();
  seen.push(...parseLines(backlog.value?.lines ?? new Uint8Array()).map(({ message }) => message));
  for (let index = 0; index < 50; index++) {
    await appendLogs(store, [{ body: `old live ${index}` }, { body: `other ${index}` }]);
    if (index % 10 === 0) await store.seal();
  }
  while (seen.length < 52) {
    const step = await live.next();
    seen.push(...parseLines(step.value?.lines ?? new Uint8Array()).map(({ message }) => message));
  }
  expect(seen).toEqual([
    "old 2",
    "old 3",
    ...Array.from({ length: 50 }, (_, index) => `old live ${index}`),
  ]);
  stop.abort();
  expect(await live.next()).toMatchObject({ done: true });
});

test("a live reader that is slow is told how many it missed, and its buffer is bounded", async () => {
  const store = await openStore(temporaryFolder());
  const stop = new AbortController();
  const live = store.follow(
    { signal: "logs", filter: ALL, backlog: 0, bufferBytesMax: 1000 },
    stop.signal,
  );
  const first = live.next();
  await appendLogs(store, [{ body: "first" }]);
  await first;
  for (let index = 0; index < 100; index++) await appendLogs(store, [{ body: `record ${index}` }]);
  const step = await live.next();
  const batch = step.value ?? { count: 0, missed: 0, lines: new Uint8Array() };
  expect(batch.count + batch.missed).toBe(100);
  expect(batch.missed).toBeGreaterThan(0);
  expect(batch.lines.length).toBeLessThan(2000);
  stop.abort();
});

test("segments past the retention go by receive time, and are counted as expired", async () => {
  let nowMs = 1_700_000_000_000;
  const clock = { nowUnixNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };
  const directory = temporaryFolder();
  const store = await openStore(directory, { clock, retentionMs: 60_000 });
  // A robot that boots in 1970 does not lose its records at once.
  await appendLogs(store, [{ timeUnixNs: 5n, body: "boot" }]);
  await store.seal();
  nowMs += 59_000;
  await store.expire();
  expect(await messages(store)).toEqual(["boot"]);
  nowMs += 2_000;
  await store.expire();
  expect(await messages(store)).toEqual([]);
  expect(store.counters().logs).toMatchObject({ stored: 1, expired: 1 });
  expect(readdirSync(join(directory, "segments"))).toEqual([]);
});

test("a folder belongs to one store at a time, in this process and in others", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  await expect(EmbeddedStore.open({ directory, clock: systemClock })).rejects.toMatchObject({
    code: "STORE_IN_USE",
  });
  await store.close();
  const reader = await openStore(directory, { mode: "read" });
  await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_IN_USE" });
  await reader.close();
});

test("reading a store's folder changes nothing in it, and a folder without a store is refused", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  await appendLogs(store, [{ body: "sealed" }]);
  await store.seal();
  await appendLogs(store, [{ body: "open" }]);
  await store.close();
  const before = filesOf(directory);
  const reader = await openStore(directory, { mode: "read" });
  expect(await messages(reader)).toEqual(["sealed", "open"]);
  await reader.close();
  expect(filesOf(directory)).toEqual(before);
  await expect(openStore(temporaryFolder(), { mode: "read" })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

test("a manifest that is lost or damaged is made anew from the segments", async () => {
  const directory = temporaryFolder();
  const store = await openStore(directory);
  for (const body of ["a", "b", "c"]) {
    await appendLogs(store, [{ body }, { body: `${body} tomorrow`, timeUnixNs: NOON }]);
    await store.seal();
  }
  await appendLogs(store, [{ body: "open" }]);
  const expected = await messages(store);
  const counters = store.counters();
  await store.close();
  writeFileSync(join(directory, "manifest.json"), "{}");
  const again = await openStore(directory);
  expect(await messages(again)).toEqual(expected);
  expect(again.counters()).toEqual(counters);
  await again.close();
  expect(readdirSync(join(directory, "damaged"))).toHaveLength(1);
});

test("without a manifest, segments stay whose sibling retention took", async () => {
  const directory = temporaryFolder();
  let nowMs = 1_000_000;
  const options = {
    clock: { nowUnixNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs },
    retentionMs: 10_000,
    // A file a request, so that the journal keeps nothing that is sealed.
    journalFileBytesMax: 1,
  };
  const store = await openStore(directory, options);
  await appendLogs(store, [{ body: "old" }]);
  nowMs += 9_000;
  await appendLogs(store, [{ body: "young", timeUnixNs: NOON }]);
  await store.seal();
  await appendLogs(store, [{ body: "open" }]);
  await appendLogs(store, [{ body: "new" }]);
  nowMs += 2_000;
  await store.expire();
  expect(await messages(store)).toEqual(["young", "open", "new"]);
  await store.close();
  rmSync(join(directory, "manifest.json"));
  const again = await openStore(directory, options);
  expect(await messages(again)).toEqual(["young", "open", "new"]);
  expect(again.stats().segments).toBe(1);
  await again.close();
});

test.each(["manifest.json", "segment"])(
  "a %s of a newer version is refused, and nothing is changed",
  async (what) => {
    const directory = temporaryFolder();
    const store = await openStore(directory);
    await appendLogs(store, [{ body: "future" }]);
    await store.seal();
    await store.close();
    const [segment = ""] = readdirSync(join(directory, "segments"));
    const path = what === "segment" ? join(directory, "segments", segment) : join(directory, what);
    writeFileSync(path, withVersion(readFileSync(path), what));
    const before = filesOf(directory);
    await expect(openStore(directory)).rejects.toMatchObject({ code: "STORE_FORMAT_UNKNOWN" });
    expect(filesOf(directory)).toEqual(before);
  },
);

test("spans and metric points are stored and searched beside the logs", async () => {
  const store = await openStore(temporaryFolder());
  const traceId = "5b8efff798038103d269b633813fc60c";
  const envelope = { resource: new Map([["service.name", "camera"]]), scopeName: "s" };
  await store.append({
    signal: "traces",
    principal: "",
    body: encodeTracesRequest({
      ...envelope,
      spans: [
        {
          traceId,
          spanId: "eee19b7ec3c1b174",
          name: "capture",
          kind: 4,
          startTimeUnixNs: NOON,
          endTimeUnixNs: NOON + 5_000n,
          attributes: new Map([["frame", 7n]]),
          events: [{ timeUnixNs: NOON + 1n, name: "late", attributes: new Map() }],
        },
        {
          traceId: "a".repeat(32),
          spanId: "b".repeat(16),
          name: "other",
          kind: 1,
          startTimeUnixNs: NOON,
          endTimeUnixNs: NOON,
          attributes: new Map(),
        },
      ],
    }),
  });
  await store.append({
    signal: "metrics",
    principal: "",
    body: encodeMetricsRequest({
      ...envelope,
      metrics: [
        {
          name: "frames",
          unit: "1",
          type: { kind: "sum", isMonotonic: true },
          points: [{ timeUnixNs: NOON, value: 3n, attributes: new Map([["k", "v"]]) }],
        },
      ],
    }),
  });
  for (const state of ["open", "sealed"]) {
    const filter = {
      kind: "field",
      field: { target: "trace_id" },
      test: { op: "equals", text: traceId, anyCase: false },
    } as const;
    const spans = await linesOf(store, "traces", filter);
    expect(spans, state).toMatchObject([
      {
        name: "capture",
        kind: "producer",
        duration_ns: 5000,
        attributes: { frame: 7 },
        events: [{ name: "late" }],
      },
    ]);
    const points = await linesOf(store, "metrics", ALL);
    expect(points).toMatchObject([
      { name: "frames", kind: "sum", value: 3, attributes: { k: "v" } },
    ]);
    expect(store.counters().traces.stored).toBe(2);
    expect(store.counters().metrics.stored).toBe(1);
    await store.seal();
  }
});

async function linesOf(
  store: EmbeddedStore,
  signal: Signal,
  filter: Filter,
): Promise<readonly unknown[]> {
  const request = { signal, filter, range: ALL_TIME, order: "oldest", budget: BUDGET } as const;
  const step = await store.search(request, new AbortController().signal).next();
  if (step.done === true) return [];
  const lines = new TextDecoder().decode(step.value.lines).split("\n").slice(0, -1);
  return lines.map((line): unknown => JSON.parse(line));
}

/** One log record with the attribute `key` twice. */
const TWICE_THE_KEY = JSON.stringify({
  resourceLogs: [
    {
      scopeLogs: [
        {
          logRecords: [
            {
              body: { stringValue: "x" },
              attributes: [
                { key: "key", value: { stringValue: "first" } },
                { key: "key", value: { stringValue: "second" } },
              ],
            },
          ],
        },
      ],
    },
  ],
});

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

function filesOf(directory: string): readonly (readonly [string, string])[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "lock.sqlite")
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => [path, readFileSync(path).toString("base64")]);
}
