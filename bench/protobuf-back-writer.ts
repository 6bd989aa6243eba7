/**
 * Writes protobuf from the back to the front: when a message's fields are there, its length is
 * known, so nothing is measured first or moved after. Fields are therefore written last one first.
 *
 * The benchmarks and the fault client have this encoder of their own, so that a mistake in the
 * product's wire code cannot hide itself.
 */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;
const START_BYTES = 1024 * 1024;

export type Attribute = readonly [key: string, value: string | number | boolean];

export class ProtobufBackWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  /** First byte written; everything from here to the end is the message. */
  #start = START_BYTES;

  clear(): void {
    this.#start = this.#buffer.length;
  }

  /** What was written since `clear`; the bytes are the caller's own. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, this.#start);
  }

  /** Where a message ends, to be closed when its fields stand before it. */
  mark(): number {
    return this.#buffer.length - this.#start;
  }

  /** Closes the message whose fields were written since `mark`. */
  close(field: number, mark: number): void {
    this.#varint(this.#buffer.length - this.#start - mark);
    this.#varint((field << 3) | BYTES);
  }

  string(field: number, text: string): void {
    // Strings are at most three bytes a unit.
    this.#reserve(3 * text.length + 20);
    const size = Buffer.byteLength(text);
    this.#start -= size;
    this.#buffer.write(text, this.#start, size);
    this.#varint(size);
    this.#varint((field << 3) | BYTES);
  }

  hex(field: number, digits: string): void {
    this.#reserve(digits.length);
    const size = digits.length / 2;
    this.#start -= size;
    this.#buffer.write(digits, this.#start, size, "hex");
    this.#varint(size);
    this.#varint((field << 3) | BYTES);
  }

  varint(field: number, value: number): void {
    this.#varint(value);
    this.#varint((field << 3) | VARINT);
  }

  fixed64(field: number, value: bigint): void {
    this.packedFixed64(value);
    this.#varint((field << 3) | FIXED64);
  }

  double(field: number, value: number): void {
    this.packedDouble(value);
    this.#varint((field << 3) | FIXED64);
  }

  /** An element of a packed field, which the caller closes. */
  packedFixed64(value: bigint): void {
    this.#reserve(8);
    this.#start -= 8;
    this.#buffer.writeBigInt64LE(value, this.#start);
  }

  packedDouble(value: number): void {
    this.#reserve(8);
    this.#start -= 8;
    this.#buffer.writeDoubleLE(value, this.#start);
  }

  fixed32(field: number, value: number): void {
    this.#reserve(4);
    this.#start -= 4;
    this.#buffer.writeUInt32LE(value, this.#start);
    this.#varint((field << 3) | FIXED32);
  }

  attributes(field: number, attributes: readonly Attribute[]): void {
    for (const [key, value] of attributes.toReversed()) {
      const end = this.mark();
      const valueEnd = this.mark();
      this.#value(value);
      this.close(2, valueEnd);
      this.string(1, key);
      this.close(field, end);
    }
  }

  #value(value: string | number | boolean): void {
    if (typeof value === "string") this.string(1, value);
    else if (typeof value === "boolean") this.varint(2, value ? 1 : 0);
    else if (Number.isSafeInteger(value) && value >= 0) this.varint(3, value);
    else this.double(4, value);
  }

  #varint(value: number): void {
    this.#reserve(8);
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    this.#start -= size;
    let rest = value;
    for (let index = 0; index < size - 1; index++) {
      this.#buffer[this.#start + index] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#start + size - 1] = rest;
  }

  /** Makes room in front of what is written. */
  #reserve(sizeBytes: number): void {
    if (this.#start >= sizeBytes) return;
    const length = this.#buffer.length - this.#start;
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + sizeBytes);
    this.#buffer.copy(larger, larger.length - length, this.#start);
    this.#buffer = larger;
    this.#start = larger.length - length;
  }
}
