import { ATTRIBUTES_MAX, RECORD_BYTES_MAX, VALUE_DEPTH_MAX } from "../core/limits.ts";
import { dayOfWords, nsInDayOfWords } from "../core/time.ts";
import { ByteRanges } from "./byte-ranges.ts";
import { ProtobufReader, readU32, WIRE_LENGTH } from "./protobuf-reader.ts";

/** Resource and scope of one group of records at the most; larger ones reject their records. */
export const ENVELOPE_BYTES_MAX = 1024 * 1024;

/**
 * What a decoder hands its records to. `Row` is one object, overwritten for each record: a sink
 * copies what it keeps before it returns. Ranges point into `bytes`, the whole request.
 *
 * Calls come in the order of the bytes: `resource`, then `scope`, then records; `ordinal` counts
 * the request's records from 0, rejected ones included.
 */
export interface RecordSink<Row> {
  /** The fields `resource` and `schema_url` of the group, as they stand on the wire. */
  resource(bytes: Uint8Array, ranges: ByteRanges): void;
  /** The fields `scope` and `schema_url`. */
  scope(bytes: Uint8Array, ranges: ByteRanges): void;
  add(bytes: Uint8Array, row: Row, ordinal: number): void;
  /** The record is well-formed protobuf, but breaks a limit; the request goes on without it. */
  reject(ordinal: number, reason: string): void;
}

/**
 * Walks an OTLP export request: resources, scopes, items. The three signals share the numbers:
 * group 1 { resource 1, scope group 2 { scope 1, item 2, schema_url 3 }, schema_url 3 }.
 *
 * Every byte is validated as protobuf before anything counts as understood: `WireError` rejects
 * the whole request. Fields may come in any order, so each group is walked twice: once for its
 * envelope, once for its content.
 *
 * Concurrency: one instance serves one thread, one request at a time; decoding is synchronous.
 * Source: opentelemetry-proto collector and signal `.proto` files.
 */
export abstract class ExportDecoder<Row> {
  protected readonly reader = new ProtobufReader();
  protected ordinal = 0;
  protected sink: RecordSink<Row> | undefined;
  /** Why the current item cannot be stored; set by the walkers below. */
  protected rejection: string | undefined;
  readonly #envelope = new ByteRanges();
  #resourceRejection: string | undefined;
  #scopeRejection: string | undefined;

  /** Reads the item in `[reader.position, end)` and gives its records to the sink. */
  protected abstract readItem(end: number, envelopeRejection: string | undefined): void;

