import { JsonPath } from "./json-path.ts";
import { WireError } from "./wire-error.ts";

/** Containers inside each other; bounds the stack of everything that walks JSON (SEC-005). */
export const JSON_DEPTH_MAX = 256;

/** Bytes of the refused text that an error shows. */
const EXCERPT_BYTES_MAX = 40;

export const BYTE = {
  quote: 0x22,
  plus: 0x2b,
  comma: 0x2c,
  minus: 0x2d,
  point: 0x2e,
  zero: 0x30,
  nine: 0x39,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  lowerE: 0x65,
  lowerF: 0x66,
  lowerN: 0x6e,
  lowerT: 0x74,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** What `peek` gives at the end of the text; no byte has this value. */
const END = -1;

/**
 * Reads JSON tokens in place: no string or object is made for what the caller passes over.
 *
 * A scalar is left as the range `[textStart, textEnd)`: a number with its sign, a string without
 * its quotes and, where `hasEscapes` is set, not yet unescaped. The text must be valid UTF-8, which
 * the caller has checked.
 *
 * Errors: `WireError` with offset and path.
 * Concurrency: one instance reads one text, once, on one thread.
 * Source: RFC 8259, taken strictly.
 */
export class JsonReader {
  readonly bytes: Uint8Array;
  readonly path = new JsonPath();
  position = 0;
  textStart = 0;
  textEnd = 0;
  hasEscapes = false;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The first byte of the next token, or `END`; whitespace before it is passed over. */
  peek(): number {
    const bytes = this.bytes;
    let position = this.position;
    while (position < bytes.length) {
      const byte = bytes[position];
      if (byte > 0x20 || !isWhitespace(byte)) {
        this.position = position;
        return byte;
      }
      position += 1;
    }
    this.position = position;
    return END;
  }

  /** Passes over one byte that must stand here. */
  expect(byte: number): void {
    if (this.peek() !== byte) this.failToken(`"${String.fromCharCode(byte)}" should stand here`);
    this.position += 1;
  }

  /** Passes over `byte` if it is next. */
  accept(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.position += 1;
    return true;
  }

  /** Enters an object or a list at its opening byte; `nextKey` or `nextElement` leaves it. */
  enter(opening: number): void {
    this.position += 1;
    this.#depth += 1;
    if (this.#depth > JSON_DEPTH_MAX) {
      const what = opening === BYTE.openBrace ? "objects" : "lists";
      this.fail(`${what} are nested deeper than ${JSON_DEPTH_MAX} levels`, this.position - 1);
    }
  }

  /** Reads an object's next key and colon into the text range, or passes over its end. */
  nextKey(isFirst: boolean): boolean {
    let next = this.peek();
    if (next === BYTE.closeBrace) {
      this.position += 1;
      return this.#leave();
    }
    if (!isFirst) {
      this.expect(BYTE.comma);
      next = this.peek();
    }
    if (next !== BYTE.quote) this.failToken("a key should stand here");
    this.scanString();
    this.expect(BYTE.colon);
    return true;
  }

  /** Moves to a list's next element, or passes over its end. */
  nextElement(isFirst: boolean): boolean {
    if (this.accept(BYTE.closeBracket)) return this.#leave();
    if (!isFirst) this.expect(BYTE.comma);
    return true;
  }

  #leave(): false {
    this.#depth -= 1;
    return false;
  }

  /** Reads the string whose opening quote is at `position`. */
  scanString(): void {
    const bytes = this.bytes;
    const length = bytes.length;
    let position = this.position + 1;
    this.textStart = position;
    this.hasEscapes = false;
    for (;;) {
      while (position < length && STRING_STOPS[bytes[position]] === 0) position += 1;
      const byte = position < length ? bytes[position] : END;
      if (byte === BYTE.quote) {
        this.textEnd = position;
        this.position = position + 1;
        return;
      }
      if (byte === END) this.fail("a string has no end", this.position);
      if (byte < 0x20) this.fail("a control character in a string must be escaped", position);
      this.hasEscapes = true;
      position = this.#checkEscape(position) + 1;
    }
  }

  /** Returns the offset of the escape's last byte. */
  #checkEscape(backslash: number): number {
    const letter = this.bytes[backslash + 1] ?? 0;
    if (letter === LOWER_U) {
      for (let offset = backslash + 2; offset < backslash + 6; offset++) {
        if (hexDigit(this.bytes[offset] ?? 0) < 0)
          this.fail("\\u needs four hex digits", backslash);
      }
      return backslash + 5;
    }
    if (SINGLE_ESCAPES[letter] === 0) this.fail("an unknown escape in a string", backslash);
    return backslash + 1;
  }

  /** The bytes of the last string, its escapes resolved. */
  unescapedText(): Uint8Array {
    if (!this.hasEscapes) return this.bytes.subarray(this.textStart, this.textEnd);
    const target = new Uint8Array(this.textEnd - this.textStart);
    return target.subarray(0, this.unescapeInto(target, 0));
  }

  /**
   * Writes the last string, its escapes resolved, to `target` and returns the end. Never longer
   * than the range. A lone surrogate becomes U+FFFD, as UTF-8 has no form for it.
   */
  unescapeInto(target: Uint8Array, offset: number): number {
    const bytes = this.bytes;
    let to = offset;
    for (let from = this.textStart; from < this.textEnd;) {
      const byte = bytes[from];
      if (byte !== BYTE.backslash) {
        target[to++] = byte;
        from += 1;
      } else if (bytes[from + 1] === LOWER_U) {
        const unit = hexUnit(bytes, from + 2);
        from += 6;
        const isPair = isHighSurrogate(unit) && this.#isLowSurrogateAt(from);
        to = writeCodePoint(target, to, isPair ? joined(unit, hexUnit(bytes, from + 2)) : unit);
        if (isPair) from += 6;
      } else {
        target[to++] = SINGLE_ESCAPES[bytes[from + 1]];
        from += 2;
      }
    }
    return to;
  }

  #isLowSurrogateAt(offset: number): boolean {
    if (offset + 6 > this.textEnd) return false;
    if (this.bytes[offset] !== BYTE.backslash || this.bytes[offset + 1] !== LOWER_U) return false;
    return (hexUnit(this.bytes, offset + 2) & 0xfc00) === 0xdc00;
  }

  /** Reads the number at `position`. */
  scanNumber(): void {
    const start = this.position;
    if (this.bytes[this.position] === BYTE.minus) this.position += 1;
    if (this.bytes[this.position] === BYTE.zero) this.position += 1;
    else this.#digits(start);
    if (this.bytes[this.position] === BYTE.point) {
      this.position += 1;
      this.#digits(start);
    }
    if (((this.bytes[this.position] ?? 0) | 0x20) === BYTE.lowerE) {
      this.position += 1;
      const sign = this.bytes[this.position];
      if (sign === BYTE.plus || sign === BYTE.minus) this.position += 1;
      this.#digits(start);
    }
    const after = this.bytes[this.position] ?? 0;
    if (isDigit(after)) this.fail("a number must not start with 0", start);
    this.textStart = start;
    this.textEnd = this.position;
  }

  /** One digit or more. */
  #digits(numberStart: number): void {
    const bytes = this.bytes;
    const start = this.position;
    let position = start;
    while (position < bytes.length && isDigit(bytes[position])) position += 1;
    this.position = position;
    if (position > start) return;
    if (start === numberStart) this.failToken("a value should stand here");
    this.fail("a digit is missing in a number", start);
  }

  /** Passes over `null` if it is next. */
  acceptNull(): boolean {
    if (this.peek() !== BYTE.lowerN) return false;
    this.expectWord("null");
    return true;
  }

  expectWord(word: "null" | "true" | "false"): void {
    for (let index = 0; index < word.length; index++) {
      if (this.bytes[this.position + index] !== word.charCodeAt(index)) {
        this.failToken(`${word} should stand here`);
      }
    }
    this.position += word.length;
  }

  /** Passes over one value of any kind, checked to be JSON. */
  skipValue(): void {
    switch (this.peek()) {
      case BYTE.openBrace:
        this.enter(BYTE.openBrace);
        for (let isFirst = true; this.nextKey(isFirst); isFirst = false) this.skipValue();
        return;
      case BYTE.openBracket:
        this.enter(BYTE.openBracket);
        for (let isFirst = true; this.nextElement(isFirst); isFirst = false) this.skipValue();
        return;
      case BYTE.quote:
        this.scanString();
        return;
      case BYTE.lowerN:
        this.expectWord("null");
        return;
      case BYTE.lowerT:
        this.expectWord("true");
        return;
      case BYTE.lowerF:
        this.expectWord("false");
        return;
      default:
        this.scanNumber();
    }
  }

  /** Nothing but whitespace may follow. */
  expectEnd(): void {
    if (this.peek() !== END) this.failToken("the text should end here");
  }

  /** The value at `position`, cut, as an error shows it. */
  excerpt(start: number): string {
    const cut = start + EXCERPT_BYTES_MAX;
    const isQuoted = this.bytes[start] === BYTE.quote;
    let end = start + 1;
    while (end < this.bytes.length && end < cut && !endsToken(this.bytes[end], isQuoted)) end += 1;
    if (isQuoted && this.bytes[end] === BYTE.quote) end += 1;
    return Buffer.from(this.bytes.subarray(start, end)).toString() + (end === cut ? "..." : "");
  }

  /** Fails at the next token: what should be there, and what is. */
  failToken(message: string): never {
    const found = this.peek() === END ? "the end of the text" : this.excerpt(this.position);
    return this.fail(`${message}, not ${found}`, this.position);
  }

  fail(message: string, offset: number): never {
    const path = this.path.toString();
    throw new WireError(
      `${path === "" ? "" : `${path}: `}${message} (at byte ${offset})`,
      Math.min(offset, this.bytes.length),
    );
  }
}

