import { assert } from "../core/assert.ts";

/**
 * Whole numbers as bytes: the difference to the number before, zigzag, then base 128 with the low
 * group first. Rising numbers take a byte or two each, before compression.
 *
 * Limits: differences below 2^52 in either direction.
 */
export function encodeDeltas(values: ArrayLike<number>): Uint8Array {
  let target = new Uint8Array(values.length * 3 + 16);
  let end = 0;
  let previous = 0;
  for (let index = 0; index < values.length; index++) {
    const delta = values[index] - previous;
    previous = values[index];
    if (end + 10 > target.length) target = grown(target);
    end = writeVarint(target, end, delta >= 0 ? delta * 2 : -delta * 2 - 1);
  }
  return target.subarray(0, end);
}

/** Whole numbers below 2^52 in either direction, zigzag and base 128, each by itself. */
export function encodeSigned(values: ArrayLike<number>): Uint8Array {
  let target = new Uint8Array(values.length * 3 + 16);
  let end = 0;
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (end + 10 > target.length) target = grown(target);
    end = writeVarint(target, end, value >= 0 ? value * 2 : -value * 2 - 1);
  }
  return target.subarray(0, end);
}

/** Adds the numbers that `encodeSigned` wrote to those of `base`, into `target`. */
export function addSigned<T extends Float64Array | Int32Array>(
  source: Uint8Array,
  base: T,
  target: T,
): T {
  let position = 0;
  for (let index = 0; index < target.length; index++) {
    const byte = source[position++];
    if (byte < 0x80) {
      target[index] = base[index] + ((byte >>> 1) ^ -(byte & 1));
    } else {
      target[index] = base[index] + readLong(source, position - 1);
      position = longEnd;
    }
  }
  assert(position === source.length, "a column of distances has another length than its rows");
  return target;
}

/** Reads `target.length` numbers that `encodeDeltas` wrote. */
export function decodeDeltas<T extends Float64Array | Int32Array>(
  source: Uint8Array,
  target: T,
): T {
  let position = 0;
  let previous = 0;
  for (let index = 0; index < target.length; index++) {
    const byte = source[position++];
    if (byte < 0x80) {
      previous += (byte >>> 1) ^ -(byte & 1);
    } else {
      // Apart, so that the loop over small numbers stays one of integers. Past the end a byte is
      // undefined, which ends a number too.
      previous += readLong(source, position - 1);
      position = longEnd;
    }
    target[index] = previous;
  }
  assert(position === source.length, "a delta column has another length than its rows");
  return target;
}

/**
 * The numbers that `encodeDeltas` wrote, a few at a time: the bytes, and for each 64th number where it
 * begins and what stands before it.
 */
export class DeltaColumn {
  readonly #bytes: Uint8Array;
  readonly #positions: Uint32Array;
  readonly #befores: Float64Array;
  /** Where the next number begins, and the one before it. */
  #position = 0;
  #before = 0;

  constructor(bytes: Uint8Array, rows: number) {
    const groups = Math.ceil(rows / GROUP_ROWS);
    this.#bytes = bytes;
    this.#positions = new Uint32Array(groups);
    this.#befores = new Float64Array(groups);
    for (let group = 0; group < groups; group++) {
      this.#positions[group] = this.#position;
      this.#befores[group] = this.#before;
      this.#skip(Math.min(GROUP_ROWS, rows - group * GROUP_ROWS));
    }
    assert(this.#position === bytes.length, "a delta column has another length than its rows");
  }

  get byteLength(): number {
    return this.#bytes.length + 12 * this.#positions.length;
  }

  /** The numbers of these rows, which ascend. */
  pick(rows: Uint32Array): Float64Array {
    const picked = new Float64Array(rows.length);
    let next = 0;
    this.#position = 0;
    this.#before = 0;
    for (let index = 0; index < rows.length; index++) {
      const group = Math.floor(rows[index] / GROUP_ROWS);
      if (next < group * GROUP_ROWS) {
        next = group * GROUP_ROWS;
        this.#position = this.#positions[group];
        this.#before = this.#befores[group];
      }
      this.#skip(rows[index] + 1 - next);
      next = rows[index] + 1;
      picked[index] = this.#before;
    }
    return picked;
  }

  #skip(count: number): void {
    const bytes = this.#bytes;
    let position = this.#position;
    let before = this.#before;
    for (let left = count; left > 0; left--) {
      const byte = bytes[position++];
      if (byte < 0x80) {
        before += (byte >>> 1) ^ -(byte & 1);
      } else {
        before += readLong(bytes, position - 1);
        position = longEnd;
      }
    }
    this.#position = position;
    this.#before = before;
  }
}

const GROUP_ROWS = 64;

/** Where the number that `readLong` read last ended. */
let longEnd = 0;