  /** Decodes a request and returns how many records it holds. Errors: `WireError`. */
  decode(bytes: Uint8Array, sink: RecordSink<Row>): number {
    this.reader.reset(bytes);
    this.sink = sink;
    this.ordinal = 0;
    const reader = this.reader;
    const end = bytes.length;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === GROUP_TAG) this.#readResourceGroup(reader.readLength(end), sink);
      else reader.skip(tag, end);
    }
    this.sink = undefined;
    return this.ordinal;
  }

  #readResourceGroup(end: number, sink: RecordSink<Row>): void {
    const start = this.reader.position;
    this.#resourceRejection = this.#readEnvelope(end, RESOURCE_ATTRIBUTES_TAG);
    sink.resource(this.reader.bytes, this.#envelope);
    const reader = this.reader;
    reader.position = start;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === SCOPE_GROUP_TAG) this.#readScopeGroup(reader.readLength(end), sink);
      else reader.skip(tag, end);
    }
  }

  #readScopeGroup(end: number, sink: RecordSink<Row>): void {
    const start = this.reader.position;
    this.#scopeRejection = this.#readEnvelope(end, SCOPE_ATTRIBUTES_TAG);
    sink.scope(this.reader.bytes, this.#envelope);
    const reader = this.reader;
    reader.position = start;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === ITEM_TAG) {
        const itemEnd = reader.readLength(end);
        this.readItem(itemEnd, this.#resourceRejection ?? this.#scopeRejection);
        reader.position = itemEnd;
      } else {
        reader.skip(tag, end);
      }
    }
  }

  /** Collects the fields 1 and 3 of a group; returns why its records must be rejected, if so. */
  #readEnvelope(end: number, attributesTag: number): string | undefined {
    const reader = this.reader;
    this.#envelope.clear();
    this.rejection = undefined;
    while (reader.position < end) {
      const start = reader.position;
      const tag = reader.readTag(end);
      if (tag === ENVELOPE_TAG) {
        const fieldEnd = reader.readLength(end);
        this.#walkEnvelope(fieldEnd, attributesTag);
        this.#envelope.push(start, fieldEnd);
      } else {
        reader.skip(tag, end);
        if (tag === SCHEMA_URL_TAG) this.#envelope.push(start, reader.position);
      }
    }
    if (this.#envelope.byteLength > ENVELOPE_BYTES_MAX) {
      this.#envelope.clear();
      return `its resource or scope is larger than ${ENVELOPE_BYTES_MAX} bytes`;
    }
    return this.rejection;
  }

  /** Validates a resource or a scope, values of its attributes included. */
  #walkEnvelope(end: number, attributesTag: number): void {
    const reader = this.reader;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === attributesTag) this.walkKeyValue(reader.readLength(end), 1);
      else reader.skip(tag, end);
    }
  }

  /** Why the record `[start, end)` with so many attributes cannot be stored, if so. */
  protected recordRejection(
    start: number,
    end: number,
    attributeCount: number,
    envelopeRejection: string | undefined,
  ): string | undefined {
    if (end - start > RECORD_BYTES_MAX) return `it is larger than ${RECORD_BYTES_MAX} bytes`;
    if (attributeCount > ATTRIBUTES_MAX) return `it has more than ${ATTRIBUTES_MAX} attributes`;
    return this.rejection ?? envelopeRejection;
  }

  /** Validates the `KeyValue` in `[position, end)` and moves behind it. */
  protected walkKeyValue(end: number, depth: number): void {
    const reader = this.reader;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === KEY_VALUE_VALUE_TAG) this.walkValue(reader.readLength(end), depth);
      else reader.skip(tag, end);
    }
  }

  /** Validates the `AnyValue` in `[position, end)` and moves behind it. */
  protected walkValue(end: number, depth: number): void {
    const reader = this.reader;
    if (depth > VALUE_DEPTH_MAX) {
      this.rejection = `a value is nested deeper than ${VALUE_DEPTH_MAX} levels`;
      reader.position = end;
      return;
    }
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag === ARRAY_VALUE_TAG) this.#walkList(reader.readLength(end), depth, false);
      else if (tag === KVLIST_VALUE_TAG) this.#walkList(reader.readLength(end), depth, true);
      else reader.skip(tag, end);
    }
  }

  #walkList(end: number, depth: number, isMap: boolean): void {
    const reader = this.reader;
    while (reader.position < end) {
      const tag = reader.readTag(end);
      if (tag !== LIST_VALUES_TAG) reader.skip(tag, end);
      else if (isMap) this.walkKeyValue(reader.readLength(end), depth + 1);
      else this.walkValue(reader.readLength(end), depth + 1);
    }
  }
}

/** A decoder whose items are records themselves, one each: logs and spans. */
export abstract class RecordDecoder<
  Row extends { readonly attributeCount: number; clear(): void },
> extends ExportDecoder<Row> {
  /** Overwritten for each record. */
  protected abstract readonly row: Row;

  /** Reads the field at the reader's position into the row. */
  protected abstract readField(end: number): void;

  protected override readItem(end: number, envelopeRejection: string | undefined): void {
    const { reader, row } = this;
    const start = reader.position;
    this.rejection = undefined;
    row.clear();
    while (reader.position < end) this.readField(end);
    const ordinal = this.ordinal++;
    const rejection = this.recordRejection(start, end, row.attributeCount, envelopeRejection);
    if (rejection === undefined) this.sink?.add(reader.bytes, row, ordinal);
    else this.sink?.reject(ordinal, rejection);
  }
}

const tagOf = (field: number): number => (field << 3) | WIRE_LENGTH;
const GROUP_TAG = tagOf(1);
const SCOPE_GROUP_TAG = tagOf(2);
const ITEM_TAG = tagOf(2);
const ENVELOPE_TAG = tagOf(1);
const SCHEMA_URL_TAG = tagOf(3);
const RESOURCE_ATTRIBUTES_TAG = tagOf(1);
const SCOPE_ATTRIBUTES_TAG = tagOf(3);
const KEY_VALUE_VALUE_TAG = tagOf(2);
const ARRAY_VALUE_TAG = tagOf(5);
const KVLIST_VALUE_TAG = tagOf(6);
const LIST_VALUES_TAG = tagOf(1);

/** The UTC day of the fixed64 time at `offset`. */
export function dayAt(bytes: Uint8Array, offset: number): number {
  return dayOfWords(readU32(bytes, offset), readU32(bytes, offset + 4));
}

/** The nanosecond within `day` of the fixed64 time at `offset`. */
export function nsAt(bytes: Uint8Array, offset: number, day: number): number {
  return nsInDayOfWords(readU32(bytes, offset), readU32(bytes, offset + 4), day);
}
