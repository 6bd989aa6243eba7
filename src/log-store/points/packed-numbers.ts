import { VarintReader, VarintWriter } from "../column-codec.ts";

/**
 * Whole numbers that follow each other with some regularity, a few bits each.
 *
 * 1. They are replaced by their differences, by the differences of these, or left as they are,
 *    whichever takes the fewest bits. The first one or two stand before all others.
 * 2. The rest is cut into groups of 128. Of each group the least is taken off, and all are packed
 *    with as many bits as its largest then needs.
 * 3. Where most of a group are zero, a bit for each says so, and only the others are packed.
 *
 * docs/format.md, "Packed numbers", has the bytes.
 *
 * Limits: numbers within `PACKED_MAX` in either direction.
 */
export function packNumbers(values: Float64Array): Uint8Array {
  const [order, rest] = fewestBits(values);
  const head = new VarintWriter();
  head.write(order);
  for (let index = 0; index < Math.min(order, values.length); index++) {
    head.write(zigzag(values[index]));
  }
  const bits = new BitWriter(values.length);
  for (let start = 0; start < rest.length; start += GROUP) {
    const group = rest.subarray(start, start + GROUP);
    const { least, width, isSparse } = formOf(group);
    head.write(zigzag(least));
    head.write(2 * width + (isSparse ? 1 : 0));
    for (const value of group) {
      if (isSparse) bits.write(value === 0 ? 0 : 1, 1);
      if (!isSparse || value !== 0) bits.write(value - least, width);
    }
  }
  const numbers = head.take();
  const packed = bits.take();
  const bytes = new Uint8Array(numbers.length + packed.length);
  bytes.set(numbers);
  bytes.set(packed, numbers.length);
  return bytes;
}

/** Second differences of such numbers are exact. */
export const PACKED_MAX: number = 2 ** 49;

const GROUP = 128;
const ORDERS = [0, 1, 2] as const;

/** Reads `count` numbers from `offset` on; returns the end. */
export function unpackNumbers(bytes: Uint8Array, offset: number, target: Float64Array): number {
  const count = target.length;
  const head = new VarintReader(bytes);
  head.position = offset;
  const order = head.read();
  const firsts = Math.min(order, count);
  for (let index = 0; index < firsts; index++) target[index] = unzigzag(head.read());
  const groups = Math.ceil((count - firsts) / GROUP);
  const forms: number[] = [];
  for (let group = 0; group < groups; group++) forms.push(unzigzag(head.read()), head.read());
  const bits = new BitReader(bytes, head.position);
  for (let index = firsts; index < count; index++) {
    const group = Math.floor((index - firsts) / GROUP);
    const form = forms[2 * group + 1];
    const isZero = form % 2 === 1 && bits.read(1) === 0;
    target[index] = isZero ? 0 : forms[2 * group] + bits.read(form >>> 1);
  }
  integrate(target, order);
  return bits.end();
}

/** Makes values of differences. */
function integrate(target: Float64Array, order: number): void {
  if (order === 2) {
    for (let index = 2; index < target.length; index++) {
      target[index] += 2 * target[index - 1] - target[index - 2];
    }
  } else if (order === 1) {
    for (let index = 1; index < target.length; index++) target[index] += target[index - 1];
  }
}

/** The order of differences that takes the fewest bits, and what is to be packed. */
function fewestBits(values: Float64Array): readonly [number, Float64Array] {
  let best: readonly [number, Float64Array] = [0, values];
  let least = Number.POSITIVE_INFINITY;
  for (const order of ORDERS) {
    const rest = differences(values, order);
    let bits = 0;
    for (let start = 0; start < rest.length; start += GROUP) {
      bits += formOf(rest.subarray(start, start + GROUP)).bits;
    }
    if (bits >= least) continue;
    least = bits;
    best = [order, rest];
  }
  return best;
}

function differences(values: Float64Array, order: number): Float64Array {
  if (order === 0) return values;
  const rest = new Float64Array(Math.max(0, values.length - order));
  for (let index = 0; index < rest.length; index++) {
    rest[index] =
      order === 1
        ? values[index + 1] - values[index]
        : values[index + 2] - 2 * values[index + 1] + values[index];
  }
  return rest;
}

/** How a group is packed, and what that takes. */
interface Form {
  readonly least: number;
  readonly width: number;
  readonly isSparse: boolean;
  readonly bits: number;
}

function formOf(group: Float64Array): Form {
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let zeros = 0;
  for (const value of group) {
    if (value === 0) {
      zeros += 1;
      continue;
    }
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  const others = group.length - zeros;
  if (others === 0) return { least: 0, width: 0, isSparse: false, bits: 0 };
  const sparseWidth = widthOf(greatest - least);
  const sparseBits = group.length + others * sparseWidth;
  const from = zeros > 0 ? Math.min(least, 0) : least;
  const to = zeros > 0 ? Math.max(greatest, 0) : greatest;
  const width = widthOf(to - from);
  const bits = group.length * width;
  return sparseBits < bits
    ? { least, width: sparseWidth, isSparse: true, bits: sparseBits }
    : { least: from, width, isSparse: false, bits };
}

function widthOf(range: number): number {
  return range < 2 ** 32 ? 32 - Math.clz32(range) : 64 - Math.clz32(Math.floor(range / 2 ** 32));
}

export function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Bits that are written or read at once: with seven that wait they fit 31. */
const BITS_AT_ONCE = 24;

/** Packs numbers, low bits first. */
class BitWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #end = 0;
  #waiting = 0;
  #waitingBits = 0;

  constructor(count: number) {
    this.#bytes = new Uint8Array(2 * count + 16);
  }

  /** `value` is below 2^`width`. */
  write(value: number, width: number): void {
    let rest = value;
    let left = width;
    for (; left > BITS_AT_ONCE; left -= BITS_AT_ONCE) {
      this.#add(rest % 2 ** BITS_AT_ONCE, BITS_AT_ONCE);
      rest = Math.floor(rest / 2 ** BITS_AT_ONCE);
    }
    this.#add(rest, left);
  }

  #add(value: number, width: number): void {
    if (this.#end + 4 > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#waiting |= value << this.#waitingBits;
    this.#waitingBits += width;
    while (this.#waitingBits >= 8) {
      this.#bytes[this.#end++] = this.#waiting;
      this.#waiting >>>= 8;
      this.#waitingBits -= 8;
    }
  }

  take(): Uint8Array {
    if (this.#waitingBits > 0) this.#bytes[this.#end++] = this.#waiting;
    return this.#bytes.subarray(0, this.#end);
  }
}

/** Reads what a `BitWriter` wrote. Past the end it reads zeros. */
class BitReader {
  readonly #bytes: Uint8Array;
  #position: number;
  #waiting = 0;
  #waitingBits = 0;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#position = offset;
  }

  read(width: number): number {
    let value = 0;
    let scale = 1;
    let left = width;
    for (; left > BITS_AT_ONCE; left -= BITS_AT_ONCE, scale *= 2 ** BITS_AT_ONCE) {
      value += this.#next(BITS_AT_ONCE) * scale;
    }
    return value + this.#next(left) * scale;
  }

  #next(width: number): number {
    while (this.#waitingBits < width) {
      this.#waiting |= this.#bytes[this.#position++] << this.#waitingBits;
      this.#waitingBits += 8;
    }
    const value = this.#waiting & ((1 << width) - 1);
    this.#waiting >>>= width;
    this.#waitingBits -= width;
    return value;
  }

  /** Where the next byte stands that no bit was read of. */
  end(): number {
    return this.#position;
  }
}