/** Reads a signed number of two bytes or more. */
function readLong(source: Uint8Array, start: number): number {
  let position = start;
  let low = 0;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = source[position++];
    low |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    longEnd = position;
    return (low >>> 1) ^ -(low & 1);
  }
  let value = low;
  let scale = 2 ** 28;
  for (;;) {
    const byte = source[position++];
    value += (byte & 0x7f) * scale;
    if (!(byte >= 0x80)) break;
    scale *= 128;
  }
  longEnd = position;
  return signedOf(value);
}

/** The number that zigzag made `value` of. */
function signedOf(value: number): number {
  if (value < 2 ** 31) return (value >>> 1) ^ -(value & 1);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Lengths in base 128, one after the other. */
export function encodeLengths(lengths: ArrayLike<number>): Uint8Array {
  const target = new Uint8Array(lengths.length * 5);
  let end = 0;
  for (let index = 0; index < lengths.length; index++)
    end = writeVarint(target, end, lengths[index]);
  return target.subarray(0, end);
}

/** Reads lengths to offsets: `count + 1` sums, the first one 0. */
export function decodeOffsets(source: Uint8Array, count: number): Uint32Array {
  const offsets = new Uint32Array(count + 1);
  let position = 0;
  for (let index = 0; index < count; index++) {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = source[position++];
      value += (byte & 0x7f) * scale;
      if (!(byte >= 0x80)) break;
      scale *= 128;
    }
    offsets[index + 1] = offsets[index] + value;
  }
  assert(position === source.length, "a length column has another length than its rows");
  return offsets;
}

function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let rest = value;
  let end = offset;
  while (rest >= 0x8000_0000) {
    target[end++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    target[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[end++] = rest;
  return end;
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** Unsigned numbers in base 128, one after the other. */
export class VarintWriter {
  #bytes = new Uint8Array(256);
  #end = 0;

  /** `value` is whole, from 0 to 2^53. */
  write(value: number): void {
    this.#reserve(10);
    this.#end = writeVarint(this.#bytes, this.#end, value);
  }

  append(other: VarintWriter): void {
    const bytes = other.take();
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What was written; valid until the next write. */
  take(): Uint8Array {
    return this.#bytes.subarray(0, this.#end);
  }

  #reserve(bytes: number): void {
    while (this.#end + bytes > this.#bytes.length) this.#bytes = grown(this.#bytes);
  }
}

/** Reads what a `VarintWriter` wrote. Past the end it gives numbers that make no sense, and ends. */
export class VarintReader {
  readonly #bytes: Uint8Array;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.position >= this.#bytes.length;
  }

  read(): number {
    let value = this.#bytes[this.position];
    if (value < 0x80) {
      this.position += 1;
      return value;
    }
    value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.position++];
      value += (byte & 0x7f) * scale;
      if (!(byte >= 0x80)) return value;
      scale *= 128;
    }
  }
}

/** Reads as many numbers as `values` holds, and returns where they end. Past the end there are none. */
export function decodeVarints(bytes: Uint8Array, start: number, values: Uint32Array): number {
  let position = start;
  for (let index = 0; index < values.length; index++) {
    let byte = bytes[position++];
    if (byte < 0x80) {
      values[index] = byte;
      continue;
    }
    let value = byte & 0x7f;
    for (let scale = 128; byte >= 0x80; scale *= 128) {
      byte = bytes[position++];
      value += (byte & 0x7f) * scale;
    }
    values[index] = value;
  }
  return position;
}

/**
 * The first `count` numbers, byte by byte: the lowest bytes of all, then the next ones, as many as
 * the largest number needs. A first byte says how many.
 */
export function encodePlanes(values: Uint8Array | Uint32Array, count: number): Uint8Array {
  let largest = 0;
  for (let index = 0; index < count; index++) if (values[index] > largest) largest = values[index];
  const width = largest < 0x100 ? 1 : largest < 0x1_0000 ? 2 : largest < 0x100_0000 ? 3 : 4;
  const bytes = new Uint8Array(1 + width * count);
  bytes[0] = width;
  for (let plane = 0; plane < width; plane++) {
    const start = 1 + plane * count;
    const shift = 8 * plane;
    for (let index = 0; index < count; index++) bytes[start + index] = values[index] >>> shift;
  }
  return bytes;
}

/** Reads `count` numbers that `encodePlanes` wrote. */
export function decodePlanes(bytes: Uint8Array, count: number): Uint32Array {
  const width = bytes[0];
  assert(bytes.length === 1 + width * count, "a column of planes has another length than its rows");
  // Most columns have one plane, which is the numbers.
  const values = new Uint32Array(bytes.subarray(1, 1 + count));
  for (let plane = 1; plane < width; plane++) {
    const start = 1 + plane * count;
    const shift = 8 * plane;
    for (let index = 0; index < count; index++) values[index] |= bytes[start + index] << shift;
  }
  return values;
}
