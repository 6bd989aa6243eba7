/** An integer's text may be no longer: 20 digits are the most that 64 bits need. */
const TEXT_BYTES_MAX = 128;

const ZERO = 0x30;
const MINUS = 0x2d;
const TWO_POW_16 = 0x1_0000;
const TWO_POW_31 = 0x8000_0000;
const TWO_POW_32 = 0x1_0000_0000;
const TWO_POW_48 = TWO_POW_32 * TWO_POW_16;

/**
 * Reads a decimal text to 64 bits exactly, never through a double (OTLP-017). Accepts what stands
 * for an integer, `1.0` and `1e3` included, and refuses what does not, such as `1.5`.
 *
 * Concurrency: one instance is overwritten by each `parse`.
 */
export class DecimalInteger {
  isNegative = false;
  /** The magnitude in two unsigned halves. */
  low = 0;
  high = 0;

  /** False where the text is no integer, or one of more than 64 bits. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    this.isNegative = bytes[start] === MINUS && start < end;
    const first = this.isNegative ? start + 1 : start;
    const count = end - first;
    if (count < 1 || count > 20) return this.#parseSlow(bytes, start, end);
    let upper = 0;
    let lower = 0;
    const split = end - 9;
    for (let offset = first; offset < end; offset++) {
      const digit = bytes[offset] - ZERO;
      if (digit < 0 || digit > 9) return this.#parseSlow(bytes, start, end);
      if (offset < split) upper = upper * 10 + digit;
      else lower = lower * 10 + digit;
    }
    return this.#setMagnitude(upper, lower);
  }

  /**
   * Sets `upper * 10^9 + lower`, both exact doubles, `upper` below 10^11. The product has up to 67
   * bits, so it is made from the 16 lower and the other bits of `upper`.
   */
  #setMagnitude(upper: number, lower: number): boolean {
    const lowPart = (upper % TWO_POW_16) * 1e9 + lower;
    const highPart = Math.floor(upper / TWO_POW_16) * 1e9 + Math.floor(lowPart / TWO_POW_16);
    if (highPart >= TWO_POW_48) return false;
    this.low = (highPart % TWO_POW_16) * TWO_POW_16 + (lowPart % TWO_POW_16);
    this.high = Math.floor(highPart / TWO_POW_16);
    return true;
  }

  #parseSlow(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > TEXT_BYTES_MAX) return false;
    const text = Buffer.from(bytes.subarray(start, end)).toString("latin1");
    const match = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
    if (match === null) return false;
    const [, whole = "", fraction = "", exponentText = "0"] = match;
    const written = (whole + fraction).replace(/^0+/, "");
    const digits = written.replace(/0+$/, "");
    if (digits === "") return this.#setMagnitude(0, 0);
    const exponent = Number(exponentText) - fraction.length + written.length - digits.length;
    if (exponent < 0 || digits.length + exponent > 20) return false;
    const all = (digits + "0".repeat(exponent)).padStart(20, "0");
    return this.#setMagnitude(Number(all.slice(0, 11)), Number(all.slice(11)));
  }

  /** Whether the value is 0 to 2^64 - 1. */
  isUint64(): boolean {
    return !this.isNegative || this.isZero();
  }

  /** Whether the value is -2^63 to 2^63 - 1. */
  isInt64(): boolean {
    if (this.high < TWO_POW_31) return true;
    return this.isNegative && this.high === TWO_POW_31 && this.low === 0;
  }

  isUint32(): boolean {
    return this.high === 0 && this.isUint64();
  }

  isInt32(): boolean {
    return (
      this.high === 0 && (this.low < TWO_POW_31 || (this.isNegative && this.low === TWO_POW_31))
    );
  }

  isZero(): boolean {
    return this.low === 0 && this.high === 0;
  }

  /** The value as a number; exact for 32-bit values. */
  toInt32(): number {
    return this.isNegative ? -this.low : this.low;
  }

  /** Makes `low` and `high` the two's complement of the value instead of its magnitude. */
  applySign(): void {
    if (!this.isNegative || this.isZero()) return;
    const borrow = this.low === 0 ? 0 : 1;
    this.low = (TWO_POW_32 - this.low) % TWO_POW_32;
    this.high = TWO_POW_32 - this.high - borrow;
    if (this.high === TWO_POW_32) this.high = 0;
  }
}
