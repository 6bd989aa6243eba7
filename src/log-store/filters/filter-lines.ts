import { crc32 } from "node:zlib";
import type { FilterKey } from "./filter-key.ts";

/**
 * A blocked Bloom filter: a key sets a few bits of one line. It never denies a key that it was
 * given; others it lets pass at a rate that its size decides.
 *
 *     line   64 bytes; a key's line is `high * lines / 2^32`
 *     page   up to 63 lines, then their CRC-32: what a probe reads of a file
 *     file   pages one behind the other, only the last one shorter
 *
 * The line is the top of a product, so that of a filter whose number of lines is a multiple the
 * lines that fall together are neighbours: `folded` joins them, and no key is hashed again.
 */
const LINE_BYTES = 64;
const LINE_WORDS = LINE_BYTES / 4;
const PAGE_LINES = 63;
const CRC_BYTES = 4;
const PAGE_BYTES = PAGE_LINES * LINE_BYTES + CRC_BYTES;
/** Bits that a key sets. Of about 7 bits a key or more, few others do better. */
const KEY_BITS = 6;

export class FilterLines {
  readonly count: number;
  readonly #words: Uint32Array<ArrayBuffer>;
  /** The same memory. */
  readonly #bytes: Uint8Array;

  constructor(count: number) {
    this.count = count;
    this.#words = new Uint32Array(count * LINE_WORDS);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  /** Hot: runs for most words that are sealed. */
  add(high: number, low: number): void {
    const words = this.#words;
    const start = lineOf(high, this.count) * LINE_WORDS;
    let bits = low;
    for (let index = 0; index < KEY_BITS; index++) {
      if (index === KEY_BITS / 2) bits = secondBits(high, low);
      // A shift looks at the five bits that tell the place in the word.
      words[start + ((bits >>> 5) & (LINE_WORDS - 1))] |= 1 << bits;
      bits >>>= BIT_WIDTH;
    }
  }

  /** About how many different keys were added, by the bits that are set. */
  estimateKeys(): number {
    let set = 0;
    for (const word of this.#words) set += countBits(word);
    const bits = 8 * this.#bytes.length;
    return Math.ceil((-bits / KEY_BITS) * Math.log(1 - Math.min(set, bits - 1) / bits));
  }

  /** The same filter in fewer lines; `parts` divides their number. */
  folded(parts: number): FilterLines {
    if (parts === 1) return this;
    const joined = new FilterLines(this.count / parts);
    const target = joined.#words;
    for (let line = 0; line < this.count; line++) {
      const from = line * LINE_WORDS;
      const to = Math.floor(line / parts) * LINE_WORDS;
      for (let word = 0; word < LINE_WORDS; word++) target[to + word] |= this.#words[from + word];
    }
    return joined;
  }

  clear(): void {
    this.#words.fill(0);
  }

  /** As it stands in a file. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes.length + CRC_BYTES * pagesOf(this.count));
    const view = new DataView(bytes.buffer);
    let end = 0;
    for (let start = 0; start < this.#bytes.length; start += PAGE_LINES * LINE_BYTES) {
      const lines = this.#bytes.subarray(start, start + PAGE_LINES * LINE_BYTES);
      bytes.set(lines, end);
      view.setUint32(end + lines.length, crc32(lines), true);
      end += lines.length + CRC_BYTES;
    }
    return bytes;
  }
}

/** Lines for so many keys. */
export function linesFor(keys: number, bitsPerKey: number): number {
  return Math.ceil((keys * bitsPerKey) / (8 * LINE_BYTES));
}

function pagesOf(lines: number): number {
  return Math.ceil(lines / PAGE_LINES);
}

/** Where in a filter's file a key's answer stands. */
interface Place {
  /** Of the page to read. */
  readonly offset: number;
  readonly size: number;
  /** Of the line, in the page. */
  readonly line: number;
}

/** The place of a key in a file of `size` bytes; undefined where the filter has no key at all. */
export function placeOf({ high }: FilterKey, size: number): Place | undefined {
  if (size === 0) return undefined;
  const lines = (size - CRC_BYTES * Math.ceil(size / PAGE_BYTES)) / LINE_BYTES;
  const line = lineOf(high, lines);
  const offset = Math.floor(line / PAGE_LINES) * PAGE_BYTES;
  return { offset, size: Math.min(PAGE_BYTES, size - offset), line: line % PAGE_LINES };
}

/** Whether a page's bytes are those that were written. */
export function isPageWhole(page: Uint8Array): boolean {
  const end = page.length - CRC_BYTES;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  return crc32(page.subarray(0, end)) === view.getUint32(end, true);
}

/** Whether the key may have been added. */
export function isSet(page: Uint8Array, line: number, { high, low }: FilterKey): boolean {
  const start = line * LINE_BYTES;
  let bits = low;
  for (let index = 0; index < KEY_BITS; index++) {
    if (index === KEY_BITS / 2) bits = secondBits(high, low);
    if ((page[start + ((bits & BIT_MASK) >>> 3)] & (1 << (bits & 7))) === 0) return false;
    bits >>>= BIT_WIDTH;
  }
  return true;
}

/** A bit of a line takes so many bits of hash. */
const BIT_WIDTH = 9;
const BIT_MASK = 8 * LINE_BYTES - 1;

function lineOf(high: number, lines: number): number {
  return Math.floor((high * lines) / 0x1_0000_0000);
}

/** Three bits come from the low half; the other three from what the line leaves of the high one. */
function secondBits(high: number, low: number): number {
  return Math.imul(high ^ (low >>> 5), 0x9e3779b1) >>> 5;
}

/** Bits that are set in a word of 32. */
function countBits(word: number): number {
  let counts = word - ((word >>> 1) & 0x5555_5555);
  counts = (counts & 0x3333_3333) + ((counts >>> 2) & 0x3333_3333);
  return Math.imul((counts + (counts >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
