import { PACKED_MAX, packNumbers, unpackNumbers } from "./packed-numbers.ts";

/**
 * A lane is one number of eight bytes of a series, in point after point: its value, or a field of its
 * points such as a histogram's count. A lane is kept in the first of these forms that gives it back
 * bit by bit.
 *
 *     0  the same in all points     its 8 bytes
 *     1  integers of 64 bits        packed numbers
 *     2  doubles of few decimals    one byte, the decimals; packed numbers, the doubles times ten to that
 *     3  any                        8 bytes a point, each with the bits changed that the one before has
 *                                   (exclusive or); all first bytes, then all second ones, and so on
 */
const CONSTANT = 0;
const INTEGERS = 1;
const DECIMALS = 2;
const ANY = 3;

const DECIMALS_MAX = 6;
const WORD = 8;

/** `words` has eight bytes a point, little-endian. */
export function encodeLane(words: Uint8Array): Uint8Array {
  if (isConstant(words)) return Buffer.concat([Uint8Array.of(CONSTANT), words.subarray(0, WORD)]);
  const integers = integersOf(words);
  if (integers !== undefined) {
    return Buffer.concat([Uint8Array.of(INTEGERS), packNumbers(integers)]);
  }
  const doubles = new Float64Array(new Uint8Array(words).buffer);
  const decimals = decimalsOf(doubles);
  if (decimals !== undefined) {
    const scale = 10 ** decimals;
    const scaled = doubles.map((value) => Math.round(value * scale));
    return Buffer.concat([Uint8Array.of(DECIMALS, decimals), packNumbers(scaled)]);
  }
  return Buffer.concat([Uint8Array.of(ANY), planesOf(words)]);
}

/** Reads a lane of `target.length / 8` points from `offset` on; returns its end. */
export function decodeLane(bytes: Uint8Array, offset: number, target: Uint8Array): number {
  const form = bytes[offset];
  switch (form) {
    case CONSTANT:
      for (let at = 0; at < target.length; at++) target[at] = bytes[offset + 1 + (at % WORD)];
      return offset + 1 + WORD;
    case INTEGERS: {
      const numbers = new Float64Array(target.length / WORD);
      const end = unpackNumbers(bytes, offset + 1, numbers);
      const words = new Int32Array(2 * numbers.length);
      for (let index = 0; index < numbers.length; index++) {
        words[2 * index] = numbers[index] % 2 ** 32;
        words[2 * index + 1] = Math.floor(numbers[index] / 2 ** 32);
      }
      target.set(new Uint8Array(words.buffer));
      return end;
    }
    case DECIMALS: {
      const numbers = new Float64Array(target.length / WORD);
      const end = unpackNumbers(bytes, offset + 2, numbers);
      const scale = 10 ** bytes[offset + 1];
      for (let index = 0; index < numbers.length; index++) numbers[index] /= scale;
      target.set(new Uint8Array(numbers.buffer));
      return end;
    }
    default:
      return readPlanes(bytes, offset + 1, target);
  }
}

function isConstant(words: Uint8Array): boolean {
  for (let at = WORD; at < words.length; at++) if (words[at] !== words[at - WORD]) return false;
  return true;
}

/** The words as signed integers; undefined where one is too large for packing. */
export function integersOf(words: Uint8Array): Float64Array | undefined {
  const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  const numbers = new Float64Array(words.length / WORD);
  for (let index = 0; index < numbers.length; index++) {
    const high = view.getInt32(index * WORD + 4, true);
    const number = high * 2 ** 32 + view.getUint32(index * WORD, true);
    if (Math.abs(number) > PACKED_MAX) return undefined;
    numbers[index] = number;
  }
  return numbers;
}

/** How many decimals all of the doubles have at the most; undefined where one has too many. */
function decimalsOf(doubles: Float64Array): number | undefined {
  let decimals = 0;
  for (const value of doubles) {
    while (!isExact(value, decimals)) if (++decimals > DECIMALS_MAX) return undefined;
  }
  // More decimals than a double needs may round it otherwise.
  return doubles.every((value) => isExact(value, decimals)) ? decimals : undefined;
}

function isExact(value: number, decimals: number): boolean {
  const scale = 10 ** decimals;
  const scaled = Math.round(value * scale);
  return Math.abs(scaled) <= PACKED_MAX && scaled / scale === value && !Object.is(value, -0);
}

function planesOf(words: Uint8Array): Uint8Array {
  const count = words.length / WORD;
  const planes = new Uint8Array(words.length);
  for (let at = 0; at < words.length; at++) {
    const before = at < WORD ? 0 : words[at - WORD];
    planes[(at % WORD) * count + Math.floor(at / WORD)] = words[at] ^ before;
  }
  return planes;
}

function readPlanes(bytes: Uint8Array, offset: number, target: Uint8Array): number {
  const count = target.length / WORD;
  for (let at = 0; at < target.length; at++) {
    const before = at < WORD ? 0 : target[at - WORD];
    target[at] = bytes[offset + (at % WORD) * count + Math.floor(at / WORD)] ^ before;
  }
  return offset + target.length;
}
