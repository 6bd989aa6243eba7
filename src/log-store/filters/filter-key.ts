/**
 * What a filter knows of a word or an id: 64 bits of hash, in two unsigned halves. Words that are
 * equal but for the case of A to Z have equal keys.
 */
export interface FilterKey {
  readonly high: number;
  readonly low: number;
}

/**
 * Hashes words and ids; holds the key of the last one, so that none is allocated.
 *
 * Bytes are taken with bit 5 set, which makes upper case lower and leaves digits as they are, in
 * groups of four, little-endian, the last one filled up with zeros. The hash is part of the file
 * format: docs/format.md "Filters".
 */
export class KeyHasher implements FilterKey {
  high = 0;
  low = 0;

  /** Returns whether all bytes are ASCII. */
  hash(data: Uint8Array, start: number, end: number): boolean {
    let high = HIGH_START;
    let low = LOW_START;
    let seen = 0;
    for (let at = start; at < end;) {
      let group = 0;
      for (let shift = 0; shift < 32 && at < end; shift += 8) {
        group |= (data[at++] | CASE_BIT) << shift;
      }
      seen |= group;
      high = addToHigh(high, group);
      low = addToLow(low, group);
    }
    this.high = mixed(high) >>> 0;
    this.low = mixed(low) >>> 0;
    return isAsciiGroup(seen);
  }

  /** Hashes a word of up to eight bytes, as groups; the second one is 0 where there is none. */
  hashGroups(first: number, second: number): void {
    let high = addToHigh(HIGH_START, first);
    let low = addToLow(LOW_START, first);
    if (second !== 0) {
      high = addToHigh(high, second);
      low = addToLow(low, second);
    }
    this.high = mixed(high) >>> 0;
    this.low = mixed(low) >>> 0;
  }
}

const CASE_BIT = 0x20;
/** Of all bytes of a group. */
export const CASE_BITS = 0x2020_2020;

export function isAsciiGroup(group: number): boolean {
  return (group & 0x8080_8080) === 0;
}

const HIGH_START = 0x811c_9dc5 | 0;
const LOW_START = 0x2545_f491;

function addToHigh(hash: number, group: number): number {
  const next = Math.imul(hash ^ group, 0x9e37_79b1);
  return next ^ (next >>> 15);
}

function addToLow(hash: number, group: number): number {
  const next = Math.imul(hash ^ group, 0x2c1b_3c6d);
  return next ^ (next >>> 13);
}

/** Spreads every bit over all. Source: the finalizer of MurmurHash3. */
function mixed(bits: number): number {
  let hash = bits ^ (bits >>> 16);
  hash = Math.imul(hash, 0x85eb_ca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
