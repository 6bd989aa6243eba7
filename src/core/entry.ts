import type { Json } from "./any-value.ts";
import type { Signal } from "./record.ts";

/**
 * The standard log entry: what every search, live search and export gives, as one JSON object a
 * line. The first five keys are those that users were promised, always present and in this order.
 */
export interface LogEntry {
  /** ISO 8601, UTC, six digits of a second, nine where the record has nanoseconds. */
  readonly timestamp: string;
  /** TRACE, DEBUG, INFO, WARN, ERROR, FATAL or UNSPECIFIED. */
  readonly level: string;
  /** The node's display name, else its id. */
  readonly node: string;
  /** The body as text. */
  readonly message: string;
  /** 32 hex digits, "" where the record has none. */
  readonly trace_id: string;
  readonly span_id: string;
  readonly dataflow: string;
  /** The scope's name. */
  readonly logger: string;
  readonly event_name: string;
  readonly severity_number: number;
  readonly severity_text: string;
  readonly observed_timestamp: string;
  readonly trace_flags: number;
  /** The record's sequence number, its identity in this store. */
  readonly seq: number;
  readonly attributes: { readonly [key: string]: Json };
  readonly resource: { readonly [key: string]: Json };
  /** Present where the body is not a string. */
  readonly body?: Json;
}

/** The keys of `LogEntry` in the order in which they are written, `body` left out. */
export const LOG_ENTRY_KEYS = [
  "timestamp",
  "level",
  "node",
  "message",
  "trace_id",
  "span_id",
  "dataflow",
  "logger",
  "event_name",
  "severity_number",
  "severity_text",
  "observed_timestamp",
  "trace_flags",
  "seq",
  "attributes",
  "resource",
] as const satisfies readonly (keyof LogEntry)[];

/** One span as a JSON object, the entry of the `traces` signal. */
export interface SpanEntry {
  /** The start, ISO 8601, UTC. */
  readonly timestamp: string;
  readonly duration_ns: number;
  readonly node: string;
  readonly name: string;
  readonly kind: string;
  /** "unset", "ok" or "error". */
  readonly status: string;
  readonly status_message: string;
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  readonly dataflow: string;
  readonly seq: number;
  readonly attributes: { readonly [key: string]: Json };
  readonly events: readonly {
    readonly timestamp: string;
    readonly name: string;
    readonly attributes: { readonly [key: string]: Json };
  }[];
  readonly links: readonly {
    readonly trace_id: string;
    readonly span_id: string;
    readonly attributes: { readonly [key: string]: Json };
  }[];
  readonly resource: { readonly [key: string]: Json };
}

/** One metric data point as a JSON object, the entry of the `metrics` signal. */
export interface PointEntry {
  readonly timestamp: string;
  readonly node: string;
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram" | "exponential_histogram" | "summary";
  readonly temporality: "unspecified" | "delta" | "cumulative";
  readonly is_monotonic: boolean;
  /** Of gauges and sums. */
  readonly value: number | null;
  /** Of histograms and summaries. */
  readonly count: number | null;
  readonly sum: number | null;
  readonly dataflow: string;
  readonly seq: number;
  readonly attributes: { readonly [key: string]: Json };
  readonly resource: { readonly [key: string]: Json };
}

const SPAN_ENTRY_KEYS = [
  "timestamp",
  "duration_ns",
  "node",
  "name",
  "kind",
  "status",
  "status_message",
  "trace_id",
  "span_id",
  "parent_span_id",
  "dataflow",
  "seq",
  "attributes",
  "events",
  "links",
  "resource",
] as const satisfies readonly (keyof SpanEntry)[];

const POINT_ENTRY_KEYS = [
  "timestamp",
  "node",
  "name",
  "unit",
  "kind",
  "temporality",
  "is_monotonic",
  "value",
  "count",
  "sum",
  "dataflow",
  "seq",
  "attributes",
  "resource",
] as const satisfies readonly (keyof PointEntry)[];

/** The keys that every entry of a table has, in the order in which they are written. */
export const ENTRY_KEYS: { readonly [table in Signal]: readonly string[] } = {
  logs: LOG_ENTRY_KEYS,
  traces: SPAN_ENTRY_KEYS,
  metrics: POINT_ENTRY_KEYS,
};
