import type { AnyValue, AttributeMap } from "../core/any-value.ts";
import type { Resource, Scope } from "../core/record.ts";
import { ProtobufReader, WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "./protobuf-reader.ts";

/**
 * Reads values back from protobuf that a decoder of this folder has validated. Text that is not
 * UTF-8 reads with U+FFFD in the place of what is wrong; the bytes stay as they were sent.
 */

const KEY_TAG = (1 << 3) | WIRE_LENGTH;
const VALUE_TAG = (2 << 3) | WIRE_LENGTH;

/** A run of `KeyValue` fields, whatever their number, as a map. The last of equal keys wins. */
export function decodeAttributes(bytes: Uint8Array, start = 0, end = bytes.length): AttributeMap {
  const attributes = new Map<string, AnyValue>();
  const reader = readerAt(bytes, start);
  while (reader.position < end) {
    reader.readTag(end);
    const fieldEnd = reader.readLength(end);
    readKeyValue(reader, fieldEnd, attributes);
  }
  return attributes;
}

/**
 * The value of one key in a run of `KeyValue` fields, or undefined: what `decodeAttributes` would
 * say, without making the other values.
 */
export function findAttribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  key: Uint8Array,
): AnyValue | undefined {
  let found: AnyValue | undefined;
  const reader = readerAt(bytes, start);
  while (reader.position < end) {
    reader.readTag(end);
    const fieldEnd = reader.readLength(end);
    if (hasKey(reader, fieldEnd, key)) {
      reader.position = keyValueStart;
      const pair = new Map<string, AnyValue>();
      readKeyValue(reader, fieldEnd, pair);
      found = pair.values().next().value;
    }
    reader.position = fieldEnd;
  }
  return found;
}

/** Where the `KeyValue` that `hasKey` looked at begins. */
let keyValueStart = 0;

function hasKey(reader: ProtobufReader, end: number, key: Uint8Array): boolean {
  keyValueStart = reader.position;
  let isEqual = key.length === 0;
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag !== KEY_TAG) {
      reader.skip(tag, end);
      continue;
    }
    const keyEnd = reader.readLength(end);
    isEqual = isEqualAt(reader.bytes, reader.position, keyEnd, key);
    reader.position = keyEnd;
  }
  return isEqual;
}

function isEqualAt(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false;
  for (let index = 0; index < other.length; index++) {
    if (bytes[start + index] !== other[index]) return false;
  }
  return true;
}

/** One encoded `AnyValue`. */
export function decodeAnyValue(bytes: Uint8Array, start = 0, end = bytes.length): AnyValue {
  return readAnyValue(readerAt(bytes, start), end);
}

/** An envelope: the fields `resource` 1 and `schema_url` 3 of a resource group. */
export function decodeResource(envelope: Uint8Array): Resource {
  const attributes = new Map<string, AnyValue>();
  const schemaUrl = readEnvelope(envelope, (reader, tag, end) => {
    if (tag === KEY_TAG) readKeyValue(reader, reader.readLength(end), attributes);
    else reader.skip(tag, end);
  });
  return { attributes, schemaUrl };
}

/** An envelope: the fields `scope` 1 and `schema_url` 3 of a scope group. */
export function decodeScope(envelope: Uint8Array): Scope {
  const attributes = new Map<string, AnyValue>();
  let name = "";
  let version = "";
  const schemaUrl = readEnvelope(envelope, (reader, tag, end) => {
    if (tag === ((1 << 3) | WIRE_LENGTH)) name = readText(reader, end);
    else if (tag === ((2 << 3) | WIRE_LENGTH)) version = readText(reader, end);
    else if (tag === ((3 << 3) | WIRE_LENGTH)) {
      readKeyValue(reader, reader.readLength(end), attributes);
    } else reader.skip(tag, end);
  });
  return { name, version, attributes, schemaUrl };
}

function readEnvelope(
  envelope: Uint8Array,
  readField: (reader: ProtobufReader, tag: number, end: number) => void,
): string {
  let schemaUrl = "";
  const reader = readerAt(envelope, 0);
  while (reader.position < envelope.length) {
    const tag = reader.readTag(envelope.length);
    if (tag === ((3 << 3) | WIRE_LENGTH)) {
      schemaUrl = readText(reader, envelope.length);
      continue;
    }
    const end = reader.readLength(envelope.length);
    while (reader.position < end) readField(reader, reader.readTag(end), end);
  }
  return schemaUrl;
}

/** Reads a `KeyValue` into `target`; the reader ends at `end`. */
export function readKeyValue(
  reader: ProtobufReader,
  end: number,
  target: Map<string, AnyValue>,
): void {
  let key = "";
  let value: AnyValue = null;
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === KEY_TAG) key = readText(reader, end);
    else if (tag === VALUE_TAG) value = readAnyValue(reader, reader.readLength(end));
    else reader.skip(tag, end);
  }
  target.set(key, value);
}

function readAnyValue(reader: ProtobufReader, end: number): AnyValue {
  let value: AnyValue = null;
  while (reader.position < end) {
    const tag = reader.readTag(end);
    switch (tag) {
      case (1 << 3) | WIRE_LENGTH:
        value = readText(reader, end);
        break;
      case (2 << 3) | WIRE_VARINT:
        value = readInt64(reader, end) !== 0n;
        break;
      case (3 << 3) | WIRE_VARINT:
        value = readInt64(reader, end);
        break;
      case (4 << 3) | WIRE_FIXED64:
        value = readDouble(reader, end);
        break;
      case (5 << 3) | WIRE_LENGTH:
        value = readArray(reader, reader.readLength(end));
        break;
      case (6 << 3) | WIRE_LENGTH:
        value = readMap(reader, reader.readLength(end));
        break;
      case (7 << 3) | WIRE_LENGTH: {
        const bytesEnd = reader.readLength(end);
        value = Uint8Array.from(reader.bytes.subarray(reader.position, bytesEnd));
        reader.position = bytesEnd;
        break;
      }
      default:
        reader.skip(tag, end);
    }
  }
  return value;
}

function readArray(reader: ProtobufReader, end: number): AnyValue {
  const values: AnyValue[] = [];
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === KEY_TAG) values.push(readAnyValue(reader, reader.readLength(end)));
    else reader.skip(tag, end);
  }
  return values;
}

function readMap(reader: ProtobufReader, end: number): AnyValue {
  const values = new Map<string, AnyValue>();
  while (reader.position < end) {
    const tag = reader.readTag(end);
    if (tag === KEY_TAG) readKeyValue(reader, reader.readLength(end), values);
    else reader.skip(tag, end);
  }
  return values;
}

function readDouble(reader: ProtobufReader, end: number): number {
  const { bytes } = reader;
  const offset = reader.readFixed(8, end);
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(offset, true);
}

function readInt64(reader: ProtobufReader, end: number): bigint {
  let value = 0n;
  const start = reader.position;
  reader.readVarint32(end);
  for (let index = reader.position - 1; index >= start; index--) {
    value = (value << 7n) | BigInt(reader.bytes[index] & 0x7f);
  }
  return BigInt.asIntN(64, value);
}

/** Reads a length-delimited text; the reader stands behind its tag. */
export function readText(reader: ProtobufReader, end: number): string {
  const textEnd = reader.readLength(end);
  const text = decodeText(reader.bytes, reader.position, textEnd);
  reader.position = textEnd;
  return text;
}

/** UTF-8 in `[start, end)` as a string. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (start === end) return "";
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}

function readerAt(bytes: Uint8Array, position: number): ProtobufReader {
  const reader = new ProtobufReader();
  reader.reset(bytes);
  reader.position = position;
  return reader;
}
