import { ByteRanges } from "./byte-ranges.ts";
import { dayAt, RecordDecoder, nsAt } from "./otlp-decode.ts";
import {
  readU32,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
} from "./protobuf-reader.ts";

/** How a log record's body is kept. */
export const BODY_ABSENT = 0;
/** `bodyStart` to `bodyEnd` is the string itself. */
export const BODY_TEXT = 1;
/** `bodyStart` to `bodyEnd` is an encoded `AnyValue`. */
export const BODY_VALUE = 2;

/** One log record as offsets into its request. Times of 0, 0 are absent; -1 is an absent id. */
export class LogRow {
  timeDay = 0;
  timeNs = 0;
  observedDay = 0;
  observedNs = 0;
  severity = 0;
  severityTextStart = 0;
  severityTextEnd = 0;
  eventNameStart = 0;
  eventNameEnd = 0;
  bodyKind = BODY_ABSENT;
  bodyStart = 0;
  bodyEnd = 0;
  traceIdStart = -1;
  spanIdStart = -1;
  flags = 0;
  droppedAttributes = 0;
  attributeCount = 0;
  /** The `attributes` fields with their tags, as they stand on the wire. */
  readonly attributes = new ByteRanges();

  clear(): void {
    this.timeDay = 0;
    this.timeNs = 0;
    this.observedDay = 0;
    this.observedNs = 0;
    this.severity = 0;
    this.severityTextStart = 0;
    this.severityTextEnd = 0;
    this.eventNameStart = 0;
    this.eventNameEnd = 0;
    this.bodyKind = BODY_ABSENT;
    this.bodyStart = 0;
    this.bodyEnd = 0;
    this.traceIdStart = -1;
    this.spanIdStart = -1;
    this.flags = 0;
    this.droppedAttributes = 0;
    this.attributeCount = 0;
    this.attributes.clear();
  }
}

/** Decodes `ExportLogsServiceRequest`. Source: opentelemetry-proto logs.proto `LogRecord`. */
export class LogsDecoder extends RecordDecoder<LogRow> {
  protected override readonly row = new LogRow();

  protected override readField(end: number): void {
    const { reader, row } = this;
    const start = reader.position;
    const tag = reader.readTag(end);
    switch (tag) {
      case (1 << 3) | WIRE_FIXED64: {
        const offset = reader.readFixed(8, end);
        row.timeDay = dayAt(reader.bytes, offset);
        row.timeNs = nsAt(reader.bytes, offset, row.timeDay);
        return;
      }
      case (11 << 3) | WIRE_FIXED64: {
        const offset = reader.readFixed(8, end);
        row.observedDay = dayAt(reader.bytes, offset);
        row.observedNs = nsAt(reader.bytes, offset, row.observedDay);
        return;
      }
      case (2 << 3) | WIRE_VARINT: {
        const severity = reader.readVarint32(end);
        row.severity = severity <= 24 ? severity : 0;
        return;
      }
      case (3 << 3) | WIRE_LENGTH:
        row.severityTextEnd = reader.readLength(end);
        row.severityTextStart = reader.position;
        reader.position = row.severityTextEnd;
        return;
      case (5 << 3) | WIRE_LENGTH:
        this.#readBody(reader.readLength(end));
        return;
      case (6 << 3) | WIRE_LENGTH: {
        const fieldEnd = reader.readLength(end);
        this.walkKeyValue(fieldEnd, 1);
        row.attributes.push(start, fieldEnd);
        row.attributeCount += 1;
        return;
      }
      case (7 << 3) | WIRE_VARINT:
        row.droppedAttributes = reader.readVarint32(end);
        return;
      case (8 << 3) | WIRE_FIXED32:
        row.flags = readU32(reader.bytes, reader.readFixed(4, end)) & 0xff;
        return;
      case (9 << 3) | WIRE_LENGTH:
        row.traceIdStart = reader.readId(16, end);
        return;
      case (10 << 3) | WIRE_LENGTH:
        row.spanIdStart = reader.readId(8, end);
        return;
      case (12 << 3) | WIRE_LENGTH:
        row.eventNameEnd = reader.readLength(end);
        row.eventNameStart = reader.position;
        reader.position = row.eventNameEnd;
        return;
      default:
        reader.skip(tag, end);
    }
  }

  #readBody(end: number): void {
    const reader = this.reader;
    const row = this.row;
    const start = reader.position;
    row.bodyKind = start === end ? BODY_ABSENT : BODY_VALUE;
    row.bodyStart = start;
    row.bodyEnd = end;
    if (start < end && reader.bytes[start] === STRING_VALUE_TAG) {
      reader.position = start + 1;
      const textEnd = reader.readLength(end);
      if (textEnd === end) {
        row.bodyKind = BODY_TEXT;
        row.bodyStart = reader.position;
        reader.position = end;
        return;
      }
      reader.position = start;
    }
    this.walkValue(end, 1);
  }
}

const STRING_VALUE_TAG = (1 << 3) | WIRE_LENGTH;
