import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { LOAD_DAY_UNIX_MS } from "../../bench/load.ts";
import { DEFAULT_METRIC_LOAD, generateMetricLoad } from "../../bench/metric-load.ts";
import { DEFAULT_TRACE_LOAD, generateTraceLoad } from "../../bench/trace-load.ts";
import { decodeReferenceRequest } from "../wire/otlp-reference.ts";

const TRACES = { ...DEFAULT_TRACE_LOAD, spanCount: 20_000 };
const METRICS = { ...DEFAULT_METRIC_LOAD, momentCount: 60 };
const DAY_START_NS = BigInt(LOAD_DAY_UNIX_MS) * 1_000_000n;
const DAY_NS = 86_400_000_000_000n;

const Attributes = z.array(z.object({ key: z.string() })).default([]);
const Resource = z.object({
  attributes: z.array(
    z.object({ key: z.string(), value: z.object({ stringValue: z.string().optional() }) }),
  ),
});
const TraceRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: Resource,
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().default(""),
              name: z.string(),
              kind: z.number(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              status: z.object({ code: z.number().default(0) }),
              attributes: Attributes,
            }),
          ),
        }),
      ),
    }),
  ),
});
const Point = z.object({
  timeUnixNano: z.string(),
  startTimeUnixNano: z.string(),
  attributes: Attributes,
  asInt: z.string().optional(),
  asDouble: z.number().optional(),
  count: z.string().optional(),
  sum: z.number().optional(),
  bucketCounts: z.array(z.string()).optional(),
});
const Data = z.object({ dataPoints: z.array(Point), isMonotonic: z.boolean().optional() });
const MetricRequest = z.object({
  resourceMetrics: z.array(
    z.object({
      resource: Resource,
      scopeMetrics: z.array(
        z.object({
          metrics: z.array(
            z.object({
              name: z.string(),
              gauge: Data.optional(),
              sum: Data.optional(),
              histogram: Data.optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

describe("the load of spans", () => {
  const requests = [...generateTraceLoad(TRACES)];
  const rows = requests.flatMap((request) => request.rows);

  test("is the same for the same seed, and another for another", () => {
    expect(digest(generateTraceLoad(TRACES))).toBe(digest(requests));
    expect(digest(generateTraceLoad({ ...TRACES, seed: 2 }))).not.toBe(digest(requests));
  });

  test("is trees of calls, each inside its caller's time, some of which fail", () => {
    expect(rows).toHaveLength(TRACES.spanCount);
    const byId = new Map(rows.map((row) => [row.spanId, row]));
    const children = rows.filter(({ parentSpanId }) => parentSpanId !== "");
    // The last request may end inside a trace, whose callers come last.
    const parents = children.flatMap((child) => {
      const parent = byId.get(child.parentSpanId);
      return parent === undefined ? [] : [{ child, parent }];
    });
    expect(parents.length).toBeGreaterThan(0.999 * children.length);
    for (const { child, parent } of parents) {
      expect(child.traceId).toBe(parent.traceId);
      expect(child.startUnixNs).toBeGreaterThanOrEqual(parent.startUnixNs);
      expect(child.endUnixNs).toBeLessThanOrEqual(parent.endUnixNs);
    }
    const failed = rows.filter(({ statusCode }) => statusCode === 2).length / rows.length;
    expect(failed).toBeGreaterThan(0.003);
    expect(failed).toBeLessThan(0.02);
    expect(new Set(rows.map(({ service }) => service)).size).toBe(9);
  });

  test("covers its day", () => {
    expect(rows.every(({ startUnixNs }) => startUnixNs >= DAY_START_NS)).toBe(true);
    const late = DAY_START_NS + (DAY_NS * 9n) / 10n;
    expect(rows.some(({ startUnixNs }) => startUnixNs > late)).toBe(true);
  });

  test("is what protobuf reads", () => {
    for (const { body, rows: wanted } of generateTraceLoad({ ...TRACES, spanCount: 3_000 })) {
      const { resourceSpans } = TraceRequest.parse(decodeReferenceRequest("traces", body));
      const read = resourceSpans.flatMap(({ resource, scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) =>
          spans.map((span) => ({ ...span, service: serviceOf(resource) })),
        ),
      );
      const sent = wanted.map((row) => ({
        traceId: toBase64(row.traceId),
        spanId: toBase64(row.spanId),
        parentSpanId: toBase64(row.parentSpanId),
        name: row.name,
        kind: row.kind,
        startTimeUnixNano: row.startUnixNs.toString(),
        endTimeUnixNano: row.endUnixNs.toString(),
        status: { code: row.statusCode },
        attributes: row.attributes.map(([key]) => ({ key })),
        service: row.service,
      }));
      const bySpan = (left: { spanId: string }, right: { spanId: string }): number =>
        left.spanId < right.spanId ? -1 : 1;
      expect(read.toSorted(bySpan)).toEqual(sent.toSorted(bySpan));
    }
  });
});

describe("the load of metrics", () => {
  const requests = [...generateMetricLoad(METRICS)];
  const rows = requests.flatMap((request) => request.rows);

  test("is the same for the same seed, and another for another", () => {
    expect(digest(generateMetricLoad(METRICS))).toBe(digest(requests));
    expect(digest(generateMetricLoad({ ...METRICS, seed: 2 }))).not.toBe(digest(requests));
  });

  test("is one point of each series every ten seconds, and counters never fall", () => {
    const series = Map.groupBy(
      rows,
      ({ service, metric, attributes }) => `${service} ${metric} ${JSON.stringify(attributes)}`,
    );
    expect(series.size).toBe(METRICS.instanceCount * 12);
    for (const [name, points] of series) {
      expect(points, name).toHaveLength(METRICS.momentCount);
      points.slice(1).forEach((point, index) => {
        const before = points[index];
        const stepMs = Number(point.timeUnixNs - (before?.timeUnixNs ?? 0n)) / 1e6;
        expect(Math.abs(stepMs - 10_000)).toBeLessThanOrEqual(3);
        const isCounter = /network|dropped|sent/.test(point.metric);
        if (isCounter) expect(point.value).toBeGreaterThanOrEqual(before?.value ?? 0);
        expect(point.histogram?.sum ?? 0).toBeGreaterThanOrEqual(before?.histogram?.sum ?? 0);
      });
    }
  });

  test("is what protobuf reads", () => {
    const { body, rows: wanted } = requests[0] ?? { body: new Uint8Array(), rows: [] };
    const { resourceMetrics } = MetricRequest.parse(decodeReferenceRequest("metrics", body));
    const read = resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) =>
        metrics.flatMap(({ name, gauge, sum, histogram }) =>
          (gauge ?? sum ?? histogram)?.dataPoints.map((point) => ({
            service: serviceOf(resource),
            metric: name,
            time: point.timeUnixNano,
            isMonotonic: sum?.isMonotonic ?? false,
            value: Number(point.asInt ?? point.asDouble ?? point.sum),
            counts: (point.bucketCounts ?? []).map(Number),
          })),
        ),
      ),
    );
    const sent = wanted.map(({ service, metric, timeUnixNs, value, histogram }) => ({
      service,
      metric,
      time: timeUnixNs.toString(),
      isMonotonic: /network|dropped|sent/.test(metric),
      value: histogram?.sum ?? value,
      counts: histogram?.bucketCounts ?? [],
    }));
    expect(read).toEqual(sent);
  });
});

function serviceOf({ attributes }: z.infer<typeof Resource>): string | undefined {
  return attributes.find(({ key }) => key === "service.name")?.value.stringValue;
}

function digest(requests: Iterable<{ readonly body: Uint8Array }>): string {
  const hash = createHash("sha256");
  for (const { body } of requests) hash.update(body);
  return hash.digest("hex");
}

function toBase64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}
