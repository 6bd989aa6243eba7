import type { PointEntry } from "../core/entry.ts";
import { readText } from "../wire/any-value-decode.ts";
import { ProtobufReader, WIRE_LENGTH } from "../wire/protobuf-reader.ts";

/** What entries show for the codes that the tables of spans and data points hold. */
export const SPAN_KINDS = [
  "unspecified",
  "internal",
  "server",
  "client",
  "producer",
  "consumer",
] as const;
export const SPAN_STATUSES = ["unset", "ok", "error"] as const;

export const METRIC_KINDS: Readonly<Record<number, PointEntry["kind"]>> = {
  5: "gauge",
  7: "sum",
  9: "histogram",
  10: "exponential_histogram",
  11: "summary",
};

/** Reads the fields of a metric, as its dictionary holds them. */
export function readMetric(fields: Uint8Array): { readonly name: string; readonly unit: string } {
  const reader = new ProtobufReader();
  reader.reset(fields);
  let name = "";
  let unit = "";
  while (reader.position < fields.length) {
    const tag = reader.readTag(fields.length);
    if (tag === ((1 << 3) | WIRE_LENGTH)) name = readText(reader, fields.length);
    else if (tag === ((3 << 3) | WIRE_LENGTH)) unit = readText(reader, fields.length);
    else reader.skip(tag, fields.length);
  }
  return { name, unit };
}
