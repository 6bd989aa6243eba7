import { isWordUnit } from "../core/text-fold.ts";
import type { BytesColumn } from "./block.ts";
import type { Needle } from "./text-matcher.ts";

/**
 * Looks for a literal in all rows of a bytes column at once: rows stand one behind the other, so
 * one native search runs over the whole column, and each hit is put down to its row.
 *
 * Any case: a needle of ASCII is searched in a lower-cased copy of the column. Only two other
 * characters fold to ASCII, so only rows that hold one of them stay open. Where the needle itself
 * is not ASCII, rows with such bytes stay open. Open rows are `unsure`: the caller folds their text
 * and tests it.
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
  if (needle.anyCase && !needle.isAscii) return { hits, unsure: rowsNotAscii(column) };
  const text = needle.anyCase ? loweredColumns.of(column) : textOf(column);
  forEachHit(column, text, needle.bytes, (row, start, end) => {
    const isHit = !checksBoundaries || hasBoundaries(column, needle, row, start, end);
    if (isHit) hits[row] = 1;
    return isHit;
  });
  return { hits, unsure: needle.anyCase ? rowsWithLookAlikes(column, needle) : undefined };
}

/** The bytes of all rows, from the first one's start. */
function textOf({ data, starts, ends }: BytesColumn): Uint8Array {
  return data.subarray(starts[0], ends[ends.length - 1]);
}

/**
 * Visits each occurrence within a row, in order; `visit` says whether the rest of the row can be
 * passed over. `text` is `textOf(column)`, or the same in lower case.
 */
function forEachHit(
  { starts, ends }: BytesColumn,
  text: Uint8Array,
  needle: Uint8Array,
  visit: (row: number, start: number, end: number) => boolean,
): void {
  const haystack = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const base = starts[0];
  let row = 0;
  let at = haystack.indexOf(needle);
  while (at >= 0) {
    const start = base + at;
    const end = start + needle.length;
    row = rowAt(ends, start, row);
    const passesRow = end <= ends[row] && visit(row, start, end);
    at = haystack.indexOf(needle, passesRow ? ends[row] - base : at + 1);
  }
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

/** Lower-cased columns, kept as long as the column's bytes are (in the cache, or for one query). */
class LoweredColumns {
  readonly #known = new WeakMap<Uint8Array, Uint8Array>();

  of(column: BytesColumn): Uint8Array {
    const known = this.#known.get(column.data);
    if (known !== undefined) return known;
    const lowered = lowerAscii(textOf(column));
    this.#known.set(column.data, lowered);
    return lowered;
  }
}

const loweredColumns = new LoweredColumns();

/** A copy with `A` to `Z` as `a` to `z`, four bytes at a time. */
export function lowerAscii(source: Uint8Array): Uint8Array {
  const words = new Uint32Array(Math.ceil(source.length / 4));
  const text = new Uint8Array(words.buffer, 0, source.length);
  text.set(source);
  for (let index = 0; index < words.length; index++) {
    const word = words[index];
    const low = word & 0x7f7f7f7f;
    const fromA = low + 0x3f3f3f3f;
    const pastZ = low + 0x25252525;
    const isUpper = (fromA ^ pastZ) & ~word & 0x80808080;
    words[index] = word | (isUpper >>> 2);
  }
  return text;
}

/** Characters outside ASCII that fold to a letter within, in UTF-8: Kelvin and the long s. */
const LOOK_ALIKES = [
  { letter: 0x6b, bytes: Uint8Array.of(0xe2, 0x84, 0xaa) },
  { letter: 0x73, bytes: Uint8Array.of(0xc5, 0xbf) },
] as const;

/** Rows that may match a folded ASCII needle although their bytes do not. */
function rowsWithLookAlikes(column: BytesColumn, needle: Needle): Uint8Array | undefined {
  let rows: Uint8Array | undefined;
  for (const { letter, bytes } of LOOK_ALIKES) {
    if (!needle.bytes.includes(letter)) continue;
    forEachHit(column, textOf(column), bytes, (row) => {
      rows ??= new Uint8Array(column.starts.length);
      rows[row] = 1;
      return true;
    });
  }
  return rows;
}

function rowsNotAscii({ data, starts, ends }: BytesColumn): Uint8Array {
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
