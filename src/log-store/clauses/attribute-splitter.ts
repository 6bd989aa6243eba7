import { copyBytes } from "../../wire/byte-ranges.ts";
import { ANY_MARK, BYTE_CLASSES, CLAUSES_MAX, KEY_END, MARK } from "./clause-marks.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";
import { TextSplitter } from "./text-splitter.ts";
import type { WordSink } from "./text-splitter.ts";

/**
 * Tags of an `AnyValue`'s fields, which say a value's type; and our own for one without a field.
 * Source: opentelemetry/proto/common/v1/common.proto.
 */
export const STRING_TYPE = 0x0a;
export const BOOL_TYPE = 0x10;
export const INT_TYPE = 0x18;
export const DOUBLE_TYPE = 0x21;
export const EMPTY_TYPE = 0x05;
/** `array_value`, `kvlist_value`, `bytes_value`: kept as they are. */
const LENGTH_TYPES: ReadonlySet<number> = new Set([0x2a, 0x32, 0x3a]);

const KEY_TAG = 0x0a;
const VALUE_TAG = 0x12;

/**
 * Records the attributes of rows: each attribute is a clause, whose template is
 *
 *     field tag, key, KEY_END, type, and of a string the constant text of its value
 *
 * so that equal keys and values share a template, and a search of text finds them there. Strings are
 * split as texts are, uncut; integers and doubles are a slot of their bytes on the wire; booleans are
 * constant (`t`, `f`). A row whose attributes are not in the usual form, or have a key twice, is one slot.
 *
 * Slots stand in `data`, which holds the attributes of all rows since `beginBlock`.
 */
export class AttributeSplitter {
  data: Uint8Array<ArrayBuffer> = new Uint8Array(1024 * 1024);
  #end = 0;
  readonly #recorder: ClauseRecorder;
  readonly #text: TextSplitter;
  /** Hashes of the keys of the row at hand. */
  readonly #keyHashes = new Int32Array(CLAUSES_MAX);
  #keys = 0;

  constructor(recorder: ClauseRecorder, words?: WordSink) {
    this.#recorder = recorder;
    this.#text = new TextSplitter(recorder, words);
  }

  beginBlock(): void {
    this.#recorder.beginBlock();
    this.#end = 0;
  }

  /** Records the `KeyValue` fields that stand in `source[start, end)`. */
  splitRow(source: Uint8Array, start: number, end: number): void {
    const firstSlot = this.#recorder.slots;
    this.#keys = 0;
    this.#reserve(2 * (end - start) + 16);
    let at = start;
    while (at < end) {
      const next = this.#recorder.clausesLeft > 1 ? this.#splitAttribute(source, at, end) : -1;
      if (next < 0) {
        this.#splitOdd(source, start, end, firstSlot);
        return;
      }
      at = next;
    }
  }

