import { isWordUnit } from "../core/text-fold.ts";
import type { BytesColumn } from "./block.ts";
import type { Needle } from "./text-matcher.ts";

/**
 * Looks for a literal in all rows of a bytes column at once: rows stand one behind the other, so
 * one native search runs over the whole column, and each hit is put down to its row.
 *
 * Any case: ASCII is searched in a lower-cased copy of the column. Rows with other characters are
 * not decided here but reported as `unsure`, and their text is folded and tested one by one.
 */
export interface ByteSearch {
  /** Rows that hold the needle, 1 each; rows that are `unsure` may be missing. */
  readonly hits: Uint8Array;
  /** Rows to test one by one; undefined where there are none. */
  readonly unsure: Uint8Array | undefined;
}

/** Without `checksBoundaries` hits are candidates only. */
export function searchColumn(
  column: BytesColumn,
  needle: Needle,
  checksBoundaries: boolean,
): ByteSearch {
  const rows = column.starts.length;
  const hits = new Uint8Array(rows);
  if (rows === 0) return { hits, unsure: undefined };
  const base = column.starts[0];
  const lowered = needle.anyCase ? loweredColumns.of(column.data, column) : undefined;
  const text = lowered?.text ?? column.data.subarray(base, column.ends[rows - 1]);
  const haystack = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const bytes = Buffer.from(needle.bytes);
  let row = 0;
  let at = haystack.indexOf(bytes);
  while (at >= 0) {
    const offset = base + at;
    row = rowAt(column.ends, offset, row);
    const end = offset + bytes.length;
    if (end > column.ends[row]) {
      at = haystack.indexOf(bytes, at + 1);
      continue;
    }
    const isHit = !checksBoundaries || hasBoundaries(column, needle, row, offset, end);
    if (isHit) hits[row] = 1;
    at = haystack.indexOf(bytes, isHit ? column.ends[row] - base : at + 1);
  }
  return { hits, unsure: lowered?.notAscii };
}

function hasBoundaries(
  { data, starts, ends }: BytesColumn,
  needle: Needle,
  row: number,
  start: number,
  end: number,
): boolean {
  if (needle.needsLeftBoundary && start > starts[row] && isWordUnit(data[start - 1])) return false;
  return !(needle.needsRightBoundary && end < ends[row] && isWordUnit(data[end]));
}

/** The row that holds the byte at `offset`, at or after row `from`. */
function rowAt(ends: Uint32Array, offset: number, from: number): number {
  if (offset < ends[from]) return from;
  let low = from + 1;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle] <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface LoweredColumn {
  /** The column's bytes from its first row to its last, ASCII letters in lower case. */
  readonly text: Uint8Array;
  /** Rows with bytes from 0x80; undefined where there are none. */
  readonly notAscii: Uint8Array | undefined;
}

/** Kept as long as the column's bytes are (in the column cache, or for one query). */
class LoweredColumns {
  readonly #known = new WeakMap<Uint8Array, LoweredColumn>();

  of(data: Uint8Array, column: BytesColumn): LoweredColumn {
    const known = this.#known.get(data);
    if (known !== undefined) return known;
    const lowered = lowerColumn(column);
    this.#known.set(data, lowered);
    return lowered;
  }
}

const loweredColumns = new LoweredColumns();

function lowerColumn(column: BytesColumn): LoweredColumn {
  const rows = column.starts.length;
  const source = column.data.subarray(column.starts[0], column.ends[rows - 1]);
  const words = new Uint32Array(Math.ceil(source.length / 4));
  const text = new Uint8Array(words.buffer, 0, source.length);
  text.set(source);
  const highBits = lowerWords(words);
  return { text, notAscii: highBits === 0 ? undefined : rowsWithHighBits(column) };
}

/** Lower-cases four ASCII bytes at a time, and returns the high bits of all bytes. */
function lowerWords(words: Uint32Array): number {
  let highBits = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const low = word & 0x7f7f7f7f;
    const fromA = low + 0x3f3f3f3f;
    const pastZ = low + 0x25252525;
    const isUpper = (fromA ^ pastZ) & ~word & 0x80808080;
    words[index] = word | (isUpper >>> 2);
    highBits |= word & 0x80808080;
  }
  return highBits;
}

function rowsWithHighBits({ data, starts, ends }: BytesColumn): Uint8Array {
  const rows = new Uint8Array(starts.length);
  for (let row = 0; row < rows.length; row++) {
    for (let offset = starts[row]; offset < ends[row]; offset++) {
      if (data[offset] >= 0x80) {
        rows[row] = 1;
        break;
      }
    }
  }
  return rows;
}
