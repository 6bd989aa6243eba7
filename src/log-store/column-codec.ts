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

/** Reads `target.length` numbers that `encodeDeltas` wrote. */
export function decodeDeltas<T extends Float64Array | Int32Array>(
  source: Uint8Array,
  target: T,
): T {
  let position = 0;
  let previous = 0;
  for (let index = 0; index < target.length; index++) {
    let value = source[position++];
    if (value >= 0x80) {
      value &= 0x7f;
      let scale = 128;
      for (;;) {
        const byte = source[position++];
        value += (byte & 0x7f) * scale;
        // Past the end a byte is undefined, which is no number below 128 either way.
        if (!(byte >= 0x80)) break;
        scale *= 128;
      }
    }
    previous += value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    target[index] = previous;
  }
  assert(position === source.length, "a delta column has another length than its rows");
  return target;
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
