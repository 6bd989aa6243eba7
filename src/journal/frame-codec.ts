import { assert } from "../core/assert.ts";
import { crc32 } from "node:zlib";
import { SIGNALS } from "../core/record.ts";
import type { Frame } from "./frame.ts";
import { frameSeqCount } from "./frame.ts";
import { FRAME_ORDINALS_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX, FRAME_RECORDS_MAX } from "./limits.ts";
import { readU64, writeU64 } from "./little-endian.ts";
import { decodeOrdinals, encodeOrdinals } from "./ordinals.ts";

/**
 * The bytes of a frame, little-endian:
 *
 *     offset size field
 *      0      4   magic "dFRM"
 *      4      4   salt of the file
 *      8      1   signal: 1 logs, 2 traces, 3 metrics
 *      9      1   flags: bit 0 is set for a duplicate, the others are 0
 *     10      2   0
 *     12      4   payload bytes
 *     16      4   ordinals bytes
 *     20      4   crc32 of the ordinals, then the payload
 *     24      4   received count
 *     28      8   first sequence number
 *     36      8   received, Unix milliseconds
 *     44     16   retry key
 *     60      4   crc32 of bytes 0 to 59
 *     64      -   ordinals (ordinals.ts), then the payload
 *
 * The salt is drawn at random for each file: a sender cannot put bytes into a record that pass for a
 * frame when replay looks for the next one behind damage.
 *
 * Source: docs/format.md "Journal".
 */
export const FRAME_HEADER_BYTES = 64;

const MAGIC = 0x4d_52_46_64;
const MAGIC_BYTES = Buffer.from("dFRM", "latin1");
const SIGNAL_AT = 8;
const FLAGS_AT = 9;
const RESERVED_AT = 10;
const PAYLOAD_BYTES_AT = 12;
const ORDINALS_BYTES_AT = 16;
const BODY_CRC_AT = 20;
const RECEIVED_COUNT_AT = 24;
const FIRST_SEQ_AT = 28;
const RECEIVED_MS_AT = 36;
const RETRY_KEY_AT = 44;
const HEADER_CRC_AT = 60;

const FLAG_DUPLICATE = 1;

/** Bytes of a retry key. */
export const RETRY_KEY_BYTES = 16;

/** The header and the ordinals of a frame; `frame.payload` follows it, uncopied. */
export function encodeFrameHeader(frame: Frame, salt: number): Uint8Array {
  assert(frame.payload.length <= FRAME_PAYLOAD_BYTES_MAX, "the payload is within its limit");
  assert(frame.receivedCount <= FRAME_RECORDS_MAX, "the records are within their limit");
  assert(frame.retryKey.length === RETRY_KEY_BYTES, "a retry key has 16 bytes");
  const ordinals = encodeOrdinals(frame.rejected, frame.filtered);
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + ordinals.length);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(salt, 4);
  bytes.writeUInt8(SIGNALS.indexOf(frame.signal) + 1, SIGNAL_AT);
  bytes.writeUInt8(frame.isDuplicate ? FLAG_DUPLICATE : 0, FLAGS_AT);
  bytes.writeUInt16LE(0, RESERVED_AT);
  bytes.writeUInt32LE(frame.payload.length, PAYLOAD_BYTES_AT);
  bytes.writeUInt32LE(ordinals.length, ORDINALS_BYTES_AT);
  bytes.writeUInt32LE(crc32(frame.payload, crc32(ordinals)), BODY_CRC_AT);
  bytes.writeUInt32LE(frame.receivedCount, RECEIVED_COUNT_AT);
  writeU64(bytes, frame.firstSeq, FIRST_SEQ_AT);
  writeU64(bytes, frame.receivedUnixMs, RECEIVED_MS_AT);
  bytes.set(frame.retryKey, RETRY_KEY_AT);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT);
  bytes.set(ordinals, FRAME_HEADER_BYTES);
  return bytes;
}

export type FrameReading =
  | { readonly status: "whole"; readonly frame: Frame; readonly endOffset: number }
  /** The header is whole, so length and numbers are known; the rest is cut off or damaged. */
  | { readonly status: "damaged"; readonly endOffset: number; readonly endSeq: number }
  /** Nothing is known, not even the length. */
  | { readonly status: "unreadable" };

