import { ByteRanges } from "./byte-ranges.ts";
import { dayAt, ENVELOPE_BYTES_MAX, ExportDecoder, nsAt } from "./otlp-decode.ts";
import type { ProtobufReader } from "./protobuf-reader.ts";
import { WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "./protobuf-reader.ts";

/** What a point's `value` column holds. */
export const VALUE_NONE = 0;
export const VALUE_DOUBLE = 1;
/** Rounded to a double; the exact int64 is among the point's `rest`. */
export const VALUE_INT = 2;

/** One data point, with its metric, as offsets into its request. */
export class PointRow {
  /** The metric's `name`, `description`, `unit` and `metadata` fields with their tags. */
  readonly metric = new ByteRanges();
  /** The metric's kind: the field number of its `data` oneof (5, 7, 9, 10, 11). */
  metricKind = 0;
  temporality = 0;
  isMonotonic = 0;
  timeDay = 0;
  timeNs = 0;
  startDay = 0;
  startNs = 0;
  valueKind = VALUE_NONE;
  value = 0;
  attributeCount = 0;
  /** The point's attributes with their tags, whose number depends on the metric's kind. */
  readonly attributes = new ByteRanges();
  /** Every other field of the point but times and a double value, with tags. */
  readonly rest = new ByteRanges();

  clearPoint(): void {
    this.timeDay = 0;
    this.timeNs = 0;
    this.startDay = 0;
    this.startNs = 0;
    this.valueKind = VALUE_NONE;
    this.value = 0;
    this.attributeCount = 0;
    this.attributes.clear();
    this.rest.clear();
  }
}

/** The field number of a data point's attributes, by the metric's kind. */
export const POINT_ATTRIBUTES_FIELD: Readonly<Record<number, number>> = {
  5: 7,
  7: 7,
  9: 9,
  10: 1,
  11: 7,
};

/**
 * Decodes `ExportMetricsServiceRequest`; a record is a data point. A metric is walked twice, since
 * its points may stand before its name.
 *
 * Source: opentelemetry-proto metrics.proto.
 */
export class MetricsDecoder extends ExportDecoder<PointRow> {
  readonly #row = new PointRow();

  protected override readItem(end: number, envelopeRejection: string | undefined): void {
    const reader = this.reader;
    const start = reader.position;
    this.rejection = undefined;
    this.#readMetric(reader, end);
    if (this.#row.metric.byteLength > ENVELOPE_BYTES_MAX) {
      this.rejection = `its metric's description is larger than ${ENVELOPE_BYTES_MAX} bytes`;
      this.#row.metric.clear();
    }
    const metricRejection = this.rejection ?? envelopeRejection;
    reader.position = start;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      const field = tag >>> 3;
      if ((tag & 7) === WIRE_LENGTH && POINT_ATTRIBUTES_FIELD[field] !== undefined) {
        this.#readData(reader.readLength(end), field, metricRejection);
      } else {
        reader.skip(tag, end);
      }
    }
  }

  /** Collects what describes the metric, passing over its points. */
  #readMetric(reader: ProtobufReader, end: number): void {
    const row = this.#row;
    row.metric.clear();
    while (reader.position < end) {
      const start = reader.position;
      const tag = reader.readTag(end);
      if (tag === METADATA_TAG) {
        const fieldEnd = reader.readLength(end);
        this.walkKeyValue(fieldEnd, 1);
      } else {
        reader.skip(tag, end);
      }
      if (METRIC_TAGS.has(tag)) row.metric.push(start, reader.position);
    }
  }

  #readData(end: number, kind: number, metricRejection: string | undefined): void {
    const reader = this.reader;
    const row = this.#row;
    const start = reader.position;
    row.metricKind = kind;
    row.temporality = 0;
    row.isMonotonic = 0;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === ((2 << 3) | WIRE_VARINT)) row.temporality = reader.readVarint32(end) & 0xff;
      else if (tag === ((3 << 3) | WIRE_VARINT)) row.isMonotonic = reader.readVarint32(end) & 1;
      else reader.skip(tag, end);
    }
    reader.position = start;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === POINTS_TAG) this.#readPoint(reader.readLength(end), kind, metricRejection);
      else reader.skip(tag, end);
    }
  }

  #readPoint(end: number, kind: number, metricRejection: string | undefined): void {
    const reader = this.reader;
    const row = this.#row;
    const start = reader.position;
    this.rejection = undefined;
    row.clearPoint();
    while (reader.position < end) this.#readPointField(end, kind);
    const ordinal = this.ordinal++;
    const rejection = this.recordRejection(start, end, row.attributeCount, metricRejection);
    if (rejection === undefined) this.sink?.add(reader.bytes, row, ordinal);
    else this.sink?.reject(ordinal, rejection);
  }

  #readPointField(end: number, kind: number): void {
    const reader = this.reader;
    const row = this.#row;
    const start = reader.position;
    const tag = reader.readTag(end);
    const isNumber = kind === 5 || kind === 7;
    if (tag === ((2 << 3) | WIRE_FIXED64)) {
      const offset = reader.readFixed(8, end);
      row.startDay = dayAt(reader.bytes, offset);
      row.startNs = nsAt(reader.bytes, offset, row.startDay);
    } else if (tag === ((3 << 3) | WIRE_FIXED64)) {
      const offset = reader.readFixed(8, end);
      row.timeDay = dayAt(reader.bytes, offset);
      row.timeNs = nsAt(reader.bytes, offset, row.timeDay);
    } else if (isNumber && tag === ((4 << 3) | WIRE_FIXED64)) {
      row.valueKind = VALUE_DOUBLE;
      row.value = viewOf(reader.bytes).getFloat64(reader.readFixed(8, end), true);
    } else if (isNumber && tag === ((6 << 3) | WIRE_FIXED64)) {
      row.valueKind = VALUE_INT;
      row.value = Number(viewOf(reader.bytes).getBigInt64(reader.readFixed(8, end), true));
      row.rest.push(start, reader.position);
    } else if (tag === (((POINT_ATTRIBUTES_FIELD[kind] ?? 0) << 3) | WIRE_LENGTH)) {
      this.walkKeyValue(reader.readLength(end), 1);
      row.attributes.push(start, reader.position);
      row.attributeCount += 1;
    } else {
      reader.skip(tag, end);
      row.rest.push(start, reader.position);
    }
  }
}

const METADATA_TAG = (12 << 3) | WIRE_LENGTH;
const METRIC_TAGS: ReadonlySet<number> = new Set([
  (1 << 3) | WIRE_LENGTH,
  (2 << 3) | WIRE_LENGTH,
  (3 << 3) | WIRE_LENGTH,
  METADATA_TAG,
]);
const POINTS_TAG = (1 << 3) | WIRE_LENGTH;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
