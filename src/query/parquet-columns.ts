import type { Signal } from "../core/record.ts";
import { parseRfc3339 } from "../core/time.ts";
import type { Row } from "./row.ts";
import { ownValue } from "./row.ts";

/** What a column holds: text as a string, time and int64 as a bigint, the others as they are. */
export type ParquetType = "text" | "time" | "int32" | "int64" | "double" | "boolean";

/** A value of any of the types; null where the entry has none that the type can hold. */
export type ParquetValue = string | bigint | number | boolean | null;

/** One column of a Parquet file, and where its values are in an entry. */
export interface ParquetColumn {
  readonly name: string;
  readonly type: ParquetType;
  /** Whether values grow from row to row, mostly by little. */
  readonly isAscending?: boolean;
  readonly read: (entry: Row) => ParquetValue;
}

/** The time of an entry, of which up to three columns are made. */
const readTimestamp = rememberLast((entry) => timeOf(entry, "timestamp"));

/**
 * The columns of each table: the keys of its entries under their names and in their order, and what
 * readers would else have to work out.
 *
 * - Times are instants, UTC, to the nanosecond. Readers with microseconds alone (DuckDB) find the
 *   nanoseconds in `time_unix_ns`.
 * - Ids are null where an entry has none, so that a join by them pairs nothing with nothing. Other
 *   texts are "" then, as in every other form.
 * - What has no fixed shape (attributes, resources, bodies, events, links) is JSON text. DuckDB
 *   reads it with `attributes->>'latency_ms'`, pandas with `json.loads`. A map would make text of
 *   every number and of nested values, and reaches pandas as a list of pairs; Parquet's own JSON
 *   type is bytes to some readers.
 * - Null is also what a type cannot hold: a time after 2262-04-11, a whole number past 63 bits.
 */
export const PARQUET_COLUMNS: { readonly [table in Signal]: readonly ParquetColumn[] } = {
  logs: [
    timestamp(),
    text("level"),
    text("node"),
    text("message"),
    id("trace_id"),
    id("span_id"),
    text("dataflow"),
    text("logger"),
    text("event_name"),
    int32("severity_number"),
    text("severity_text"),
    time("observed_timestamp"),
    int32("trace_flags"),
    sequence(),
    json("attributes"),
    json("resource"),
    json("body"),
    timeUnixNs(),
  ],
  traces: [
    timestamp(),
    endTime(),
    int64("duration_ns"),
    text("node"),
    text("name"),
    text("kind"),
    text("status"),
    text("status_message"),
    id("trace_id"),
    id("span_id"),
    id("parent_span_id"),
    text("dataflow"),
    sequence(),
    json("attributes"),
    json("events"),
    json("links"),
    json("resource"),
    timeUnixNs(),
  ],
  metrics: [
    timestamp(),
    text("node"),
    text("name"),
    text("unit"),
    text("kind"),
    text("temporality"),
    { name: "is_monotonic", type: "boolean", read: (entry) => booleanOf(entry, "is_monotonic") },
    double("value"),
    int64("count"),
    double("sum"),
    text("dataflow"),
    sequence(),
    json("attributes"),
    json("resource"),
    timeUnixNs(),
  ],
};

function text(name: string): ParquetColumn {
  return { name, type: "text", read: (entry) => textOf(entry, name) };
}

function id(name: string): ParquetColumn {
  return { name, type: "text", read: (entry) => textOf(entry, name) || null };
}

function json(name: string): ParquetColumn {
  const read = (entry: Row): ParquetValue => {
    const value = ownValue(entry, name);
    return value === undefined ? null : JSON.stringify(value);
  };
  return { name, type: "text", read };
}

function time(name: string): ParquetColumn {
  return { name, type: "time", isAscending: true, read: (entry) => timeOf(entry, name) };
}

function timestamp(): ParquetColumn {
  return { ...time("timestamp"), read: readTimestamp };
}

function timeUnixNs(): ParquetColumn {
  return { ...timestamp(), name: "time_unix_ns", type: "int64" };
}

/** Exact where the span took less than 104 days, beyond which its duration is rounded. */
function endTime(): ParquetColumn {
  const read = (entry: Row): ParquetValue => {
    const start = readTimestamp(entry);
    const duration = int64Of(entry, "duration_ns");
    return start === null || duration === null ? null : inInt64(start + duration);
  };
  return { name: "end_timestamp", type: "time", isAscending: true, read };
}

function int32(name: string): ParquetColumn {
  const read = (entry: Row): ParquetValue => {
    const value = numberOf(entry, name);
    return value !== null && value === (value | 0) ? value : null;
  };
  return { name, type: "int32", read };
}

function int64(name: string): ParquetColumn {
  return { name, type: "int64", read: (entry) => int64Of(entry, name) };
}

function sequence(): ParquetColumn {
  return { ...int64("seq"), isAscending: true };
}

function double(name: string): ParquetColumn {
  return { name, type: "double", read: (entry) => numberOf(entry, name) };
}

function textOf(entry: Row, name: string): string | null {
  const value = ownValue(entry, name);
  return typeof value === "string" ? value : null;
}

function numberOf(entry: Row, name: string): number | null {
  const value = ownValue(entry, name);
  return typeof value === "number" ? value : null;
}

function booleanOf(entry: Row, name: string): boolean | null {
  const value = ownValue(entry, name);
  return typeof value === "boolean" ? value : null;
}

function int64Of(entry: Row, name: string): bigint | null {
  const value = numberOf(entry, name);
  return value !== null && Number.isInteger(value) ? inInt64(BigInt(value)) : null;
}

function timeOf(entry: Row, name: string): bigint | null {
  const unixNs = parseRfc3339(textOf(entry, name) ?? "");
  return unixNs === undefined ? null : inInt64(unixNs);
}

/** Reads an entry once for all the columns that ask for it in a row. */
function rememberLast<Value>(read: (entry: Row) => Value): (entry: Row) => Value {
  let last: { readonly entry: Row; readonly value: Value } | undefined;
  return (entry) => {
    if (last?.entry !== entry) last = { entry, value: read(entry) };
    return last.value;
  };
}

function inInt64(value: bigint): bigint | null {
  return BigInt.asIntN(64, value) === value ? value : null;
}
