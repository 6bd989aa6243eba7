import { isUtf8 } from "node:buffer";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import type { Signal } from "../core/record.ts";
import { decodeBase64, decodeHex } from "./binary-text.ts";
import { parseDecimalDouble } from "./decimal-double.ts";
import { DecimalInteger } from "./decimal-integer.ts";
import { BYTE, JsonReader } from "./json-reader.ts";
import type { FieldDescriptor, FieldKind, MessageDescriptor } from "./message-descriptor.ts";
import { EXPORT_REQUESTS } from "./otlp-schema.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import { firstInvalidUtf8 } from "./utf8-check.ts";
import { WireError } from "./wire-error.ts";

/** JSON takes three to four times the bytes of its protobuf; from here the writer grows. */
const INITIAL_SHARE = 0.3;

/**
 * Turns an OTLP export request in JSON into protobuf, in one pass over the bytes.
 *
 * Accepts what senders are known to write: 64-bit integers as numbers or strings, in any form that
 * is exactly an integer; ids in hex of any case; base64 of both alphabets, padded or not; enum
 * names; snake_case keys; "NaN" and "Infinity"; null for absent, and as an element of a list for
 * an empty one. Unknown keys are passed over at every depth. An id with an odd number of hex
 * digits is left out, one of another wrong length goes through and counts as absent later.
 *
 * Refuses a field given twice, and two members of one oneof: whichever won, data would be lost
 * without a word.
 *
 * Shape:  fields stand in the order of the JSON; zero values of plain fields are left out.
 * Limits: nesting `JSON_DEPTH_MAX`; the protobuf is at most `REQUEST_BYTES_MAX`.
 * Errors: `WireError`, whose message has the JSON path and the byte offset.
 * Source: OTLP specification "JSON Protobuf Encoding"; protobuf "ProtoJSON Format".
 */
export function otlpJsonToProtobuf(signal: Signal, body: Uint8Array): Uint8Array {
  const source = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!isUtf8(source)) {
    const offset = firstInvalidUtf8(source);
    throw new WireError(`the text is not valid UTF-8 (at byte ${offset})`, offset);
  }
  return new JsonTranscoder(source).transcode(EXPORT_REQUESTS[signal]);
}

/** What an error calls a value of each kind. */
const KIND_NAMES: Readonly<Record<FieldKind, string>> = {
  string: "a string",
  bool: "true or false",
  bytes: "base64",
  hex: "hex",
  double: "a number of 64-bit floating point",
  fixed32: "an unsigned 32-bit integer",
  uint32: "an unsigned 32-bit integer",
  sint32: "a 32-bit integer",
  enum: "a number or name of this enumeration",
  fixed64: "an unsigned 64-bit integer",
  uint64: "an unsigned 64-bit integer",
  sfixed64: "a 64-bit integer",
  int64: "a 64-bit integer",
  message: "an object",
};

/** Reads JSON by the schema's tables and writes protobuf behind it. Serves one text. */
class JsonTranscoder {
  readonly #source: Buffer;
  readonly #reader: JsonReader;
  readonly #writer: ProtobufWriter;
  readonly #integer = new DecimalInteger();

