import { WireError } from "./wire-error.ts";

/** Wire types of protobuf that OTLP uses; 3 and 4 (groups) are refused. */
export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_LENGTH = 2;
export const WIRE_FIXED32 = 5;

/**
 * Reads protobuf in place: no object or string per field. One reader walks one message; nested
 * messages are walked by moving `position` within the bounds that `readLength` has checked.
 *
 * Errors: `WireError` at the offset where the bytes stop making sense.
 * Source: protobuf encoding guide, "Message Structure".
 */
export class ProtobufReader {
  bytes: Uint8Array = EMPTY;
  position = 0;

  reset(bytes: Uint8Array): void {
    // Not a Buffer: its `subarray` is several times slower than a plain array's.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = 0;
  }

  /** A tag or a length: at most 32 bits. */
  readVarint32(end: number): number {
    const bytes = this.bytes;
    let position = this.position;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= end) this.fail("a number is cut off");
      const byte = bytes[position++];
      if (shift < 28) value |= (byte & 0x7f) << shift;
      else if (shift === 28) value = (value >>> 0) + (byte & 0x0f) * 0x1000_0000;
      if (byte < 0x80) {
        this.position = position;
        return value >>> 0;
      }
    }
    return this.fail("a number is longer than 10 bytes");
  }

  /** The length of a length-delimited field, checked to lie within `end`; returns its end. */
  readLength(end: number): number {
    const length = this.readVarint32(end);
    const fieldEnd = this.position + length;
    if (fieldEnd > end) this.fail(`a field of ${length} bytes reaches past its message's end`);
    return fieldEnd;
  }

  /** Checks that a fixed-width field fits, and returns its offset. */
  readFixed(width: 4 | 8, end: number): number {
    const start = this.position;
    if (start + width > end) this.fail("a fixed-width field is cut off");
    this.position = start + width;
    return start;
  }

  /**
   * Reads an id field: its offset, or -1 where it has not `width` bytes or is all zero, which
   * counts as absent (OTLP-025).
   */
  readId(width: 8 | 16, end: number): number {
    const idEnd = this.readLength(end);
    const start = this.position;
    this.position = idEnd;
    if (idEnd - start !== width) return -1;
    for (let offset = start; offset < idEnd; offset++) if (this.bytes[offset] !== 0) return start;
    return -1;
  }

  /** Passes over a field whose tag was just read. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case WIRE_VARINT:
        this.readVarint32(end);
        return;
      case WIRE_FIXED64:
        this.readFixed(8, end);
        return;
      case WIRE_LENGTH:
        this.position = this.readLength(end);
        return;
      case WIRE_FIXED32:
        this.readFixed(4, end);
        return;
      default:
        this.fail(`wire type ${tag & 7} is not allowed`);
    }
  }

  /** Reads a field's tag; field number 0 is refused. */
  readTag(end: number): number {
    const tag = this.readVarint32(end);
    if (tag >>> 3 === 0) this.fail("field number 0 is not allowed");
    return tag;
  }

  fail(message: string): never {
    throw new WireError(`${message} at byte ${this.position}`, this.position);
  }
}

const EMPTY = new Uint8Array(0);

/** Little-endian unsigned 32 bits at an offset known to be in bounds. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] |
      (bytes[offset + 1] << 8) |
      (bytes[offset + 2] << 16) |
      (bytes[offset + 3] << 24)) >>>
    0
  );
}
