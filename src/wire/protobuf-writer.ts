import { WireError } from "./wire-error.ts";
import { WIRE_FIXED32, WIRE_FIXED64, WIRE_LENGTH, WIRE_VARINT } from "./protobuf-reader.ts";

const INITIAL_BYTES = 1024;
/** Up to here a loop copies faster than a call into the runtime. */
const COPY_LOOP_BYTES_MAX = 32;
const TWO_POW_28 = 2 ** 28;

/**
 * Writes protobuf into one growing buffer, every varint and length in its shortest form.
 *
 * A nested message is framed by `begin` and `end`: one byte is reserved for its length, and the
 * content moves right where the length needs more. Moving is a memmove, and cheaper than sizing
 * each message beforehand.
 *
 *     begin()              end(mark)
 *     .. tag [1] content   .. tag [length, 1 to 5] content
 *            mark ^
 *
 * Limits: past `bytesMax` it throws `WireError`.
 * Concurrency: one instance serves one thread; `finish` gives bytes that it no longer touches.
 */
export class ProtobufWriter {
  bytes: Buffer;
  position = 0;
  readonly #bytesMax: number;
  readonly #doubleView: DataView = new DataView(new ArrayBuffer(8));

  constructor(options: { readonly initialBytes?: number; readonly bytesMax?: number } = {}) {
    this.#bytesMax = options.bytesMax ?? Number.MAX_SAFE_INTEGER;
    this.bytes = Buffer.allocUnsafeSlow(options.initialBytes ?? INITIAL_BYTES);
  }

  /** Makes room for `count` bytes at `position`. Callers may then write them and move it. */
  reserve(count: number): void {
    if (this.position + count > this.bytes.length) this.#grow(this.position + count);
  }

  #grow(needed: number): void {
    if (needed > this.#bytesMax) {
      throw new WireError(`the request is larger than ${this.#bytesMax} bytes as protobuf`, 0);
    }
    const capacity = Math.min(this.#bytesMax, Math.max(needed, this.bytes.length * 2));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.bytes.copy(grown, 0, 0, this.position);
    this.bytes = grown;
  }

  /** An unsigned 32-bit varint. */
  varint32(value: number): void {
    this.reserve(5);
    if (value < 0x80) {
      this.bytes[this.position++] = value;
      return;
    }
    let rest = value;
    while (rest > 0x7f) {
      this.bytes[this.position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.position++] = rest;
  }

  /** A 64-bit varint from two unsigned halves. */
  varint64(low: number, high: number): void {
    if (high === 0) {
      this.varint32(low);
      return;
    }
    this.reserve(10);
    let lowBits = low;
    for (let index = 0; index < 4; index++) {
      this.bytes[this.position++] = (lowBits & 0x7f) | 0x80;
      lowBits >>>= 7;
    }
    // What is left is 36 bits: the low half's upper 4 and the high half.
    let rest = high * 16 + lowBits;
    while (rest > 0x7f) {
      this.bytes[this.position++] = ((rest % TWO_POW_28) & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.position++] = rest;
  }

  fixed32(value: number): void {
    this.reserve(4);
    const bytes = this.bytes;
    const position = this.position;
    bytes[position] = value;
    bytes[position + 1] = value >>> 8;
    bytes[position + 2] = value >>> 16;
    bytes[position + 3] = value >>> 24;
    this.position = position + 4;
  }

  /** 64 bits from two unsigned halves, little-endian. */
  fixed64(low: number, high: number): void {
    this.reserve(8);
    const bytes = this.bytes;
    const position = this.position;
    bytes[position] = low;
    bytes[position + 1] = low >>> 8;
    bytes[position + 2] = low >>> 16;
    bytes[position + 3] = low >>> 24;
    bytes[position + 4] = high;
    bytes[position + 5] = high >>> 8;
    bytes[position + 6] = high >>> 16;
    bytes[position + 7] = high >>> 24;
    this.position = position + 8;
  }

  double(value: number): void {
    this.#doubleView.setFloat64(0, value, true);
    this.fixed64(this.#doubleView.getUint32(0, true), this.#doubleView.getUint32(4, true));
  }

  /** Bytes behind their length. */
  lengthAndBytes(source: Uint8Array): void {
    this.varint32(source.length);
    this.reserve(source.length);
    this.bytes.set(source, this.position);
    this.position += source.length;
  }

  /** Part of a buffer behind its length. */
  lengthAndRange(source: Buffer, start: number, end: number): void {
    const length = end - start;
    this.varint32(length);
    this.reserve(length);
    if (length > COPY_LOOP_BYTES_MAX) {
      source.copy(this.bytes, this.position, start, end);
    } else {
      for (let index = 0; index < length; index++) {
        this.bytes[this.position + index] = source[start + index];
      }
    }
    this.position += length;
  }

  /** UTF-8 behind its length; a lone surrogate becomes U+FFFD. */
  lengthAndText(text: string): void {
    const mark = this.begin();
    this.reserve(text.length * 3);
    this.position += this.bytes.write(text, this.position, "utf8");
    this.end(mark);
  }

  /** Starts a length-delimited value and returns the mark that `end` needs. */
  begin(): number {
    this.reserve(1);
    return ++this.position;
  }

  /** Ends the value that `begin` started, and writes its length before it. */
  end(mark: number): void {
    const length = this.position - mark;
    if (length < 0x80) {
      this.bytes[mark - 1] = length;
      return;
    }
    const lengthBytes = length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < TWO_POW_28 ? 4 : 5;
    this.reserve(lengthBytes - 1);
    this.bytes.copyWithin(mark + lengthBytes - 1, mark, this.position);
    const valueEnd = this.position + lengthBytes - 1;
    this.position = mark - 1;
    this.varint32(length);
    this.position = valueEnd;
  }

  // Whole fields of proto3 with implicit presence: the default value writes nothing.

  tag(field: number, wireType: number): void {
    this.varint32((field << 3) | wireType);
  }

  textField(field: number, text: string): void {
    if (text === "") return;
    this.tag(field, WIRE_LENGTH);
    this.lengthAndText(text);
  }

  bytesField(field: number, source: Uint8Array): void {
    if (source.length === 0) return;
    this.tag(field, WIRE_LENGTH);
    this.lengthAndBytes(source);
  }

  uint32Field(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, WIRE_VARINT);
    this.varint32(value);
  }

  fixed32Field(field: number, value: number): void {
    if (value === 0) return;
    this.tag(field, WIRE_FIXED32);
    this.fixed32(value);
  }

  fixed64Field(field: number, value: bigint): void {
    if (value === 0n) return;
    this.tag(field, WIRE_FIXED64);
    this.fixed64(lowWord(value), highWord(value));
  }

  /** Starts the field `field` that holds a message; its `end` closes it. */
  beginField(field: number): number {
    this.tag(field, WIRE_LENGTH);
    return this.begin();
  }

  /** What was written, in a buffer of its own. */
  finish(): Uint8Array {
    return new Uint8Array(this.bytes.subarray(0, this.position));
  }
}

/** The lower 32 bits, unsigned, of a 64-bit integer in two's complement. */
export function lowWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** The upper 32 bits. */
export function highWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}
