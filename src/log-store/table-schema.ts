import type { Signal } from "../core/record.ts";

/**
 * The columns of the three tables. Open blocks, segments and readers are all driven by these
 * lists: a new column is a line here, its writing in the signal's appender, its reading where it
 * is shown.
 */
export interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Of a `bytes` column: how a segment cuts its values into clauses; without it they stay whole. */
  readonly clauses?: "text" | "attributes";
  /** Of a `time` column: it mostly follows `time` closely, and is kept as the distance to it. */
  readonly followsTime?: true;
  /**
   * Of points, where a block has few series (`points/`): kept once for each series, all of whose
   * points have it the same; or by series in the section `points`.
   */
  readonly bySeries?: "once" | "points";
}

export type ColumnKind =
  /** Unsigned byte. */
  | "u8"
  /** Unsigned 32 bits. */
  | "u32"
  /** Whole numbers below 2^53 that mostly rise; kept as deltas on disk. */
  | "int"
  | "f64"
  /** A UTC day (i32) and the nanosecond within it (f64). */
  | "time"
  /** Raw bytes of fixed width; all zero is absent. */
  | "id16"
  | "id8"
  /** An index into a dictionary of byte strings. */
  | "dict"
  /** Bytes of any length. */
  | "bytes";

/** Every table has these: identity, receive time (Unix ms), record time, resource, scope. */
const COMMON: readonly Column[] = [
  { name: "seq", kind: "int" },
  { name: "received", kind: "int" },
  { name: "time", kind: "time" },
  { name: "resource", kind: "dict", bySeries: "once" },
  { name: "scope", kind: "dict", bySeries: "once" },
  { name: "attributes", kind: "bytes", clauses: "attributes" },
];

export const TABLES: Readonly<Record<Signal, readonly Column[]>> = {
  logs: [
    ...COMMON,
    { name: "observed", kind: "time", followsTime: true },
    { name: "severity", kind: "u8" },
    { name: "severity_text", kind: "dict" },
    { name: "event_name", kind: "dict" },
    { name: "trace_id", kind: "id16" },
    { name: "span_id", kind: "id8" },
    { name: "flags", kind: "u8" },
    { name: "dropped_attributes", kind: "u32" },
    { name: "body_kind", kind: "u8" },
    { name: "body", kind: "bytes", clauses: "text" },
  ],
  traces: [
    ...COMMON,
    { name: "end", kind: "time", followsTime: true },
    { name: "trace_id", kind: "id16" },
    { name: "span_id", kind: "id8" },
    { name: "parent_span_id", kind: "id8" },
    { name: "trace_state", kind: "dict" },
    { name: "name", kind: "dict" },
    { name: "kind", kind: "u8" },
    { name: "status_code", kind: "u8" },
    { name: "status_message", kind: "bytes", clauses: "text" },
    { name: "flags", kind: "u32" },
    { name: "dropped_attributes", kind: "u32" },
    { name: "dropped_events", kind: "u32" },
    { name: "dropped_links", kind: "u32" },
    { name: "events", kind: "bytes" },
    { name: "links", kind: "bytes" },
  ],
  metrics: [
    ...COMMON,
    { name: "start", kind: "time" },
    { name: "metric", kind: "dict", bySeries: "once" },
    { name: "metric_kind", kind: "u8", bySeries: "once" },
    { name: "temporality", kind: "u8", bySeries: "once" },
    { name: "is_monotonic", kind: "u8", bySeries: "once" },
    { name: "value_kind", kind: "u8", bySeries: "once" },
    { name: "value", kind: "f64", bySeries: "points" },
    { name: "rest", kind: "bytes", bySeries: "points" },
  ],
};

/** Rows of one block. */
export const BLOCK_ROWS_MAX = 65_536;

/** Bytes of one `bytes` column in a block; at least one record fits (`RECORD_BYTES_MAX`). */
export const BLOCK_COLUMN_BYTES_MAX = 16 * 1024 * 1024;

/** Bytes of one dictionary's entries in an open block; at least one `ENVELOPE_BYTES_MAX` fits. */
export const BLOCK_DICTIONARY_BYTES_MAX = 2 * 1024 * 1024;
