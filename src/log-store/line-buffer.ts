import { formatTimestamp } from "../core/time.ts";
import { copyBytes } from "../wire/byte-ranges.ts";
import type { RowKey } from "./block.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const SHORT_TEXT = 48;

/**
 * Lines of JSON in UTF-8, written piece by piece into memory that is used again. Exports write
 * hundreds of megabytes, so texts go from bytes to bytes and are strings only where they must be.
 */
export class LineBuffer {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #end = 0;
  /** Neighbours are mostly of one day, whose text is kept. */
  #day = -1;
  #date = "";

  get length(): number {
    return this.#end;
  }

  /** Text as it is. */
  text(text: string): void {
    // Three bytes a UTF-16 unit at the most.
    this.#reserve(3 * text.length);
    if (text.length <= SHORT_TEXT && this.#shortAscii(text)) return;
    this.#end += this.#bytes.write(text, this.#end);
  }

  /** Short texts take longer to hand to the runtime than to write; false where one is not ASCII. */
  #shortAscii(text: string): boolean {
    const bytes = this.#bytes;
    const start = this.#end;
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return false;
      bytes[start + index] = unit;
    }
    this.#end = start + text.length;
    return true;
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#end = copyBytes(bytes, 0, bytes.length, this.#bytes, this.#end);
  }

  /** Bytes of a range as they are. */
  range(source: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    this.#end = copyBytes(source, start, end, this.#bytes, this.#end);
  }

  /** UTF-8 text as a JSON string, with its quotes. */
  quoted(source: Uint8Array, start: number, end: number): void {
    this.text('"');
    this.escaped(source, start, end);
    this.text('"');
  }

  /** The inside of a JSON string of UTF-8 text. */
  escaped(source: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const bytes = this.#bytes;
    let to = this.#end;
    for (let at = start; at < end; at++) {
      const byte = source[at];
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH || byte >= 0x80) {
        // Escapes, and bytes that may be no UTF-8, are what JSON.stringify makes of them.
        const text = Buffer.from(source.buffer, source.byteOffset + start, end - start);
        this.text(JSON.stringify(text.toString("utf8")).slice(1, -1));
        return;
      }
      bytes[to++] = byte;
    }
    this.#end = to;
  }

  /** `2026-11-22T01:02:03.123456789Z`; see `formatTimestamp`. */
  timestamp(day: number, ns: number): void {
    if (day !== this.#day) {
      this.#day = day;
      this.#date = formatTimestamp(day, 0).slice(0, 11);
    }
    this.text(this.#date);
    this.#timeOfDay(ns);
  }

  /** The same without its date; `ns` is of the day. */
  #timeOfDay(ns: number): void {
    this.#reserve(20);
    const fraction = ns % 1e9;
    const seconds = (ns - fraction) / 1e9;
    const minutes = Math.floor(seconds / 60);
    this.#digits(Math.floor(minutes / 60), 2);
    this.#bytes[this.#end++] = 0x3a;
    this.#digits(minutes % 60, 2);
    this.#bytes[this.#end++] = 0x3a;
    this.#digits(seconds % 60, 2);
    this.#bytes[this.#end++] = 0x2e;
    if (fraction % 1000 === 0) this.#digits(fraction / 1000, 6);
    else this.#digits(fraction, 9);
    this.#bytes[this.#end++] = 0x5a;
  }

  #digits(value: number, count: number): void {
    let rest = value;
    for (let at = this.#end + count - 1; at >= this.#end; at--) {
      this.#bytes[at] = ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#end += count;
  }

  /** An id in lower-case hex; nothing where all its bytes are zero. */
  hex(ids: Uint8Array, start: number, width: number): void {
    let isPresent = false;
    for (let at = start; at < start + width && !isPresent; at++) isPresent = ids[at] !== 0;
    if (!isPresent) return;
    this.#reserve(2 * width);
    for (let at = start; at < start + width; at++) {
      this.#bytes[this.#end++] = HEX[ids[at] >>> 4];
      this.#bytes[this.#end++] = HEX[ids[at] & 0x0f];
    }
  }

  /** Forgets what was written since the buffer had `length` bytes. */
  cut(length: number): void {
    this.#end = length;
  }

  /** A copy of what was written, in memory of its own; the buffer is empty again. */
  take(): Uint8Array {
    const lines = Uint8Array.prototype.slice.call(this.#bytes, 0, this.#end);
    this.#end = 0;
    return lines;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#end + bytes));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
  }
}

/** Writes a part of a row as JSON. */
export type EntryWriter = (row: number, out: LineBuffer) => void;

/** Writes a row as a line of JSON, "\n" included. */
export type LineWriter = (row: number, out: LineBuffer, key: RowKey) => void;

const HEX = new TextEncoder().encode("0123456789abcdef");
