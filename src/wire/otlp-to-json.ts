import type { Signal } from "../core/record.ts";
import type { FieldDescriptor, MessageDescriptor } from "./message-descriptor.ts";
import { EXPORT_REQUESTS } from "./otlp-schema.ts";
import { ProtobufReader, readU32 } from "./protobuf-reader.ts";

/** Messages inside each other; bounds the stack. A value of the store's depth limit needs a third. */
const MESSAGE_DEPTH_MAX = 256;

/**
 * Turns an OTLP export request in protobuf into canonical OTLP JSON (OTLP-018): 64-bit integers as
 * decimal strings, ids in lower-case hex, enums as integers, fields in the order of the schema,
 * zero values of plain fields left out, no whitespace.
 *
 * Unknown fields are passed over; invalid UTF-8 becomes U+FFFD.
 *
 * Errors: `WireError` where the bytes are no such protobuf.
 * Source: OTLP specification "JSON Protobuf Encoding".
 */
export function otlpProtobufToJson(signal: Signal, body: Uint8Array): string {
  return new JsonRenderer(body).render(EXPORT_REQUESTS[signal]);
}

/**
 * What is known of a message while it is read: per field, by its index, nothing, its JSON text, its
 * message, or the elements of its list. Kept apart from the text because protobuf may give fields
 * in any order, elements of a list with others between, and parts of a message one by one.
 */
interface MessageContent {
  readonly descriptor: MessageDescriptor;
  readonly slots: (Slot | undefined)[];
}

type Slot = string | MessageContent | (string | MessageContent)[];

class JsonRenderer {
  readonly #reader = new ProtobufReader();
  readonly #source: Buffer;
  #depth = 0;

  constructor(body: Uint8Array) {
    this.#reader.reset(body);
    this.#source = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  }

  render(request: MessageDescriptor): string {
    const content: MessageContent = { descriptor: request, slots: [] };
    this.#readMessage(content, this.#source.length);
    return messageText(content);
  }

  #readMessage(content: MessageContent, end: number): void {
    const reader = this.#reader;
    this.#depth += 1;
    if (this.#depth > MESSAGE_DEPTH_MAX) {
      reader.fail(`messages are nested deeper than ${MESSAGE_DEPTH_MAX} levels`);
    }
    while (reader.position < end) {
      const tag = reader.readTag(end);
      const field = content.descriptor.fieldOfNumber(tag >>> 3);
      if (field === undefined) reader.skip(tag, end);
      else if (tag === field.tag && field.isPacked) this.#readPacked(content, field, end);
      else if (tag === field.tag || tag === field.elementTag) this.#readOne(content, field, end);
      else reader.skip(tag, end);
    }
    this.#depth -= 1;
  }

  #readPacked(content: MessageContent, field: FieldDescriptor, end: number): void {
    const runEnd = this.#reader.readLength(end);
    while (this.#reader.position < runEnd) {
      elementsOf(content, field).push(this.#readScalar(field, runEnd));
    }
  }

  #readOne(content: MessageContent, field: FieldDescriptor, end: number): void {
    if (field.kind !== "message") {
      const text = this.#readScalar(field, end);
      if (field.isRepeated) elementsOf(content, field).push(text);
      else
        setSlot(content, field, field.hasPresence || !DEFAULT_TEXTS.has(text) ? text : undefined);
      return;
    }
    const messageEnd = this.#reader.readLength(end);
    const existing = content.slots[field.index];
    // A message that comes in parts is merged, as protobuf has it.
    const isPart = typeof existing === "object" && !Array.isArray(existing);
    const message = isPart ? existing : { descriptor: field.message, slots: [] };
    if (field.isRepeated) elementsOf(content, field).push(message);
    else setSlot(content, field, message);
    this.#readMessage(message, messageEnd);
  }

  /** Reads a value behind its tag and returns its JSON. */
  #readScalar(field: FieldDescriptor, end: number): string {
    const reader = this.#reader;
    switch (field.kind) {
      case "string":
        return JSON.stringify(this.#readText(end, "utf8"));
      case "bytes":
        return `"${this.#readText(end, "base64")}"`;
      case "hex":
        return `"${this.#readText(end, "hex")}"`;
      case "double":
        return doubleText(this.#source.readDoubleLE(reader.readFixed(8, end)));
      case "fixed64":
        return `"${this.#source.readBigUInt64LE(reader.readFixed(8, end))}"`;
      case "sfixed64":
        return `"${this.#source.readBigInt64LE(reader.readFixed(8, end))}"`;
      case "fixed32":
        return String(readU32(this.#source, reader.readFixed(4, end)));
      case "uint64":
        return `"${this.#readVarint64(end)}"`;
      case "int64":
        return `"${BigInt.asIntN(64, this.#readVarint64(end))}"`;
      case "bool":
        return this.#readVarint64(end) === 0n ? "false" : "true";
      case "uint32":
        return String(Number(this.#readVarint64(end) & 0xffff_ffffn));
      case "enum":
        return String(Number(BigInt.asIntN(32, this.#readVarint64(end))));
      case "sint32": {
        const zigzag = Number(this.#readVarint64(end) & 0xffff_ffffn);
        return String((zigzag >>> 1) ^ -(zigzag & 1));
      }
      case "message":
        throw new TypeError("a message is no scalar");
      default:
        return field.kind satisfies never;
    }
  }

  #readText(end: number, encoding: "utf8" | "base64" | "hex"): string {
    const reader = this.#reader;
    const textEnd = reader.readLength(end);
    const text = this.#source.toString(encoding, reader.position, textEnd);
    reader.position = textEnd;
    return text;
  }

  #readVarint64(end: number): bigint {
    const reader = this.#reader;
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (reader.position >= end) reader.fail("a number is cut off");
      const byte = this.#source[reader.position++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    return reader.fail("a number is longer than 10 bytes");
  }
}

/** What plain fields are left out for. Zero is `-0` for no double: that one is written. */
const DEFAULT_TEXTS: ReadonlySet<string> = new Set(['""', "0", '"0"', "false"]);

function elementsOf(content: MessageContent, field: FieldDescriptor): (string | MessageContent)[] {
  const existing = content.slots[field.index];
  if (Array.isArray(existing)) return existing;
  const elements: (string | MessageContent)[] = [];
  content.slots[field.index] = elements;
  return elements;
}

/** Sets a field; of a oneof the last one given is kept. */
function setSlot(content: MessageContent, field: FieldDescriptor, slot: Slot | undefined): void {
  if (field.oneof !== undefined) {
    for (const other of content.descriptor.fields) {
      if (other.oneof === field.oneof) content.slots[other.index] = undefined;
    }
  }
  content.slots[field.index] = slot;
}

function messageText({ descriptor, slots }: MessageContent): string {
  let text = "{";
  for (const field of descriptor.fields) {
    const slot = slots[field.index];
    if (slot === undefined) continue;
    text += `${text === "{" ? "" : ","}"${field.name}":${slotText(slot)}`;
  }
  return `${text}}`;
}

function slotText(slot: Slot): string {
  if (typeof slot === "string") return slot;
  if (Array.isArray(slot)) return `[${slot.map(slotText).join(",")}]`;
  return messageText(slot);
}

/** JSON has no NaN and Infinity, which OTLP writes as strings, and no other way to keep -0. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}
