import { ByteRanges } from "./byte-ranges.ts";
import { dayAt, RecordDecoder, nsAt } from "./otlp-decode.ts";
import {
  readU32,
  WIRE_FIXED32,
  WIRE_FIXED64,
  WIRE_LENGTH,
  WIRE_VARINT,
} from "./protobuf-reader.ts";

/** One span as offsets into its request. Times of 0, 0 are absent; -1 is an absent id. */
export class SpanRow {
  traceIdStart = -1;
  spanIdStart = -1;
  parentSpanIdStart = -1;
  traceStateStart = 0;
  traceStateEnd = 0;
  nameStart = 0;
  nameEnd = 0;
  kind = 0;
  startDay = 0;
  startNs = 0;
  endDay = 0;
  endNs = 0;
  flags = 0;
  statusCode = 0;
  statusMessageStart = 0;
  statusMessageEnd = 0;
  droppedAttributes = 0;
  droppedEvents = 0;
  droppedLinks = 0;
  attributeCount = 0;
  /** Repeated fields with their tags, as they stand on the wire. */
  readonly attributes = new ByteRanges();
  readonly events = new ByteRanges();
  readonly links = new ByteRanges();

  clear(): void {
    this.traceIdStart = -1;
    this.spanIdStart = -1;
    this.parentSpanIdStart = -1;
    this.traceStateStart = 0;
    this.traceStateEnd = 0;
    this.nameStart = 0;
    this.nameEnd = 0;
    this.kind = 0;
    this.startDay = 0;
    this.startNs = 0;
    this.endDay = 0;
    this.endNs = 0;
    this.flags = 0;
    this.statusCode = 0;
    this.statusMessageStart = 0;
    this.statusMessageEnd = 0;
    this.droppedAttributes = 0;
    this.droppedEvents = 0;
    this.droppedLinks = 0;
    this.attributeCount = 0;
    this.attributes.clear();
    this.events.clear();
    this.links.clear();
  }
}

/** Decodes `ExportTraceServiceRequest`. Source: opentelemetry-proto trace.proto `Span`. */
export class TracesDecoder extends RecordDecoder<SpanRow> {
  protected override readonly row = new SpanRow();

  protected override readField(end: number): void {
    const { reader, row } = this;
    const start = reader.position;
    const tag = reader.readTag(end);
    switch (tag) {
      case (1 << 3) | WIRE_LENGTH:
        row.traceIdStart = reader.readId(16, end);
        return;
      case (2 << 3) | WIRE_LENGTH:
        row.spanIdStart = reader.readId(8, end);
        return;
      case (3 << 3) | WIRE_LENGTH:
        row.traceStateEnd = reader.readLength(end);
        row.traceStateStart = reader.position;
        reader.position = row.traceStateEnd;
        return;
      case (4 << 3) | WIRE_LENGTH:
        row.parentSpanIdStart = reader.readId(8, end);
        return;
      case (5 << 3) | WIRE_LENGTH:
        row.nameEnd = reader.readLength(end);
        row.nameStart = reader.position;
        reader.position = row.nameEnd;
        return;
      case (6 << 3) | WIRE_VARINT:
        row.kind = reader.readVarint32(end) & 0xff;
        return;
      case (7 << 3) | WIRE_FIXED64: {
        const offset = reader.readFixed(8, end);
        row.startDay = dayAt(reader.bytes, offset);
        row.startNs = nsAt(reader.bytes, offset, row.startDay);
        return;
      }
      case (8 << 3) | WIRE_FIXED64: {
        const offset = reader.readFixed(8, end);
        row.endDay = dayAt(reader.bytes, offset);
        row.endNs = nsAt(reader.bytes, offset, row.endDay);
        return;
      }
      case (9 << 3) | WIRE_LENGTH: {
        const fieldEnd = reader.readLength(end);
        this.walkKeyValue(fieldEnd, 1);
        row.attributes.push(start, fieldEnd);
        row.attributeCount += 1;
        return;
      }
      case (10 << 3) | WIRE_VARINT:
        row.droppedAttributes = reader.readVarint32(end);
        return;
      case (11 << 3) | WIRE_LENGTH:
        row.events.push(start, this.#walkPart(reader.readLength(end), EVENT_ATTRIBUTES_TAG));
        return;
      case (12 << 3) | WIRE_VARINT:
        row.droppedEvents = reader.readVarint32(end);
        return;
      case (13 << 3) | WIRE_LENGTH:
        row.links.push(start, this.#walkPart(reader.readLength(end), LINK_ATTRIBUTES_TAG));
        return;
      case (14 << 3) | WIRE_VARINT:
        row.droppedLinks = reader.readVarint32(end);
        return;
      case (15 << 3) | WIRE_LENGTH:
        this.#readStatus(reader.readLength(end));
        return;
      case (16 << 3) | WIRE_FIXED32:
        row.flags = readU32(reader.bytes, reader.readFixed(4, end));
        return;
      default:
        reader.skip(tag, end);
    }
  }

  #readStatus(end: number): void {
    const reader = this.reader;
    const row = this.row;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === ((2 << 3) | WIRE_LENGTH)) {
        row.statusMessageEnd = reader.readLength(end);
        row.statusMessageStart = reader.position;
        reader.position = row.statusMessageEnd;
      } else if (tag === ((3 << 3) | WIRE_VARINT)) {
        row.statusCode = reader.readVarint32(end) & 0xff;
      } else {
        reader.skip(tag, end);
      }
    }
  }

  /** Validates an event or a link, and returns its end. */
  #walkPart(end: number, attributesTag: number): number {
    const reader = this.reader;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === attributesTag) this.walkKeyValue(reader.readLength(end), 1);
      else reader.skip(tag, end);
    }
    return end;
  }
}

const EVENT_ATTRIBUTES_TAG = (3 << 3) | WIRE_LENGTH;
const LINK_ATTRIBUTES_TAG = (4 << 3) | WIRE_LENGTH;