const LOWER_U = 0x75;

/** What stands for `\x` at the code of `x`; 0 where that is no escape. */
const SINGLE_ESCAPES: Uint8Array = (() => {
  const table = new Uint8Array(256);
  const pairs = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
  for (const [letter, byte] of Object.entries(pairs)) {
    table[letter.charCodeAt(0)] = byte.charCodeAt(0);
  }
  return table;
})();

/** 1 at the bytes that end the plain run of a string. */
const STRING_STOPS: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
STRING_STOPS[BYTE.quote] = 1;
STRING_STOPS[BYTE.backslash] = 1;

function isWhitespace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= BYTE.zero && byte <= BYTE.nine;
}

function endsToken(byte: number, isQuoted: boolean): boolean {
  if (isQuoted) return byte === BYTE.quote;
  return byte <= 0x20 || byte === BYTE.comma || byte === BYTE.closeBrace || byte === 0x5d;
}

const HEX_DIGITS: Int8Array = (() => {
  const table = new Int8Array(256).fill(-1);
  for (let value = 0; value < 16; value++) {
    const digit = value.toString(16);
    table[digit.charCodeAt(0)] = value;
    table[digit.toUpperCase().charCodeAt(0)] = value;
  }
  return table;
})();

/** The value of a hex digit of either case, or -1. */
export function hexDigit(byte: number): number {
  return HEX_DIGITS[byte];
}

