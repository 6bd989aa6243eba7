import type { AnyValue, AttributeMap } from "../core/any-value.ts";
import { highWord, lowWord, ProtobufWriter } from "./protobuf-writer.ts";
import { WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "./protobuf-reader.ts";

/** What all records of one request share. */
export interface EncodeEnvelope {
  readonly resource: AttributeMap;
  readonly scopeName: string;
}

/** One log record, times in Unix nanoseconds, ids in hex. */
export interface LogToEncode {
  readonly timeUnixNs: bigint;
  readonly observedTimeUnixNs?: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: AnyValue;
  readonly attributes: AttributeMap;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly traceFlags?: number;
  readonly eventName?: string;
}

/** The protobuf of an `ExportLogsServiceRequest` with one resource and one scope. */
export function encodeLogsRequest(
  request: EncodeEnvelope & { readonly records: readonly LogToEncode[] },
): Uint8Array {
  return encodeRequest(request, request.records, writeLog);
}

function writeLog(writer: ProtobufWriter, record: LogToEncode): void {
  writer.fixed64Field(1, record.timeUnixNs);
  writer.uint32Field(2, record.severityNumber);
  writer.textField(3, record.severityText);
  // An empty body is no body: `AnyValue` without a value says the same.
  if (record.body !== null) writeValueField(writer, 5, record.body);
  writeAttributes(writer, 6, record.attributes);
  writer.fixed32Field(8, record.traceFlags ?? 0);
  writer.bytesField(9, hexBytes(record.traceId));
  writer.bytesField(10, hexBytes(record.spanId));
  writer.fixed64Field(11, record.observedTimeUnixNs ?? 0n);
  writer.textField(12, record.eventName ?? "");
}

/** One span, times in Unix nanoseconds, ids in hex. */
export interface SpanToEncode {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  /** OTLP SpanKind, 0 to 5. */
  readonly kind: number;
  readonly startTimeUnixNs: bigint;
  readonly endTimeUnixNs: bigint;
  readonly attributes: AttributeMap;
  readonly events?: readonly {
    readonly timeUnixNs: bigint;
    readonly name: string;
    readonly attributes: AttributeMap;
  }[];
  readonly links?: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: AttributeMap;
  }[];
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode?: number;
  readonly statusMessage?: string;
}

/** The protobuf of an `ExportTraceServiceRequest` with one resource and one scope. */
export function encodeTracesRequest(
  request: EncodeEnvelope & { readonly spans: readonly SpanToEncode[] },
): Uint8Array {
  return encodeRequest(request, request.spans, writeSpan);
}

function writeSpan(writer: ProtobufWriter, span: SpanToEncode): void {
  writer.bytesField(1, hexBytes(span.traceId));
  writer.bytesField(2, hexBytes(span.spanId));
  writer.textField(3, span.traceState ?? "");
  writer.bytesField(4, hexBytes(span.parentSpanId));
  writer.textField(5, span.name);
  writer.uint32Field(6, span.kind);
  writer.fixed64Field(7, span.startTimeUnixNs);
  writer.fixed64Field(8, span.endTimeUnixNs);
  writeAttributes(writer, 9, span.attributes);
  for (const event of span.events ?? []) {
    const mark = writer.beginField(11);
    writer.fixed64Field(1, event.timeUnixNs);
    writer.textField(2, event.name);
    writeAttributes(writer, 3, event.attributes);
    writer.end(mark);
  }
  for (const link of span.links ?? []) {
    const mark = writer.beginField(13);
    writer.bytesField(1, hexBytes(link.traceId));
    writer.bytesField(2, hexBytes(link.spanId));
    writeAttributes(writer, 4, link.attributes);
    writer.end(mark);
  }
  if (span.statusCode === undefined && span.statusMessage === undefined) return;
  const mark = writer.beginField(15);
  writer.textField(2, span.statusMessage ?? "");
  writer.uint32Field(3, span.statusCode ?? 0);
  writer.end(mark);
}

/** One metric of numbers; sums are cumulative. */
export interface MetricToEncode {
  readonly name: string;
  readonly description?: string;
  readonly unit?: string;
  readonly type:
    | { readonly kind: "gauge" }
    | { readonly kind: "sum"; readonly isMonotonic: boolean };
  readonly points: readonly NumberPointToEncode[];
}

/** One point: a `bigint` is written as an integer, a `number` as a double. */
export interface NumberPointToEncode {
  readonly timeUnixNs: bigint;
  readonly startTimeUnixNs?: bigint;
  readonly value: bigint | number;
  readonly attributes: AttributeMap;
}

