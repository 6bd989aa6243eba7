/** The messages of docs/proto/dora/v1/links.proto, to and from the frames that links are made of. */
import { ProtobufReader } from "../../wire/protobuf-reader.ts";
import { ProtobufWriter } from "../../wire/protobuf-writer.ts";
import { WireError } from "../../wire/wire-error.ts";
import { FRAME, FrameError, type Hello, numberOf } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { HEADER_BYTES_MAX } from "./transport.ts";

export const LINKS_PATH = "/dora.v1.Links/Open";

/** Compressed flag u8, length u32 big endian. */
export const PREFIX_BYTES = 5;

/** What one message may hold beside a payload of 4 MiB. Other programs' default limit is 4 MiB for the whole. */
export const GRPC_MESSAGE_BYTES_MAX = 4 * 1024 * 1024 + HEADER_BYTES_MAX + 64;

/** A larger payload is sent in parts of this size. */
export const GRPC_PART_BYTES = 1024 * 1024;

const VERSION = 1;
const WIRE_VARINT = 0;
const WIRE_LENGTH = 2;

/** Frames that a sender sends, in the order of their fields from 1 on. */
const SENDER_FRAMES = [FRAME.hello, FRAME.message, FRAME.large, FRAME.part, FRAME.close];

export interface Greeting extends Hello {
  readonly type: typeof FRAME.hello;
}

export function encodeGreeting({ topic, token }: Hello): Buffer {
  return encode(1, (writer) => {
    writer.uint32Field(1, VERSION);
    writer.textField(2, topic);
    writer.textField(3, token);
  });
}

export function encodeLarge(header: Uint8Array, payloadBytes: number): Buffer {
  return encode(3, (writer) => {
    writer.bytesField(1, header);
    writer.uint32Field(2, payloadBytes);
  });
}

export function encodeClose(): Buffer {
  return encode(5, () => {});
}

/** All of a message but its payload, which follows as it is. */
export function encodeMessageStart(header: Uint8Array, payloadBytes: number): Buffer {
  const headerField = header.length === 0 ? 0 : 1 + varintBytes(header.length) + header.length;
  const payloadField = payloadBytes === 0 ? 0 : 1 + varintBytes(payloadBytes) + payloadBytes;
  const writer = begin();
  writer.tag(2, WIRE_LENGTH);
  writer.varint32(headerField + payloadField);
  writer.bytesField(1, header);
  writePayloadTag(writer, 2, payloadBytes);
  return finish(writer, payloadBytes);
}

/** All of a part but its bytes, which follow as they are. */
export function encodePartStart(bytes: number): Buffer {
  const writer = begin();
  writePayloadTag(writer, 4, bytes);
  return finish(writer, bytes);
}

/** What an inbox answers, from the frame that says the same. */
export function encodeAnswer(frame: Buffer): Buffer {
  const header = frame.subarray(16, 16 + frame.readUInt32LE(4));
  const payload = frame.subarray(16 + header.length);
  if (frame.readUInt32LE(0) === FRAME.welcome) {
    return encode(1, (writer) => {
      writer.bytesField(1, header);
      writer.uint32Field(2, numberOf(payload, 0));
    });
  }
  return encode(2, (writer) => {
    writer.uint32Field(1, numberOf(payload, 0));
    writer.uint32Field(2, numberOf(payload, 1));
  });
}

/** What a sender sent, as the frame that says the same. Errors: `FrameError`. */
export function decodeSent(message: Buffer): Frame | Greeting {
  const { field, body } = readOneof(message);
  const type = SENDER_FRAMES[field - 1];
  if (type === undefined) throw new FrameError("an empty message, or one of a newer version");
  if (type === FRAME.hello) return readGreeting(body);
  if (type === FRAME.part) return { type, link: 0, header: EMPTY, payload: body };
  const fields = readFields(body);
  const header = fields.bytes.get(1) ?? EMPTY;
  if (type !== FRAME.large) return { type, link: 0, header, payload: fields.bytes.get(2) ?? EMPTY };
  const size = Buffer.alloc(4);
  size.writeUInt32LE(fields.numbers.get(2) ?? 0);
  return { type, link: 0, header, payload: size };
}

export type Answer =
  | { readonly type: "welcome"; readonly acceptance: string; readonly takenMessages: number }
  | { readonly type: "taken"; readonly messages: number };

/** Errors: `FrameError`. */
export function decodeAnswer(message: Buffer): Answer {
  const { field, body } = readOneof(message);
  const { bytes, numbers } = readFields(body);
  if (field === 1) {
    const acceptance = (bytes.get(1) ?? EMPTY).toString("hex");
    return { type: "welcome", acceptance, takenMessages: numbers.get(2) ?? 0 };
  }
  return { type: "taken", messages: field === 2 ? (numbers.get(1) ?? 0) : 0 };
}

function readGreeting(body: Buffer): Greeting {
  const { bytes, numbers } = readFields(body);
  const version = numbers.get(1) ?? 0;
  if (version !== VERSION) {
    throw new FrameError(`protocol version ${version}; spoken here is ${VERSION}`);
  }
  const [topic, token] = [bytes.get(2) ?? EMPTY, bytes.get(3) ?? EMPTY];
  return { type: FRAME.hello, topic: topic.toString(), token: token.toString() };
}

/** The one field of a message that has one; the last, if it has several. */
function readOneof(message: Buffer): { readonly field: number; readonly body: Buffer } {
  let found = { field: 0, body: EMPTY };
  for (const [field, body] of readFields(message).bytes) found = { field, body };
  return found;
}

interface Fields {
  readonly bytes: ReadonlyMap<number, Buffer>;
  readonly numbers: ReadonlyMap<number, number>;
}

function readFields(message: Buffer): Fields {
  const bytes = new Map<number, Buffer>();
  const numbers = new Map<number, number>();
  const reader = new ProtobufReader();
  reader.reset(message);
  try {
    while (reader.position < message.length) {
      const tag = reader.readTag(message.length);
      if ((tag & 7) === WIRE_LENGTH) {
        const end = reader.readLength(message.length);
        bytes.delete(tag >>> 3);
        bytes.set(tag >>> 3, message.subarray(reader.position, end));
        reader.position = end;
      } else if ((tag & 7) === WIRE_VARINT) {
        numbers.set(tag >>> 3, reader.readVarint32(message.length));
      } else {
        reader.skip(tag, message.length);
      }
    }
  } catch (error) {
    if (error instanceof WireError) throw new FrameError(error.message);
    throw error;
  }
  return { bytes, numbers };
}

function begin(): ProtobufWriter {
  const writer = new ProtobufWriter({ initialBytes: 128 });
  writer.position = PREFIX_BYTES;
  return writer;
}

function encode(field: number, writeBody: (writer: ProtobufWriter) => void): Buffer {
  const writer = begin();
  const mark = writer.beginField(field);
  writeBody(writer);
  writer.end(mark);
  return finish(writer, 0);
}

function writePayloadTag(writer: ProtobufWriter, field: number, bytes: number): void {
  // In a `oneof`, an empty value is written too; in a message of proto3 it is left out.
  if (bytes === 0 && field !== 4) return;
  writer.tag(field, WIRE_LENGTH);
  writer.varint32(bytes);
}

/** The prefix says how long the message is, with the bytes that follow what was written. */
function finish(writer: ProtobufWriter, followingBytes: number): Buffer {
  const bytes = writer.bytes.subarray(0, writer.position);
  bytes[0] = 0;
  bytes.writeUInt32BE(bytes.length - PREFIX_BYTES + followingBytes, 1);
  return bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

const EMPTY: Buffer = Buffer.alloc(0);
