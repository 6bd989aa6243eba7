import { copyBytes } from "../../wire/byte-ranges.ts";
import { BOOL_TYPE, DOUBLE_TYPE, EMPTY_TYPE, INT_TYPE, TRUE } from "./attribute-splitter.ts";
import type { ClauseColumn } from "./clause-column.ts";
import { ClauseRowReader } from "./clause-column.ts";
import { KEY_END, VALUE_TEMPLATE } from "./clause-marks.ts";

/**
 * Reads a row's attributes back to the `KeyValue` fields that `AttributeSplitter` took apart.
 *
 * Concurrency: one for each reader; what `read` gives is valid until the next call.
 */
export class AttributeRowReader {
  /** The row's fields are `bytes[0, end)`. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(16 * 1024);
  readonly #clauses: ClauseRowReader;
  readonly #templates: Uint32Array;

  constructor(column: ClauseColumn) {
    this.#clauses = new ClauseRowReader(column);
    this.#templates = column.source.shapes().templates;
  }

  /** Writes the row's fields; returns the end. */
  read(row: number): number {
    const [from, to] = this.#clauses.shapeRange(row);
    let end = 0;
    for (let index = from; index < to; index++) end = this.readField(row, index, end);
    return end;
  }

  /** Writes the field (or the odd fields) whose clause stands at `index` of the shapes' templates. */
  readField(row: number, index: number, start: number): number {
    const length = this.#clauses.readClause(row, index, 0);
    this.#reserve(start + length + FIELD_BYTES);
    return this.#templates[index] === VALUE_TEMPLATE
      ? copyBytes(this.#clauses.bytes, 0, length, this.bytes, start)
      : writeField(this.#clauses.bytes, length, this.bytes, start);
  }

  #reserve(length: number): void {
    if (length <= this.bytes.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** What a field takes beside its clause, at most: tags and four lengths. */
const FIELD_BYTES = 32;

/** Writes a clause (field tag, key, `KEY_END`, type, value) as a `KeyValue` field. */
function writeField(
  clause: Uint8Array,
  length: number,
  target: Uint8Array,
  offset: number,
): number {
  const keyEnd = clause.indexOf(KEY_END, 1);
  const type = clause[keyEnd + 1];
  const valueStart = keyEnd + 2;
  const size = length - valueStart;
  const valueSize = anyValueSize(type, size);
  const keySize = keyEnd - 1;
  let end = offset;
  target[end++] = clause[0];
  const fieldSize = 1 + lengthSize(keySize) + keySize + 1 + lengthSize(valueSize) + valueSize;
  end = writeLength(target, end, fieldSize);
  target[end++] = 0x0a;
  end = writeLength(target, end, keySize);
  end = copyBytes(clause, 1, keyEnd, target, end);
  target[end++] = 0x12;
  end = writeLength(target, end, valueSize);
  if (type === EMPTY_TYPE) return end;
  target[end++] = type;
  if (type === BOOL_TYPE) {
    target[end++] = clause[valueStart] === TRUE ? 1 : 0;
    return end;
  }
  if (type !== INT_TYPE && type !== DOUBLE_TYPE) end = writeLength(target, end, size);
  return copyBytes(clause, valueStart, length, target, end);
}

function anyValueSize(type: number, size: number): number {
  switch (type) {
    case EMPTY_TYPE:
      return 0;
    case BOOL_TYPE:
    case INT_TYPE:
    case DOUBLE_TYPE:
      return 1 + size;
    default:
      return 1 + lengthSize(size) + size;
  }
}

function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : 4;
}

function writeLength(target: Uint8Array, offset: number, length: number): number {
  let rest = length;
  let end = offset;
  while (rest >= 0x80) {
    target[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[end++] = rest;
  return end;
}
