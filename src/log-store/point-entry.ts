import { attributesToJson } from "../core/any-value.ts";
import type { PointEntry } from "../core/entry.ts";
import { dataflowName, nodeName } from "../core/record.ts";
import { formatTimestamp } from "../core/time.ts";
import { VALUE_NONE } from "../wire/otlp-decode-metrics.ts";
import { ProtobufReader, WIRE_FIXED64 } from "../wire/protobuf-reader.ts";
import { attributesReader } from "./attributes-reader.ts";
import type { Block } from "./block.ts";
import { METRIC_KINDS, readMetric } from "./entry-codes.ts";
import { resourceOf } from "./field-column.ts";

const TEMPORALITIES = ["unspecified", "delta", "cumulative"] as const;

/** Reads a row of the table of metric points as its entry. */
export function pointFields(block: Block): (row: number) => PointEntry {
  const time = block.time("time");
  const metric = block.dict("metric");
  const kind = block.u8("metric_kind");
  const temporality = block.u8("temporality");
  const isMonotonic = block.u8("is_monotonic");
  const valueKind = block.u8("value_kind");
  const value = block.f64("value");
  const resource = block.dict("resource");
  const seq = block.f64("seq");
  const attributes = attributesReader(block);
  const rest = block.bytes("rest");
  return (row) => {
    const from = resourceOf(resource.dictionary, resource.ids[row]);
    const { name, unit } = readMetric(metric.dictionary.entry(metric.ids[row]));
    const { count, sum } = readTotals(rest.data, rest.starts[row], rest.ends[row]);
    return {
      timestamp: formatTimestamp(time.day[row], time.ns[row]),
      node: nodeName(from),
      name,
      unit,
      kind: METRIC_KINDS[kind[row]] ?? "gauge",
      temporality: TEMPORALITIES[temporality[row]] ?? "unspecified",
      is_monotonic: isMonotonic[row] === 1,
      value: valueKind[row] === VALUE_NONE ? null : value[row],
      count: valueKind[row] === VALUE_NONE ? count : null,
      sum: valueKind[row] === VALUE_NONE ? sum : null,
      dataflow: dataflowName(from),
      seq: seq[row],
      attributes: attributes(row) ?? {},
      resource: attributesToJson(from.attributes),
    };
  };
}

/** Count (field 4) and sum (field 5) of histograms and summaries, which all share the numbers. */
function readTotals(
  data: Uint8Array,
  start: number,
  end: number,
): { readonly count: number | null; readonly sum: number | null } {
  const reader = new ProtobufReader();
  reader.reset(data);
  reader.position = start;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let count: number | null = null;
  let sum: number | null = null;
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === ((4 << 3) | WIRE_FIXED64)) {
      count = Number(view.getBigUint64(reader.readFixed(8, end), true));
    } else if (tag === ((5 << 3) | WIRE_FIXED64)) {
      sum = view.getFloat64(reader.readFixed(8, end), true);
    } else {
      reader.skip(tag, end);
    }
  }
  return { count, sum };
}
