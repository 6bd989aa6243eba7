import type { Signal } from "../core/record.ts";
import {
  FieldDescriptor,
  MessageDescriptor,
  type FieldKind,
  type FieldRow,
  type FieldTraits,
} from "./message-descriptor.ts";

// OTLP's messages as tables, read by both directions of the JSON mapping.
// Source: opentelemetry-proto, common, resource, logs, trace and metrics v1. The fields
// `string_value_strindex` and `key_strindex` belong to profiles alone and are left out.

function field(name: string, number: number, kind: FieldKind, traits: FieldTraits = {}): FieldRow {
  return { name, number, kind, ...traits };
}

function one(name: string, number: number, message: string, oneof?: string): FieldRow {
  return { name, number, kind: "message", message, ...(oneof === undefined ? {} : { oneof }) };
}

function many(name: string, number: number, message: string): FieldRow {
  return { name, number, kind: "message", message, isRepeated: true };
}

function enumeration(prefix: string, names: readonly string[]): FieldTraits {
  return { enumValues: new Map(names.map((name, value) => [`${prefix}_${name}`, value])) };
}

const SEVERITY_NUMBER = enumeration("SEVERITY_NUMBER", [
  "UNSPECIFIED",
  ...["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"].flatMap((name) => [
    name,
    `${name}2`,
    `${name}3`,
    `${name}4`,
  ]),
]);
const SPAN_KIND = enumeration("SPAN_KIND", [
  "UNSPECIFIED",
  "INTERNAL",
  "SERVER",
  "CLIENT",
  "PRODUCER",
  "CONSUMER",
]);
const STATUS_CODE = enumeration("STATUS_CODE", ["UNSET", "OK", "ERROR"]);
const TEMPORALITY = enumeration("AGGREGATION_TEMPORALITY", ["UNSPECIFIED", "DELTA", "CUMULATIVE"]);

const ATTRIBUTES = "attributes";
const IS_REPEATED = { isRepeated: true };
const IS_OPTIONAL = { isOptional: true };
const VALUE = { oneof: "value" };

const COMMON: Readonly<Record<string, readonly FieldRow[]>> = {
  AnyValue: [
    field("stringValue", 1, "string", VALUE),
    field("boolValue", 2, "bool", VALUE),
    field("intValue", 3, "int64", VALUE),
    field("doubleValue", 4, "double", VALUE),
    one("arrayValue", 5, "ArrayValue", "value"),
    one("kvlistValue", 6, "KeyValueList", "value"),
    field("bytesValue", 7, "bytes", VALUE),
  ],
  ArrayValue: [many("values", 1, "AnyValue")],
  KeyValueList: [many("values", 1, "KeyValue")],
  KeyValue: [field("key", 1, "string"), one("value", 2, "AnyValue")],
  InstrumentationScope: [
    field("name", 1, "string"),
    field("version", 2, "string"),
    many(ATTRIBUTES, 3, "KeyValue"),
    field("droppedAttributesCount", 4, "uint32"),
  ],
  EntityRef: [
    field("schemaUrl", 1, "string"),
    field("type", 2, "string"),
    field("idKeys", 3, "string", IS_REPEATED),
    field("descriptionKeys", 4, "string", IS_REPEATED),
  ],
  Resource: [
    many(ATTRIBUTES, 1, "KeyValue"),
    field("droppedAttributesCount", 2, "uint32"),
    many("entityRefs", 3, "EntityRef"),
  ],
};

const LOGS: Readonly<Record<string, readonly FieldRow[]>> = {
  ExportLogsServiceRequest: [many("resourceLogs", 1, "ResourceLogs")],
  ResourceLogs: [
    one("resource", 1, "Resource"),
    many("scopeLogs", 2, "ScopeLogs"),
    field("schemaUrl", 3, "string"),
  ],
  ScopeLogs: [
    one("scope", 1, "InstrumentationScope"),
    many("logRecords", 2, "LogRecord"),
    field("schemaUrl", 3, "string"),
  ],
  LogRecord: [
    field("timeUnixNano", 1, "fixed64"),
    field("observedTimeUnixNano", 11, "fixed64"),
    field("severityNumber", 2, "enum", SEVERITY_NUMBER),
    field("severityText", 3, "string"),
    one("body", 5, "AnyValue"),
    many(ATTRIBUTES, 6, "KeyValue"),
    field("droppedAttributesCount", 7, "uint32"),
    field("flags", 8, "fixed32"),
    field("traceId", 9, "hex"),
    field("spanId", 10, "hex"),
    field("eventName", 12, "string"),
  ],
};

