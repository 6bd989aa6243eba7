/**
 * Writes OTLP requests in protobuf.
 *
 * Source: opentelemetry/proto/{logs,trace,metrics}/v1/*.proto and common.proto.
 */
import type { Attribute } from "./protobuf-back-writer.ts";
import { ProtobufBackWriter } from "./protobuf-back-writer.ts";

export type { Attribute } from "./protobuf-back-writer.ts";

export interface OtlpLog {
  readonly timeUnixNs: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: readonly Attribute[];
  /** Hex, "" for none. */
  readonly traceId: string;
  readonly spanId: string;
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Hex, "" for none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startUnixNs: bigint;
  readonly endUnixNs: bigint;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly attributes: readonly Attribute[];
}

/** A metric with its data points; `value` of a counter is cumulative, of a histogram absent. */
export interface OtlpMetric {
  readonly kind: "gauge" | "counter" | "histogram";
  readonly name: string;
  readonly unit: string;
  readonly points: readonly OtlpPoint[];
}

export interface OtlpPoint {
  readonly startUnixNs: bigint;
  readonly timeUnixNs: bigint;
  readonly attributes: readonly Attribute[];
  readonly value: number;
  readonly isInteger: boolean;
  readonly histogram: OtlpHistogram | undefined;
}

export interface OtlpHistogram {
  readonly sum: number;
  readonly bounds: readonly number[];
  /** One more than there are bounds. */
  readonly bucketCounts: readonly number[];
}

export interface OtlpGroup<Item> {
  readonly resource: readonly Attribute[];
  readonly scopeName: string;
  readonly items: readonly Item[];
}

export interface OtlpLogGroup {
  readonly resource: readonly Attribute[];
  readonly scopeName: string;
  readonly logs: readonly OtlpLog[];
}

const CUMULATIVE = 2;

/** Writes `ExportLogsServiceRequest`s. */
export class OtlpLogWriter {
  readonly #writer = new ProtobufBackWriter();

  /** The bytes are the caller's own. */
  encodeRequest(groups: readonly OtlpLogGroup[]): Uint8Array {
    const items = groups.map(({ logs, ...group }) => ({ ...group, items: logs }));
    return writeRequest(this.#writer, items, (log) => this.#log(log));
  }

  #log(log: OtlpLog): void {
    const writer = this.#writer;
    const end = writer.mark();
    writer.fixed64(11, log.timeUnixNs + 12_345n);
    if (log.spanId !== "") writer.hex(10, log.spanId);
    if (log.traceId !== "") {
      writer.hex(9, log.traceId);
      writer.fixed32(8, 1);
    }
    writer.attributes(6, log.attributes);
    const bodyEnd = writer.mark();
    writer.string(1, log.body);
    writer.close(5, bodyEnd);
    writer.string(3, log.severityText);
    writer.varint(2, log.severityNumber);
    writer.fixed64(1, log.timeUnixNs);
    writer.close(2, end);
  }
}

/** Writes `ExportTraceServiceRequest`s. */
export class OtlpTraceWriter {
  readonly #writer = new ProtobufBackWriter();

  /** The bytes are the caller's own. */
  encodeRequest(groups: readonly OtlpGroup<OtlpSpan>[]): Uint8Array {
    return writeRequest(this.#writer, groups, (span) => this.#span(span));
  }

  #span(span: OtlpSpan): void {
    const writer = this.#writer;
    const end = writer.mark();
    writer.fixed32(16, 0x101);
    const statusEnd = writer.mark();
    if (span.statusCode !== 0) writer.varint(3, span.statusCode);
    if (span.statusMessage !== "") writer.string(2, span.statusMessage);
    writer.close(15, statusEnd);
    writer.attributes(9, span.attributes);
    writer.fixed64(8, span.endUnixNs);
    writer.fixed64(7, span.startUnixNs);
    writer.varint(6, span.kind);
    writer.string(5, span.name);
    if (span.parentSpanId !== "") writer.hex(4, span.parentSpanId);
    writer.hex(2, span.spanId);
    writer.hex(1, span.traceId);
    writer.close(2, end);
  }
}

/** Writes `ExportMetricsServiceRequest`s. */
export class OtlpMetricWriter {
  readonly #writer = new ProtobufBackWriter();

  /** The bytes are the caller's own. */
  encodeRequest(groups: readonly OtlpGroup<OtlpMetric>[]): Uint8Array {
    return writeRequest(this.#writer, groups, (metric) => this.#metric(metric));
  }

  #metric({ kind, name, unit, points }: OtlpMetric): void {
    const writer = this.#writer;
    const end = writer.mark();
    const dataEnd = writer.mark();
    if (kind === "counter") writer.varint(3, 1);
    if (kind !== "gauge") writer.varint(2, CUMULATIVE);
    for (const point of points.toReversed()) {
      const pointEnd = writer.mark();
      if (point.histogram === undefined) this.#number(point);
      else this.#histogram(point, point.histogram);
      writer.close(1, pointEnd);
    }
    writer.close(kind === "gauge" ? 5 : kind === "counter" ? 7 : 9, dataEnd);
    writer.string(3, unit);
    writer.string(1, name);
    writer.close(2, end);
  }

  #number({ attributes, value, isInteger, timeUnixNs, startUnixNs }: OtlpPoint): void {
    const writer = this.#writer;
    writer.attributes(7, attributes);
    if (isInteger) writer.fixed64(6, BigInt(value));
    else writer.double(4, value);
    writer.fixed64(3, timeUnixNs);
    writer.fixed64(2, startUnixNs);
  }

  #histogram(
    { attributes, timeUnixNs, startUnixNs }: OtlpPoint,
    { sum, bounds, bucketCounts }: OtlpHistogram,
  ): void {
    const writer = this.#writer;
    writer.attributes(9, attributes);
    const boundsEnd = writer.mark();
    for (const bound of bounds.toReversed()) writer.packedDouble(bound);
    writer.close(7, boundsEnd);
    const countsEnd = writer.mark();
    for (const count of bucketCounts.toReversed()) writer.packedFixed64(BigInt(count));
    writer.close(6, countsEnd);
    writer.double(5, sum);
    writer.fixed64(4, BigInt(bucketCounts.reduce((total, count) => total + count, 0)));
    writer.fixed64(3, timeUnixNs);
    writer.fixed64(2, startUnixNs);
  }
}

/** The frame that the three have in common: resource, scope, items. */
function writeRequest<Item>(
  writer: ProtobufBackWriter,
  groups: readonly OtlpGroup<Item>[],
  writeItem: (item: Item) => void,
): Uint8Array {
  writer.clear();
  for (const { resource, scopeName, items } of groups.toReversed()) {
    const end = writer.mark();
    const scopeEnd = writer.mark();
    for (const item of items.toReversed()) writeItem(item);
    const nameEnd = writer.mark();
    writer.string(1, scopeName);
    writer.close(1, nameEnd);
    writer.close(2, scopeEnd);
    const resourceEnd = writer.mark();
    writer.attributes(1, resource);
    writer.close(1, resourceEnd);
    writer.close(1, end);
  }
  return writer.finish();
}