  /** Keeps the whole row as it is. */
  #splitOdd(source: Uint8Array, start: number, end: number, firstSlot: number): void {
    this.#recorder.restartRow(firstSlot);
    const from = this.#end;
    this.#end = copyBytes(source, start, end, this.data, from);
    this.#recorder.wholeValue(from, this.#end);
  }

  /** One `KeyValue` field; returns its end, or -1 where it is not in the usual form. */
  #splitAttribute(source: Uint8Array, start: number, end: number): number {
    // Lengths below 128 take one byte; longer attributes are read by `readLength`.
    const tag = source[start];
    if (tag >= 0x80 || BYTE_CLASSES[tag] === MARK) return -1;
    const fieldStart = readLength(source, start + 1, end);
    const fieldEnd = fieldStart + length;
    if (fieldStart < 0 || fieldEnd > end || source[fieldStart] !== KEY_TAG) return -1;
    const keyStart = readLength(source, fieldStart + 1, fieldEnd);
    const keyEnd = keyStart + length;
    if (keyStart < 0 || keyEnd >= fieldEnd || source[keyEnd] !== VALUE_TAG) return -1;
    const valueStart = readLength(source, keyEnd + 1, fieldEnd);
    if (valueStart < 0 || valueStart + length !== fieldEnd) return -1;
    if (hasMark(source, keyStart, keyEnd) || this.#isRepeated(source, keyStart, keyEnd)) return -1;
    const { data } = this;
    const templateStart = this.#end;
    data[templateStart] = tag;
    let to = copyBytes(source, keyStart, keyEnd, data, templateStart + 1);
    data[to++] = KEY_END;
    this.#end = to;
    return this.#splitValue(source, valueStart, fieldEnd, templateStart) ? fieldEnd : -1;
  }

  /** Whether the row may have this key already; notes the key. Of equal keys the last one counts. */
  #isRepeated(source: Uint8Array, start: number, end: number): boolean {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ source[at], 0x01000193);
    for (let key = 0; key < this.#keys; key++) if (this.#keyHashes[key] === hash) return true;
    this.#keyHashes[this.#keys++] = hash;
    return false;
  }

  #splitValue(source: Uint8Array, start: number, end: number, templateStart: number): boolean {
    if (start === end) {
      this.#writeType(EMPTY_TYPE);
      this.#text.splitBehind(this.data, templateStart, this.#end, this.#end);
      return true;
    }
    const type = source[start];
    this.#writeType(type);
    switch (type) {
      case STRING_TYPE: {
        const textStart = readLength(source, start + 1, end);
        if (textStart < 0 || textStart + length !== end) return false;
        const to = copyBytes(source, textStart, end, this.data, this.#end);
        this.#text.splitBehind(this.data, templateStart, this.#end, to);
        this.#end = to;
        return true;
      }
      case BOOL_TYPE:
        if (end - start !== 2 || source[start + 1] > 1) return false;
        this.data[this.#end++] = source[start + 1] === 1 ? TRUE : FALSE;
        this.#text.splitBehind(this.data, templateStart, this.#end, this.#end);
        return true;
      case INT_TYPE:
        if (varintEnd(source, start + 1, end) !== end) return false;
        break;
      case DOUBLE_TYPE:
        if (end - start !== 9) return false;
        break;
      default: {
        if (!LENGTH_TYPES.has(type)) return false;
        const bytesStart = readLength(source, start + 1, end);
        if (bytesStart < 0 || bytesStart + length !== end) return false;
        this.#slotValue(source, bytesStart, end, templateStart);
        return true;
      }
    }
    this.#slotValue(source, start + 1, end, templateStart);
    return true;
  }

  /** A value that is one slot of bytes. */
  #slotValue(source: Uint8Array, start: number, end: number, templateStart: number): void {
    const from = this.#end;
    this.#end = copyBytes(source, start, end, this.data, from);
    const firstSlot = this.#recorder.slots;
    this.#recorder.slot(from, this.#end, ANY_MARK);
    this.#recorder.endClause(this.data, templateStart, this.#end, firstSlot);
  }

  #writeType(type: number): void {
    this.data[this.#end++] = type;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.data.length) return;
    const larger = new Uint8Array(2 * (this.#end + bytes));
    larger.set(this.data.subarray(0, this.#end));
    this.data = larger;
  }
}

export const TRUE = 0x74;
export const FALSE = 0x66;

/** What `readLength` read. */
let length = 0;

/** Reads a length in its shortest form; returns where it ended, or -1. */
function readLength(source: Uint8Array, start: number, end: number): number {
  let at = start;
  let scale = 1;
  length = 0;
  for (;;) {
    if (at >= end || scale > 2 ** 28) return -1;
    const byte = source[at++];
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) return byte === 0 && scale > 1 ? -1 : at;
    scale *= 128;
  }
}

/** The end of a varint in its shortest form, or -1. */
function varintEnd(source: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && source[at] >= 0x80) at += 1;
  if (at >= end || at - start >= 10) return -1;
  return source[at] === 0 && at > start ? -1 : at + 1;
}

function hasMark(source: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (BYTE_CLASSES[source[at]] === MARK) return true;
  return false;
}