  constructor(source: Buffer) {
    this.#source = source;
    this.#reader = new JsonReader(source);
    this.#writer = new ProtobufWriter({
      initialBytes: Math.ceil(source.length * INITIAL_SHARE),
      bytesMax: REQUEST_BYTES_MAX,
    });
  }

  transcode(request: MessageDescriptor): Uint8Array {
    this.#readMessage(request);
    this.#reader.expectEnd();
    return this.#writer.finish();
  }

  #readMessage(message: MessageDescriptor): void {
    const reader = this.#reader;
    if (reader.peek() !== BYTE.openBrace) reader.failToken("an object should stand here");
    reader.enter(BYTE.openBrace);
    let seen = 0;
    for (let isFirst = true; reader.nextKey(isFirst); isFirst = false) {
      const field = this.#fieldOfKey(message);
      if (field === undefined) {
        reader.skipValue();
        continue;
      }
      reader.path.push(field.name);
      if (!reader.acceptNull()) {
        if ((seen & field.seenBit) !== 0) this.#failRepeated(field);
        seen |= field.seenBit;
        if (field.isRepeated) this.#readList(field);
        else this.#readField(field);
      }
      reader.path.pop();
    }
  }

  #fieldOfKey(message: MessageDescriptor): FieldDescriptor | undefined {
    const reader = this.#reader;
    if (!reader.hasEscapes) {
      return message.fieldOfKey(this.#source, reader.textStart, reader.textEnd);
    }
    const key = reader.unescapedText();
    return message.fieldOfKey(key, 0, key.length);
  }

  #failRepeated(field: FieldDescriptor): never {
    const what =
      field.oneof === undefined
        ? "the field is given twice"
        : "a second value is given where only one may be";
    return this.#reader.fail(what, this.#reader.position);
  }

  #readList(field: FieldDescriptor): void {
    const reader = this.#reader;
    const writer = this.#writer;
    if (reader.peek() !== BYTE.openBracket) reader.failToken("a list should stand here");
    reader.enter(BYTE.openBracket);
    const start = writer.position;
    const mark = field.isPacked ? this.#beginField(field) : -1;
    for (let index = 0; reader.nextElement(index === 0); index++) {
      reader.path.setIndex(index);
      if (reader.acceptNull()) this.#writeEmptyElement(field);
      else this.#readField(field);
    }
    if (writer.position === mark) writer.position = start;
    else if (field.isPacked) writer.end(mark);
  }

  #beginField(field: FieldDescriptor): number {
    this.#writer.varint32(field.tag);
    return this.#writer.begin();
  }

  #writeEmptyElement(field: FieldDescriptor): void {
    if (field.isPacked && (field.kind === "double" || field.kind === "fixed64")) {
      this.#writer.fixed64(0, 0);
      return;
    }
    if (!field.isPacked) this.#writer.varint32(field.tag);
    this.#writer.varint32(0);
  }

  /** Writes the tag of a value to come; false where that value needs no bytes at all. */
  #startField(field: FieldDescriptor, isDefault: boolean): boolean {
    if (field.isPacked) return true;
    if (isDefault && !field.hasPresence) return false;
    this.#writer.varint32(field.tag);
    return true;
  }

  /** Reads one value, or one element of a list. */
  #readField(field: FieldDescriptor): void {
    switch (field.kind) {
      case "message": {
        const mark = this.#beginField(field);
        this.#readMessage(field.message);
        this.#writer.end(mark);
        return;
      }
      case "string":
        this.#readString(field);
        return;
      case "hex":
        this.#readHex(field);
        return;
      case "bytes":
        this.#readBase64(field);
        return;
      case "bool":
        this.#readBool(field);
        return;
      case "double":
        this.#readDouble(field);
        return;
      case "enum":
        this.#readEnum(field);
        return;
      case "fixed32":
      case "uint32":
      case "sint32":
      case "fixed64":
      case "sfixed64":
      case "int64":
      case "uint64":
        this.#scanInteger(field);
        this.#writeInteger(field, field.kind);
        return;
      default:
        field.kind satisfies never;
    }
  }

  #scanString(): void {
    if (this.#reader.peek() !== BYTE.quote) this.#reader.failToken("a string should stand here");
    this.#reader.scanString();
  }

  #readString(field: FieldDescriptor): void {
    this.#scanString();
    const { textStart, textEnd, hasEscapes } = this.#reader;
    if (!this.#startField(field, textStart === textEnd)) return;
    const writer = this.#writer;
    if (!hasEscapes) {
      writer.lengthAndRange(this.#source, textStart, textEnd);
      return;
    }
    const mark = writer.begin();
    writer.reserve(textEnd - textStart);
    writer.position = this.#reader.unescapeInto(writer.bytes, writer.position);
    writer.end(mark);
  }

  #readHex(field: FieldDescriptor): void {
    this.#scanString();
    const start = this.#writer.position;
    const text = this.#reader.unescapedText();
    if (!this.#startField(field, text.length === 0)) return;
    const writer = this.#writer;
    const mark = writer.begin();
    writer.reserve(text.length);
    const end = decodeHex(text, writer.bytes, writer.position);
    if (end < 0) this.#failText(field);
    writer.position = end;
    writer.end(mark);
    if (text.length % 2 === 1) writer.position = start;
  }

  #readBase64(field: FieldDescriptor): void {
    this.#scanString();
    const text = this.#reader.unescapedText();
    if (!this.#startField(field, text.length === 0)) return;
    const writer = this.#writer;
    const mark = writer.begin();
    writer.reserve(text.length);
    const end = decodeBase64(text, writer.bytes, writer.position);
    if (end < 0) this.#failText(field);
    writer.position = end;
    writer.end(mark);
  }

  #readBool(field: FieldDescriptor): void {
    const isTrue = this.#reader.peek() === BYTE.lowerT;
    this.#reader.expectWord(isTrue ? "true" : "false");
    if (this.#startField(field, !isTrue)) this.#writer.varint32(isTrue ? 1 : 0);
  }

  #readDouble(field: FieldDescriptor): void {
    const value = this.#scanDouble(field);
    if (this.#startField(field, Object.is(value, 0))) this.#writer.double(value);
  }

  #scanDouble(field: FieldDescriptor): number {
    const isText = this.#scanNumberOrString(field);
    const reader = this.#reader;
    if (!isText) {
      const value = parseDecimalDouble(this.#source, reader.textStart, reader.textEnd);
      return value ?? this.#failValue(field, reader.textStart);
    }
    const text = reader.unescapedText();
    const special = SPECIAL_DOUBLES.get(Buffer.from(text.subarray(0, 16)).toString("latin1"));
    const value = special ?? parseDecimalDouble(text, 0, text.length);
    return value ?? this.#failText(field);
  }

  #readEnum(field: FieldDescriptor): void {
    const reader = this.#reader;
    if (reader.peek() === BYTE.quote && isUpperCase(this.#source[reader.position + 1])) {
      reader.scanString();
      const name = Buffer.from(reader.unescapedText()).toString("latin1");
      const value = field.enumValues.get(name) ?? this.#failText(field);
      if (this.#startField(field, value === 0)) this.#writer.varint32(value);
      return;
    }
    this.#scanInteger(field);
    this.#writeInteger(field, "int32");
  }

  #scanInteger(field: FieldDescriptor): void {
    const isText = this.#scanNumberOrString(field);
    const reader = this.#reader;
    const integer = this.#integer;
    if (!isText || !reader.hasEscapes) {
      const isInteger = integer.parse(this.#source, reader.textStart, reader.textEnd);
      if (!isInteger) this.#failValue(field, isText ? reader.textStart - 1 : reader.textStart);
      return;
    }
    const text = reader.unescapedText();
    if (!integer.parse(text, 0, text.length)) this.#failText(field);
  }

  /** Scans a number, or a string that stands for one; true where it is a string. */
  #scanNumberOrString(field: FieldDescriptor): boolean {
    const reader = this.#reader;
    const byte = reader.peek();
    if (byte === BYTE.quote) {
      reader.scanString();
      return true;
    }
    if (byte !== BYTE.minus && (byte < BYTE.zero || byte > BYTE.nine)) {
      reader.failToken(`${KIND_NAMES[field.kind]} should stand here`);
    }
    reader.scanNumber();
    return false;
  }

  #writeInteger(field: FieldDescriptor, kind: IntegerKind): void {
    const integer = this.#integer;
    if (!isInRange(integer, kind)) this.#failValue(field, this.#reader.textStart);
    if (!this.#startField(field, integer.isZero())) return;
    const writer = this.#writer;
    switch (kind) {
      case "fixed64":
      case "sfixed64":
        integer.applySign();
        writer.fixed64(integer.low, integer.high);
        return;
      case "int32":
      case "int64":
      case "uint64":
        integer.applySign();
        writer.varint64(integer.low, integer.high);
        return;
      case "fixed32":
        writer.fixed32(integer.low);
        return;
      case "uint32":
        writer.varint32(integer.low);
        return;
      case "sint32": {
        const value = integer.toInt32();
        writer.varint32(((value << 1) ^ (value >> 31)) >>> 0);
        return;
      }
      default:
        kind satisfies never;
    }
  }

  /** Fails at the string that was read last. */
  #failText(field: FieldDescriptor): never {
    return this.#failValue(field, this.#reader.textStart - 1);
  }

  #failValue(field: FieldDescriptor, offset: number): never {
    const found = this.#reader.excerpt(offset);
    return this.#reader.fail(`${found} is not ${KIND_NAMES[field.kind]}`, offset);
  }
}

/** The kinds that are integers; an enum's number is an `int32`. */
type IntegerKind =
  | Extract<
      FieldKind,
      "fixed32" | "uint32" | "sint32" | "fixed64" | "sfixed64" | "int64" | "uint64"
    >
  | "int32";

function isInRange(integer: DecimalInteger, kind: IntegerKind): boolean {
  switch (kind) {
    case "fixed32":
    case "uint32":
      return integer.isUint32();
    case "sint32":
    case "int32":
      return integer.isInt32();
    case "fixed64":
    case "uint64":
      return integer.isUint64();
    case "int64":
    case "sfixed64":
      return integer.isInt64();
    default:
      return kind satisfies never;
  }
}

const SPECIAL_DOUBLES: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

function isUpperCase(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}