/** The UTF-16 unit that four hex digits, already checked, stand for. */
function hexUnit(bytes: Uint8Array, offset: number): number {
  return (
    (hexDigit(bytes[offset]) << 12) |
    (hexDigit(bytes[offset + 1]) << 8) |
    (hexDigit(bytes[offset + 2]) << 4) |
    hexDigit(bytes[offset + 3])
  );
}

function isHighSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xd800;
}

function joined(high: number, low: number): number {
  return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

const REPLACEMENT = 0xfffd;

/** Writes UTF-8 and returns the end; a surrogate is written as U+FFFD. */
function writeCodePoint(target: Uint8Array, offset: number, codePoint: number): number {
  const point = codePoint >= 0xd800 && codePoint < 0xe000 ? REPLACEMENT : codePoint;
  let to = offset;
  if (point < 0x80) {
    target[to++] = point;
    return to;
  }
  if (point < 0x800) {
    target[to++] = 0xc0 | (point >> 6);
  } else {
    if (point < 0x10000) {
      target[to++] = 0xe0 | (point >> 12);
    } else {
      target[to++] = 0xf0 | (point >> 18);
      target[to++] = 0x80 | ((point >> 12) & 0x3f);
    }
    target[to++] = 0x80 | ((point >> 6) & 0x3f);
  }
  target[to++] = 0x80 | (point & 0x3f);
  return to;
}