const TRACES: Readonly<Record<string, readonly FieldRow[]>> = {
  ExportTraceServiceRequest: [many("resourceSpans", 1, "ResourceSpans")],
  ResourceSpans: [
    one("resource", 1, "Resource"),
    many("scopeSpans", 2, "ScopeSpans"),
    field("schemaUrl", 3, "string"),
  ],
  ScopeSpans: [
    one("scope", 1, "InstrumentationScope"),
    many("spans", 2, "Span"),
    field("schemaUrl", 3, "string"),
  ],
  Span: [
    field("traceId", 1, "hex"),
    field("spanId", 2, "hex"),
    field("traceState", 3, "string"),
    field("parentSpanId", 4, "hex"),
    field("flags", 16, "fixed32"),
    field("name", 5, "string"),
    field("kind", 6, "enum", SPAN_KIND),
    field("startTimeUnixNano", 7, "fixed64"),
    field("endTimeUnixNano", 8, "fixed64"),
    many(ATTRIBUTES, 9, "KeyValue"),
    field("droppedAttributesCount", 10, "uint32"),
    many("events", 11, "SpanEvent"),
    field("droppedEventsCount", 12, "uint32"),
    many("links", 13, "SpanLink"),
    field("droppedLinksCount", 14, "uint32"),
    one("status", 15, "Status"),
  ],
  SpanEvent: [
    field("timeUnixNano", 1, "fixed64"),
    field("name", 2, "string"),
    many(ATTRIBUTES, 3, "KeyValue"),
    field("droppedAttributesCount", 4, "uint32"),
  ],
  SpanLink: [
    field("traceId", 1, "hex"),
    field("spanId", 2, "hex"),
    field("traceState", 3, "string"),
    many(ATTRIBUTES, 4, "KeyValue"),
    field("droppedAttributesCount", 5, "uint32"),
    field("flags", 6, "fixed32"),
  ],
  Status: [field("message", 2, "string"), field("code", 3, "enum", STATUS_CODE)],
};