/**
 * Reads the frame at `offset`. Everything is checked before anything is allocated.
 *
 * Pitfalls: the frame's payload and retry key are views of `bytes`.
 */
export function readFrame(bytes: Buffer, offset: number, salt: number): FrameReading {
  const header = bytes.subarray(offset, offset + FRAME_HEADER_BYTES);
  const signal = readSignal(header, salt);
  if (signal === undefined) return { status: "unreadable" };
  const payloadBytes = header.readUInt32LE(PAYLOAD_BYTES_AT);
  const ordinalsBytes = header.readUInt32LE(ORDINALS_BYTES_AT);
  const receivedCount = header.readUInt32LE(RECEIVED_COUNT_AT);
  const firstSeq = readU64(header, FIRST_SEQ_AT);
  const receivedUnixMs = readU64(header, RECEIVED_MS_AT);
  const endSeq = firstSeq + frameSeqCount({ receivedCount });
  const isWithinLimits =
    payloadBytes <= FRAME_PAYLOAD_BYTES_MAX &&
    ordinalsBytes <= FRAME_ORDINALS_BYTES_MAX &&
    receivedCount <= FRAME_RECORDS_MAX &&
    Number.isSafeInteger(endSeq) &&
    Number.isSafeInteger(receivedUnixMs);
  if (!isWithinLimits) return { status: "unreadable" };

  const payloadOffset = offset + FRAME_HEADER_BYTES + ordinalsBytes;
  const endOffset = payloadOffset + payloadBytes;
  const damaged = { status: "damaged", endOffset, endSeq } as const;
  if (endOffset > bytes.length) return damaged;
  const body = bytes.subarray(offset + FRAME_HEADER_BYTES, endOffset);
  if (crc32(body) !== header.readUInt32LE(BODY_CRC_AT)) return damaged;
  const ordinals = decodeOrdinals(body.subarray(0, ordinalsBytes), receivedCount);
  if (ordinals === undefined) return damaged;
  const frame: Frame = {
    signal,
    firstSeq,
    receivedUnixMs,
    retryKey: header.subarray(RETRY_KEY_AT, RETRY_KEY_AT + RETRY_KEY_BYTES),
    receivedCount,
    rejected: ordinals.rejected,
    filtered: ordinals.filtered,
    isDuplicate: header.readUInt8(FLAGS_AT) === FLAG_DUPLICATE,
    payload: body.subarray(ordinalsBytes),
  };
  return { status: "whole", frame, endOffset };
}

/** The signal of a header that is whole and of this file, else undefined. */
function readSignal(header: Buffer, salt: number): Frame["signal"] | undefined {
  const isHeader =
    header.length === FRAME_HEADER_BYTES &&
    header.readUInt32LE(0) === MAGIC &&
    header.readUInt32LE(4) === salt &&
    crc32(header.subarray(0, HEADER_CRC_AT)) === header.readUInt32LE(HEADER_CRC_AT) &&
    header.readUInt8(FLAGS_AT) <= FLAG_DUPLICATE &&
    header.readUInt16LE(RESERVED_AT) === 0;
  return isHeader ? SIGNALS[header.readUInt8(SIGNAL_AT) - 1] : undefined;
}

/** Where the next frame may start at or behind `offset`, or undefined: only `readFrame` can tell. */
export function findFrame(bytes: Buffer, offset: number, salt: number): number | undefined {
  const needle = Buffer.alloc(8);
  MAGIC_BYTES.copy(needle);
  needle.writeUInt32LE(salt, 4);
  const found = bytes.indexOf(needle, offset);
  return found === -1 ? undefined : found;
}

/** The salt of the first whole frame header, for a file whose own header is lost. */
export function findSalt(bytes: Buffer, offset: number): number | undefined {
  let at = bytes.indexOf(MAGIC_BYTES, offset);
  while (at !== -1 && at + FRAME_HEADER_BYTES <= bytes.length) {
    const salt = bytes.readUInt32LE(at + 4);
    if (readFrame(bytes, at, salt).status !== "unreadable") return salt;
    at = bytes.indexOf(MAGIC_BYTES, at + 1);
  }
  return undefined;
}

/** Bytes that a frame takes in a file, at the least and nearly always exactly. */
export function frameBytes(frame: Frame): number {
  return FRAME_HEADER_BYTES + frame.payload.length;
}
