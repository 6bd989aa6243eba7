/** Reads what the Collector's file exporter writes: one OTLP request in JSON a line. */
import { z } from "zod";
import type { StoredLog } from "./stored.ts";

/** A log record as both sides give it. */
export interface ComparableLog {
  readonly timeUnixNs: string;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly message: unknown;
  readonly traceId: string;
  readonly spanId: string;
  readonly logger: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface ComparableSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
}

export interface CollectorFile {
  readonly logs: readonly ComparableLog[];
  readonly spans: readonly ComparableSpan[];
  readonly metricPointCount: number;
}

const Value = z.union([
  z.object({ stringValue: z.string() }),
  z.object({ boolValue: z.boolean() }),
  z.object({ intValue: z.string() }),
  z.object({ doubleValue: z.number() }),
]);
const Attributes = z.array(z.object({ key: z.string(), value: Value })).default([]);
const Resource = z.object({ attributes: Attributes }).default({ attributes: [] });
const Scope = z.object({ name: z.string().default("") }).default({ name: "" });
const Id = z.string().default("");

const LogRecord = z.object({
  timeUnixNano: z.string(),
  severityNumber: z.number().default(0),
  severityText: z.string().default(""),
  body: Value,
  attributes: Attributes,
  traceId: Id,
  spanId: Id,
});
const Span = z.object({ traceId: Id, spanId: Id, parentSpanId: Id, name: z.string() });
const Points = z.object({ dataPoints: z.array(z.unknown()) }).optional();
const Metric = z.object({ gauge: Points, sum: Points, histogram: Points });

const Line = z.object({
  resourceLogs: z
    .array(
      z.object({
        resource: Resource,
        scopeLogs: z.array(z.object({ scope: Scope, logRecords: z.array(LogRecord) })),
      }),
    )
    .default([]),
  resourceSpans: z
    .array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(Span) })) }))
    .default([]),
  resourceMetrics: z
    .array(z.object({ scopeMetrics: z.array(z.object({ metrics: z.array(Metric) })) }))
    .default([]),
});

export function readCollectorFile(text: string): CollectorFile {
  const lines = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Line.parse(JSON.parse(line)));
  return {
    logs: lines.flatMap(({ resourceLogs }) =>
      resourceLogs.flatMap(({ resource, scopeLogs }) =>
        scopeLogs.flatMap(({ scope, logRecords }) =>
          logRecords.map((record) => ({
            timeUnixNs: record.timeUnixNano,
            severityNumber: record.severityNumber,
            severityText: record.severityText,
            message: plainValue(record.body),
            traceId: record.traceId,
            spanId: record.spanId,
            logger: scope.name,
            attributes: plainAttributes(record.attributes),
            resource: plainAttributes(resource.attributes),
          })),
        ),
      ),
    ),
    spans: lines.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    ),
    metricPointCount: lines
      .flatMap(({ resourceMetrics }) => resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics))
      .flatMap(({ metrics }) =>
        metrics.flatMap(({ gauge, sum, histogram }) => [gauge, sum, histogram]),
      )
      .reduce((count, points) => count + (points?.dataPoints.length ?? 0), 0),
  };
}

/** The same of an entry of ours. */
export function toComparable(log: StoredLog): ComparableLog {
  return {
    timeUnixNs: toUnixNs(log.timestamp),
    severityNumber: log.severity_number,
    severityText: log.severity_text,
    message: log.message,
    traceId: log.trace_id,
    spanId: log.span_id,
    logger: log.logger,
    attributes: log.attributes,
    resource: log.resource,
  };
}

/** Sorts by time, then by all else, so that two lists of the same records are equal. */
export function sortComparable(logs: readonly ComparableLog[]): readonly ComparableLog[] {
  return logs
    .map((log) => ({ key: `${log.timeUnixNs} ${log.spanId} ${JSON.stringify(log.message)}`, log }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ log }) => log);
}

function toUnixNs(timestamp: string): string {
  const found = /^(.+)\.(\d{6,9})Z$/.exec(timestamp);
  const seconds = Date.parse(`${found?.[1] ?? ""}Z`) / 1000;
  return `${seconds}${(found?.[2] ?? "").padEnd(9, "0")}`;
}

function plainAttributes(attributes: z.infer<typeof Attributes>): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue(value: z.infer<typeof Value>): unknown {
  if ("stringValue" in value) return value.stringValue;
  if ("boolValue" in value) return value.boolValue;
  return "intValue" in value ? Number(value.intValue) : value.doubleValue;
}
