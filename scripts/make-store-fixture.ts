/**
 * Writes the stored fixture of the present format version, once, when a version is released:
 *
 *     node scripts/make-store-fixture.ts test/fixtures/store-v1
 *
 * A fixture is never written again: every later version must open it and answer the same.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyValue } from "../src/core/any-value.ts";
import type { Clock } from "../src/core/clock.ts";
import { SIGNALS } from "../src/core/record.ts";
import { ALL_TIME } from "../src/core/time.ts";
import { EmbeddedStore } from "../src/log-store/embedded-store.ts";
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTracesRequest,
} from "../src/wire/otlp-encode.ts";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: make-store-fixture.ts DIRECTORY");

const START_MS = 1_736_282_047_000;
let nowMs = START_MS;
const clock: Clock = {
  nowUnixNs: () => BigInt(nowMs) * 1_000_000n,
  monotonicMs: () => nowMs,
};
const resource = new Map<string, AnyValue>([
  ["service.name", "camera"],
  ["dora.node.name", "Node A"],
  ["dora.dataflow.id", "0190"],
]);
const envelope = { resource, scopeName: "driver" };
const traceId = "5b8efff798038103d269b633813fc60c";

const store = await EmbeddedStore.open({ directory, clock });
await appendAll(0);
await store.seal();
await appendAll(1);
const expected = Object.fromEntries(
  await Promise.all(SIGNALS.map(async (signal) => [signal, await entriesOf(signal)] as const)),
);
const counters = store.counters();
await store.close();
for (const file of ["lock.sqlite", "service.json"]) rmSync(join(directory, file), { force: true });
writeFileSync(
  join(directory, "expected.json"),
  `${JSON.stringify({ counters, expected }, null, 1)}\n`,
);

async function appendAll(round: number): Promise<void> {
  nowMs = START_MS + round * 1000;
  const timeUnixNs = BigInt(nowMs) * 1_000_000n + 298_518_123n;
  const logs = encodeLogsRequest({
    ...envelope,
    records: Array.from({ length: 5 }, (_, index) => ({
      // The third one is a day late, the fourth has no time.
      timeUnixNs: index === 3 ? 0n : timeUnixNs - (index === 2 ? 86_400_000_000_000n : 0n),
      severityNumber: 1 + index * 4,
      severityText: index === 0 ? "" : "Level",
      body:
        index === 4 ? new Map<string, AnyValue>([["reason", "late"]]) : `frame ${index} Ünïcode`,
      attributes: new Map<string, AnyValue>([
        ["latency_ms", BigInt(index * 10)],
        ["ratio", index / 4],
        ["raw", new Uint8Array([0, 255])],
        ["tags", ["a", true, null]],
      ]),
      eventName: index === 1 ? "frame.late" : "",
      traceId: index < 2 ? traceId : "",
      spanId: index < 2 ? "eee19b7ec3c1b174" : "",
      traceFlags: 1,
    })),
  });
  await store.append({ signal: "logs", body: logs, principal: "" });
  // The same bytes again: a retry, counted and not stored.
  await store.append({ signal: "logs", body: logs, principal: "" });
  const spans = encodeTracesRequest({
    ...envelope,
    spans: [
      {
        traceId,
        spanId: "eee19b7ec3c1b174",
        parentSpanId: "eee19b7ec3c1b173",
        traceState: "a=b",
        name: "capture",
        kind: 4,
        startTimeUnixNs: timeUnixNs,
        endTimeUnixNs: timeUnixNs + 5_000_001n,
        attributes: new Map([["frame", 7n]]),
        events: [{ timeUnixNs: timeUnixNs + 1n, name: "exposed", attributes: new Map() }],
        statusCode: 2,
        statusMessage: "sensor timed out",
      },
    ],
  });
  await store.append({ signal: "traces", body: spans, principal: "" });
  const points = encodeMetricsRequest({
    ...envelope,
    metrics: [
      {
        name: "frames",
        unit: "1",
        type: { kind: "sum", isMonotonic: true },
        points: [{ timeUnixNs, value: 2n ** 60n + 1n, attributes: new Map([["ok", true]]) }],
      },
      {
        name: "temperature",
        unit: "Cel",
        type: { kind: "gauge" },
        points: [{ timeUnixNs, value: 41.5, attributes: new Map() }],
      },
    ],
  });
  await store.append({ signal: "metrics", body: points, principal: "" });
}

async function entriesOf(signal: (typeof SIGNALS)[number]): Promise<readonly unknown[]> {
  const budget = { timeMs: 10_000, scanBytes: 1e9, memoryBytes: 1e9 };
  const request = {
    signal,
    filter: { kind: "all" },
    range: ALL_TIME,
    order: "oldest",
    budget,
  } as const;
  const entries: unknown[] = [];
  for await (const { lines } of store.search(request, new AbortController().signal)) {
    for (const line of new TextDecoder().decode(lines).split("\n").slice(0, -1)) {
      entries.push(JSON.parse(line));
    }
  }
  return entries;
}
