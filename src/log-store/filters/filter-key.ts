/**
 * What a filter knows of a word or an id: 64 bits of hash, in two unsigned halves. Equal words in
 * any case have equal keys.
 */
export interface FilterKey {
  readonly high: number;
  /** Never 0, so that a key is told from an empty place. */
  readonly low: number;
}

/**
 * Hashes words and ids; holds the key of the last one, so that none is allocated.
 *
 * The hash is part of the file format: docs/format.md "Filters".
 */
export class KeyHasher implements FilterKey {
  high = 0;
  low = 1;

  /** Hashes bytes as they are, but A to Z as a to z; false where some are not ASCII. */
  hash(data: Uint8Array, start: number, end: number): boolean {
    let high = HIGH_START;
    let low = LOW_START;
    let seen = 0;
    for (let at = start; at < end; at++) {
      const byte = FOLDED[data[at]];
      seen |= byte;
      high = Math.imul(high ^ byte, HIGH_FACTOR);
      low = Math.imul(low, LOW_FACTOR) + byte;
    }
    this.high = mixed(high ^ (low >>> 7)) >>> 0;
    this.low = mixed(low) >>> 0 || 1;
    return seen < 0x80;
  }
}

const HIGH_START = 0x811c9dc5 | 0;
const HIGH_FACTOR = 0x01000193;
const LOW_START = 0x2545f491;
const LOW_FACTOR = 0x2c1b3c6d;

/** Spreads every bit over all. Source: the finalizer of MurmurHash3. */
function mixed(bits: number): number {
  let hash = bits ^ (bits >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

const FOLDED: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte,
);
