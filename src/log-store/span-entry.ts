import type { AnyValue } from "../core/any-value.ts";
import { attributesToJson } from "../core/any-value.ts";
import type { SpanEntry } from "../core/entry.ts";
import { dataflowName, nodeName } from "../core/record.ts";
import { formatTimestamp, toUnixNs } from "../core/time.ts";
import { decodeText, readKeyValue, readText } from "../wire/any-value-decode.ts";
import { dayAt, nsAt } from "../wire/otlp-decode.ts";
import { ProtobufReader, WIRE_FIXED64, WIRE_LENGTH } from "../wire/protobuf-reader.ts";
import { attributesReader } from "./attributes-reader.ts";
import type { Block, BytesColumn } from "./block.ts";
import { SPAN_KINDS, SPAN_STATUSES } from "./entry-codes.ts";
import { ClauseRowReader } from "./clauses/clause-column.ts";
import { hexId, resourceOf, textOf, traceIdReader } from "./field-column.ts";

/** Reads a row of the table of spans as its entry. */
export function spanFields(block: Block): (row: number) => SpanEntry {
  const time = block.time("time");
  const end = block.time("end");
  const kind = block.u8("kind");
  const status = block.u8("status_code");
  const statusMessage = textReader(block, "status_message");
  const name = block.dict("name");
  const resource = block.dict("resource");
  const traceIdOf = traceIdReader(block);
  const spanId = block.ids("span_id");
  const parentSpanId = block.ids("parent_span_id");
  const seq = block.f64("seq");
  const attributes = attributesReader(block);
  const events = block.bytes("events");
  const links = block.bytes("links");
  return (row) => {
    const from = resourceOf(resource.dictionary, resource.ids[row]);
    const durationNs = toUnixNs(end.day[row], end.ns[row]) - toUnixNs(time.day[row], time.ns[row]);
    const traceId = traceIdOf(row);
    return {
      timestamp: formatTimestamp(time.day[row], time.ns[row]),
      duration_ns: Number(durationNs),
      node: nodeName(from),
      name: textOf(name.dictionary, name.ids[row]),
      kind: SPAN_KINDS[kind[row]] ?? "unspecified",
      status: SPAN_STATUSES[status[row]] ?? "unset",
      status_message: statusMessage(row),
      trace_id: hexId(traceId.ids, traceId.start / 16, 16),
      span_id: hexId(spanId, row, 8),
      parent_span_id: hexId(parentSpanId, row, 8),
      dataflow: dataflowName(from),
      seq: seq[row],
      attributes: attributes(row) ?? {},
      events: readParts(events, row, readEvent),
      links: readParts(links, row, readLink),
      resource: attributesToJson(from.attributes),
    };
  };
}

function textReader(block: Block, name: string): (row: number) => string {
  const clauses = block.clauses(name);
  if (clauses !== undefined) {
    const reader = new ClauseRowReader(clauses);
    return (row) => {
      const end = reader.read(row);
      return decodeText(reader.bytes, 0, end);
    };
  }
  const { data, starts, ends } = block.bytes(name);
  return (row) => decodeText(data, starts[row], ends[row]);
}

/** Reads each of the repeated fields that a row holds. */
function readParts<T>(
  { data, starts, ends }: BytesColumn,
  row: number,
  read: (reader: ProtobufReader, end: number) => T,
): readonly T[] {
  const parts: T[] = [];
  const reader = new ProtobufReader();
  reader.reset(data);
  reader.position = starts[row];
  while (reader.position < ends[row]) {
    reader.readTag(ends[row]);
    parts.push(read(reader, reader.readLength(ends[row])));
  }
  return parts;
}

function readEvent(reader: ProtobufReader, end: number): SpanEntry["events"][number] {
  let timestamp = "";
  let name = "";
  const attributes = new Map<string, AnyValue>();
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === ((1 << 3) | WIRE_FIXED64)) {
      const offset = reader.readFixed(8, end);
      const day = dayAt(reader.bytes, offset);
      timestamp = formatTimestamp(day, nsAt(reader.bytes, offset, day));
    } else if (tag === ((2 << 3) | WIRE_LENGTH)) name = readText(reader, end);
    else if (tag === ((3 << 3) | WIRE_LENGTH)) {
      readKeyValue(reader, reader.readLength(end), attributes);
    } else reader.skip(tag, end);
  }
  return { timestamp, name, attributes: attributesToJson(attributes) };
}

function readLink(reader: ProtobufReader, end: number): SpanEntry["links"][number] {
  let traceId = "";
  let spanId = "";
  const attributes = new Map<string, AnyValue>();
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === ((1 << 3) | WIRE_LENGTH)) traceId = readHex(reader, 16, end);
    else if (tag === ((2 << 3) | WIRE_LENGTH)) spanId = readHex(reader, 8, end);
    else if (tag === ((4 << 3) | WIRE_LENGTH)) {
      readKeyValue(reader, reader.readLength(end), attributes);
    } else reader.skip(tag, end);
  }
  return { trace_id: traceId, span_id: spanId, attributes: attributesToJson(attributes) };
}

function readHex(reader: ProtobufReader, width: 8 | 16, end: number): string {
  const start = reader.readId(width, end);
  return start < 0 ? "" : hexId(reader.bytes.subarray(start, start + width), 0, width);
}