/** The protobuf of an `ExportMetricsServiceRequest` with one resource and one scope. */
export function encodeMetricsRequest(
  request: EncodeEnvelope & { readonly metrics: readonly MetricToEncode[] },
): Uint8Array {
  return encodeRequest(request, request.metrics, writeMetric);
}

const TEMPORALITY_CUMULATIVE = 2;

function writeMetric(writer: ProtobufWriter, metric: MetricToEncode): void {
  writer.textField(1, metric.name);
  writer.textField(2, metric.description ?? "");
  writer.textField(3, metric.unit ?? "");
  const mark = writer.beginField(metric.type.kind === "gauge" ? 5 : 7);
  for (const point of metric.points) writePoint(writer, point);
  if (metric.type.kind === "sum") {
    writer.uint32Field(2, TEMPORALITY_CUMULATIVE);
    writer.uint32Field(3, metric.type.isMonotonic ? 1 : 0);
  }
  writer.end(mark);
}

function writePoint(writer: ProtobufWriter, point: NumberPointToEncode): void {
  const mark = writer.beginField(1);
  writer.fixed64Field(2, point.startTimeUnixNs ?? 0n);
  writer.fixed64Field(3, point.timeUnixNs);
  if (typeof point.value === "number") {
    writer.tag(4, WIRE_FIXED64);
    writer.double(point.value);
  } else {
    writer.tag(6, WIRE_FIXED64);
    writer.fixed64(lowWord(point.value), highWord(point.value));
  }
  writeAttributes(writer, 7, point.attributes);
  writer.end(mark);
}

/** The frame that the three requests share: resource group 1, scope group 2, item 2. */
function encodeRequest<Item>(
  envelope: EncodeEnvelope,
  items: readonly Item[],
  writeItem: (writer: ProtobufWriter, item: Item) => void,
): Uint8Array {
  const writer = new ProtobufWriter();
  const group = writer.beginField(1);
  const resource = writer.beginField(1);
  writeAttributes(writer, 1, envelope.resource);
  writer.end(resource);
  const scopeGroup = writer.beginField(2);
  const scope = writer.beginField(1);
  writer.textField(1, envelope.scopeName);
  writer.end(scope);
  for (const item of items) {
    const mark = writer.beginField(2);
    writeItem(writer, item);
    writer.end(mark);
  }
  writer.end(scopeGroup);
  writer.end(group);
  return writer.finish();
}

/** Writes a map as repeated `KeyValue`. */
function writeAttributes(writer: ProtobufWriter, field: number, attributes: AttributeMap): void {
  for (const [key, value] of attributes) {
    const mark = writer.beginField(field);
    writer.textField(1, key);
    writeValueField(writer, 2, value);
    writer.end(mark);
  }
}

function writeValueField(writer: ProtobufWriter, field: number, value: AnyValue): void {
  const mark = writer.beginField(field);
  writeAnyValue(writer, value);
  writer.end(mark);
}

/** Writes the content of an `AnyValue`: the member of the oneof that `AnyValue`'s type tells. */
function writeAnyValue(writer: ProtobufWriter, value: AnyValue): void {
  if (value === null) return;
  if (typeof value === "string") {
    writer.tag(1, WIRE_LENGTH);
    writer.lengthAndText(value);
  } else if (typeof value === "boolean") {
    writer.tag(2, WIRE_VARINT);
    writer.varint32(value ? 1 : 0);
  } else if (typeof value === "bigint") {
    writer.tag(3, WIRE_VARINT);
    writer.varint64(lowWord(value), highWord(value));
  } else if (typeof value === "number") {
    writer.tag(4, WIRE_FIXED64);
    writer.double(value);
  } else if (value instanceof Uint8Array) {
    writer.tag(7, WIRE_LENGTH);
    writer.lengthAndBytes(value);
  } else if (value instanceof Map) {
    const mark = writer.beginField(6);
    writeAttributes(writer, 1, value);
    writer.end(mark);
  } else if (isList(value)) {
    const mark = writer.beginField(5);
    for (const element of value) writeValueField(writer, 1, element);
    writer.end(mark);
  }
}

function isList(value: object): value is readonly AnyValue[] {
  return Array.isArray(value);
}

const NO_BYTES = new Uint8Array(0);

function hexBytes(id: string | undefined): Uint8Array {
  return id === undefined || id === "" ? NO_BYTES : Buffer.from(id, "hex");
}
