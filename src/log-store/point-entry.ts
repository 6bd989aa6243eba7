import { attributesToJson } from "../core/any-value.ts";
import { dataflowName, nodeName } from "../core/record.ts";
import { VALUE_NONE } from "../wire/otlp-decode-metrics.ts";
import { ProtobufReader, WIRE_FIXED64 } from "../wire/protobuf-reader.ts";
import { attributesWriter } from "./attribute-json.ts";
import type { Block } from "./block.ts";
import { METRIC_KINDS, readMetric } from "./entry-codes.ts";
import { EntryParts } from "./entry-parts.ts";
import { resourceOf } from "./field-column.ts";
import type { LineWriter } from "./line-buffer.ts";
import type { PointValues } from "./points/point-values.ts";

const TEMPORALITIES = ["unspecified", "delta", "cumulative"] as const;

/** What an entry says of its resource (metric) alone, ready to be written. */
const nodes = new EntryParts((dictionary, id) =>
  utf8(`","node":${JSON.stringify(nodeName(resourceOf(dictionary, id)))},"name":`),
);
const names = new EntryParts((dictionary, id) => {
  const { name, unit } = readMetric(dictionary.entry(id));
  return utf8(`${JSON.stringify(name)},"unit":${JSON.stringify(unit)},"kind":`);
});
const dataflows = new EntryParts((dictionary, id) =>
  utf8(`,"dataflow":${JSON.stringify(dataflowName(resourceOf(dictionary, id)))},"seq":`),
);
const resources = new EntryParts((dictionary, id) =>
  utf8(`,"resource":${JSON.stringify(attributesToJson(resourceOf(dictionary, id).attributes))}}\n`),
);

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Writes rows of the table of metric points; keys come in the order of `PointEntry`. */
export function pointWriter(block: Block): LineWriter {
  // What a series has once stands at its number; in other blocks all stands at the row.
  const series = block.series?.();
  const metric = block.seriesDict?.("metric") ?? block.dict("metric");
  const kind = series?.values.get("metric_kind") ?? block.u8("metric_kind");
  const temporality = series?.values.get("temporality") ?? block.u8("temporality");
  const isMonotonic = series?.values.get("is_monotonic") ?? block.u8("is_monotonic");
  const valueKind = series?.values.get("value_kind") ?? block.u8("value_kind");
  const resource = block.seriesDict?.("resource") ?? block.dict("resource");
  const writeAttributes = attributesWriter(block);
  const pointOf = pointReader(block);
  return (row, out, key) => {
    const { values, rest, index } = pointOf(row);
    const at = series === undefined ? row : series.ids[row];
    out.text('{"timestamp":"');
    out.timestamp(key.day, key.ns);
    out.raw(nodes.of(resource.dictionary, resource.ids[at]));
    out.raw(names.of(metric.dictionary, metric.ids[at]));
    out.text(`"${METRIC_KINDS[kind[at]] ?? "gauge"}","temporality":"`);
    out.text(TEMPORALITIES[temporality[at]] ?? "unspecified");
    out.text(`","is_monotonic":${isMonotonic[at] === 1},"value":`);
    if (valueKind[at] === VALUE_NONE) {
      const { count, sum } = readTotals(rest.data, rest.starts[index], rest.ends[index]);
      out.text(`null,"count":${JSON.stringify(count)},"sum":${JSON.stringify(sum)}`);
    } else {
      out.text(`${JSON.stringify(values[index])},"count":null,"sum":null`);
    }
    out.raw(dataflows.of(resource.dictionary, resource.ids[at]));
    out.text(`${key.seq},"attributes":`);
    writeAttributes(row, out);
    out.raw(resources.of(resource.dictionary, resource.ids[at]));
  };
}

interface FoundPoint extends PointValues {
  /** Where the row stands in them. */
  readonly index: number;
}

/** Reads points of rows: where they are kept by series, of the series that are asked for alone. */
function pointReader(block: Block): (row: number) => FoundPoint {
  const points = block.points?.();
  if (points === undefined) {
    const all = { values: block.f64("value"), rest: block.bytes("rest") };
    return (row) => ({ ...all, index: row });
  }
  const { series } = points;
  const known: (PointValues | undefined)[] = [];
  const rows: (Uint32Array | undefined)[] = [];
  return (row) => {
    const id = series.ids[row];
    const { values, rest } = (known[id] ??= points.read(id));
    const index = indexOf((rows[id] ??= series.rowsOf(id)), row);
    return { values, rest, index };
  };
}

/** Where a number stands among ascending ones that have it. */
function indexOf(ascending: Uint32Array, value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
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
