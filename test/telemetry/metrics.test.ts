import { expect, test } from "vitest";
import type { RecordCounts } from "../../src/telemetry/metrics.ts";
import { prefersOpenMetrics, ServiceMetrics } from "../../src/telemetry/metrics.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/** What a Prometheus server of the 2.x and 3.x series asks for. */
const PROMETHEUS =
  "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

const NONE: RecordCounts = {
  received: 0,
  stored: 0,
  rejected: 0,
  filtered: 0,
  deduplicated: 0,
  dropped: 0,
  pending: 0,
  expired: 0,
  damaged: 0,
};

function start() {
  const counts = {
    logs: { ...NONE, received: 7, stored: 5, pending: 2 },
    traces: NONE,
    metrics: NONE,
  };
  const metrics = new ServiceMetrics({
    version: '1.2.3"\n',
    startedUnixMs: 1_736_282_047_500,
    counts: () => counts,
    requests: () => [
      { transport: "http", outcome: "stored", count: 3 },
      { transport: "http", outcome: "memory", count: 2 },
      { transport: "grpc", outcome: "memory", count: 1 },
    ],
    inFlightBytes: () => 4096,
    selfLogDrops: () => ({ loop: 1, rate: 0, full: 0, store: 0 }),
    store: () => ({
      segments: 3,
      segmentBytes: 20,
      journalBytes: 10,
      unsealedRows: 4,
      unsealedBytes: 5,
      merges: {
        isUnderWay: false,
        isDue: true,
        doneCount: 6,
        rows: 70,
        bytes: 800,
        seconds: 0.5,
        failedCount: 1,
        givenUpCount: 2,
      },
    }),
  });
  return { metrics, counts };
}

test("the text format is given unless OpenMetrics is asked for, each with its type (PRM-001)", async () => {
  const { metrics } = start();
  const text = await metrics.renderMetrics(undefined);
  expect(text.contentType).toBe(TEXT);
  expect(text.body).not.toContain("# EOF");
  expect(text.body).toContain('dora_records_received_total{signal="logs"} 7\n');
  expect(text.body).toContain("# TYPE dora_records_received_total counter\n");

  const open = await metrics.renderMetrics(PROMETHEUS);
  expect(open.contentType).toBe(OPEN_METRICS);
  expect(open.body.endsWith("# EOF\n")).toBe(true);
  expect(open.body).toContain("# TYPE dora_records_received counter\n");
  expect(open.body).toContain('dora_records_received_total{signal="logs"} 7\n');
});

test.each([
  [undefined, false],
  ["", false],
  ["*/*", false],
  ["text/plain", false],
  ["text/html, application/xml;q=0.9, */*;q=0.8", false],
  [PROMETHEUS, true],
  ["application/openmetrics-text", true],
  ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', true],
  ["application/openmetrics-text;version=0.0.1", false],
  ["application/openmetrics-text;version=2.0.0", false],
  ["application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.9", false],
  ["application/openmetrics-text;q=0", false],
  ["application/openmetrics-text;q=nonsense", false],
])("Accept %j asks for OpenMetrics: %j (PRM-001)", (accept, expected) => {
  expect(prefersOpenMetrics(accept)).toBe(expected);
});

test("each scrape reads the figures anew, in both formats, without adding them up", async () => {
  const { metrics, counts } = start();
  for (const accept of [undefined, PROMETHEUS]) await metrics.renderMetrics(accept);
  counts.logs = { ...counts.logs, received: 9, stored: 9, pending: 0 };
  const [text, open] = await Promise.all([
    metrics.renderMetrics(undefined),
    metrics.renderMetrics(PROMETHEUS),
  ]);
  for (const { body } of [text, open]) {
    expect(body).toContain('dora_records_received_total{signal="logs"} 9\n');
    expect(body).toContain('dora_records_pending{signal="logs"} 0\n');
  }
});

test("requests are counted by transport and outcome, refusals also by reason alone", async () => {
  const { body } = await start().metrics.renderMetrics(undefined);
  expect(body).toContain('dora_requests_total{transport="http",outcome="stored"} 3\n');
  expect(body).toContain('dora_requests_refused_total{reason="memory"} 3\n');
  expect(body).not.toContain('dora_requests_refused_total{reason="stored"}');
});

test("the sizes of the store are given by part", async () => {
  const { body } = await start().metrics.renderMetrics(undefined);
  expect(body).toContain("dora_store_segments 3\n");
  expect(body).toContain("dora_store_merges_total 6\n");
  expect(body).toContain("dora_store_merged_records_total 70\n");
  expect(body).toContain("dora_store_merges_waiting 1\n");
  expect(body).toContain('dora_store_bytes{part="journal"} 10\n');
  expect(body).toContain('dora_store_bytes{part="segments"} 20\n');
});

test("names have the prefix, base units, and _total on counters alone (PRM-002)", async () => {
  const { body } = await start().metrics.renderMetrics(undefined);
  const types = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  expect(types.length).toBeGreaterThan(15);
  for (const [, name, type] of types) {
    expect(name).toMatch(/^dora_[a-z][a-z0-9_]*$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(name).not.toMatch(/_(ms|mib|kb|minutes|percent)\b/);
  }
});

test("every line of an exposition has the form of the format, whatever a label holds", async () => {
  const { metrics } = start();
  const sample = /^[a-z_]+(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? [0-9.e+-]+$/;
  for (const accept of [undefined, PROMETHEUS]) {
    const { body } = await metrics.renderMetrics(accept);
    for (const line of body.split("\n")) {
      if (line === "" || /^# (HELP|TYPE|EOF)/.test(line)) continue;
      expect(line).toMatch(sample);
    }
  }
});