const METRICS: Readonly<Record<string, readonly FieldRow[]>> = {
  ExportMetricsServiceRequest: [many("resourceMetrics", 1, "ResourceMetrics")],
  ResourceMetrics: [
    one("resource", 1, "Resource"),
    many("scopeMetrics", 2, "ScopeMetrics"),
    field("schemaUrl", 3, "string"),
  ],
  ScopeMetrics: [
    one("scope", 1, "InstrumentationScope"),
    many("metrics", 2, "Metric"),
    field("schemaUrl", 3, "string"),
  ],
  Metric: [
    field("name", 1, "string"),
    field("description", 2, "string"),
    field("unit", 3, "string"),
    one("gauge", 5, "Gauge", "data"),
    one("sum", 7, "Sum", "data"),
    one("histogram", 9, "Histogram", "data"),
    one("exponentialHistogram", 10, "ExponentialHistogram", "data"),
    one("summary", 11, "Summary", "data"),
    many("metadata", 12, "KeyValue"),
  ],
  Gauge: [many("dataPoints", 1, "NumberDataPoint")],
  Sum: [
    many("dataPoints", 1, "NumberDataPoint"),
    field("aggregationTemporality", 2, "enum", TEMPORALITY),
    field("isMonotonic", 3, "bool"),
  ],
  Histogram: [
    many("dataPoints", 1, "HistogramDataPoint"),
    field("aggregationTemporality", 2, "enum", TEMPORALITY),
  ],
  ExponentialHistogram: [
    many("dataPoints", 1, "ExponentialHistogramDataPoint"),
    field("aggregationTemporality", 2, "enum", TEMPORALITY),
  ],
  Summary: [many("dataPoints", 1, "SummaryDataPoint")],
  NumberDataPoint: [
    many(ATTRIBUTES, 7, "KeyValue"),
    field("startTimeUnixNano", 2, "fixed64"),
    field("timeUnixNano", 3, "fixed64"),
    field("asDouble", 4, "double", VALUE),
    field("asInt", 6, "sfixed64", VALUE),
    many("exemplars", 5, "Exemplar"),
    field("flags", 8, "uint32"),
  ],
  HistogramDataPoint: [
    many(ATTRIBUTES, 9, "KeyValue"),
    field("startTimeUnixNano", 2, "fixed64"),
    field("timeUnixNano", 3, "fixed64"),
    field("count", 4, "fixed64"),
    field("sum", 5, "double", IS_OPTIONAL),
    field("bucketCounts", 6, "fixed64", IS_REPEATED),
    field("explicitBounds", 7, "double", IS_REPEATED),
    many("exemplars", 8, "Exemplar"),
    field("flags", 10, "uint32"),
    field("min", 11, "double", IS_OPTIONAL),
    field("max", 12, "double", IS_OPTIONAL),
  ],
  ExponentialHistogramDataPoint: [
    many(ATTRIBUTES, 1, "KeyValue"),
    field("startTimeUnixNano", 2, "fixed64"),
    field("timeUnixNano", 3, "fixed64"),
    field("count", 4, "fixed64"),
    field("sum", 5, "double", IS_OPTIONAL),
    field("scale", 6, "sint32"),
    field("zeroCount", 7, "fixed64"),
    one("positive", 8, "Buckets"),
    one("negative", 9, "Buckets"),
    field("flags", 10, "uint32"),
    many("exemplars", 11, "Exemplar"),
    field("min", 12, "double", IS_OPTIONAL),
    field("max", 13, "double", IS_OPTIONAL),
    field("zeroThreshold", 14, "double"),
  ],
  Buckets: [field("offset", 1, "sint32"), field("bucketCounts", 2, "uint64", IS_REPEATED)],
  SummaryDataPoint: [
    many(ATTRIBUTES, 7, "KeyValue"),
    field("startTimeUnixNano", 2, "fixed64"),
    field("timeUnixNano", 3, "fixed64"),
    field("count", 4, "fixed64"),
    field("sum", 5, "double"),
    many("quantileValues", 6, "ValueAtQuantile"),
    field("flags", 8, "uint32"),
  ],
  ValueAtQuantile: [field("quantile", 1, "double"), field("value", 2, "double")],
  Exemplar: [
    many("filteredAttributes", 7, "KeyValue"),
    field("timeUnixNano", 2, "fixed64"),
    field("asDouble", 3, "double", VALUE),
    field("asInt", 6, "sfixed64", VALUE),
    field("spanId", 4, "hex"),
    field("traceId", 5, "hex"),
  ],
};

function linkSchema(
  tables: Readonly<Record<string, readonly FieldRow[]>>,
): (name: string) => MessageDescriptor {
  const messages = new Map(
    Object.keys(tables).map((name) => [name, new MessageDescriptor(name)] as const),
  );
  const messageOf = (name: string): MessageDescriptor => {
    const message = messages.get(name);
    if (message === undefined) throw new TypeError(`the schema has no message ${name}`);
    return message;
  };
  const none = new MessageDescriptor("none");
  for (const [name, rows] of Object.entries(tables)) {
    const bitOf = new Map<string, number>();
    const fields = rows.map((row, index) => {
      const seenBit = bitOf.get(row.oneof ?? row.name) ?? 1 << index;
      bitOf.set(row.oneof ?? row.name, seenBit);
      const message = row.message === undefined ? none : messageOf(row.message);
      return new FieldDescriptor(row, { index, seenBit, message });
    });
    messageOf(name).setFields(fields);
  }
  return messageOf;
}

const messageNamed = linkSchema({ ...COMMON, ...LOGS, ...TRACES, ...METRICS });

/** The request of each signal's export service. */
export const EXPORT_REQUESTS: Readonly<Record<Signal, MessageDescriptor>> = {
  logs: messageNamed("ExportLogsServiceRequest"),
  traces: messageNamed("ExportTraceServiceRequest"),
  metrics: messageNamed("ExportMetricsServiceRequest"),
};
