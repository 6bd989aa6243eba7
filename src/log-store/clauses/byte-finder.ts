/** Shorter needles are skipped over too little. */
const NEEDLE_BYTES_MIN = 3;

/**
 * Finds a needle among bytes that are much like it, digits among digits: it skips by the last byte
 * (Horspool), where `Buffer.indexOf` looks for the first one and stops every ten bytes.
 */
export class ByteFinder {
  readonly #needle: Uint8Array;
  /** For each byte: how far the needle moves on where it stands under the needle's last byte. */
  readonly #steps: Uint32Array;

  constructor(needle: Uint8Array) {
    this.#needle = needle;
    this.#steps = new Uint32Array(256).fill(needle.length);
    for (let at = 0; at < needle.length - 1; at++) this.#steps[needle[at]] = needle.length - 1 - at;
  }

  /** The offset of the first hit at `from` or behind it, or -1. */
  find(haystack: Uint8Array, from: number): number {
    const needle = this.#needle;
    const steps = this.#steps;
    const last = needle.length - 1;
    if (needle.length < NEEDLE_BYTES_MIN) {
      const { buffer, byteOffset, length } = haystack;
      return Buffer.from(buffer, byteOffset, length).indexOf(needle, from);
    }
    const lastByte = needle[last];
    for (let end = from + last; end < haystack.length;) {
      const byte = haystack[end];
      if (byte === lastByte) {
        let at = 0;
        while (at < last && haystack[end - last + at] === needle[at]) at += 1;
        if (at === last) return end - last;
      }
      end += steps[byte];
    }
    return -1;
  }
}
