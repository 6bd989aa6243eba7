import { crc32 } from "node:zlib";
import { assert } from "../../core/assert.ts";
import { ID_BYTES, LAST_ROW, TraceGroups } from "./trace-groups.ts";

/**
 * The rows of each trace id of a block, in the place of 16 bytes a row. Rows without a trace id
 * are not listed.
 *
 *     page       offset   size   field
 *                0        4      number of ids, n, little-endian
 *                4        16 n   the ids, ascending
 *                4 + 16n         for each id its rows, ascending: the distance to the row before
 *                                (to 0 for the first one), doubled, plus 1 for the id's last row;
 *                                varints
 *                end - 4  4      CRC-32 of all before
 *     directory  for each page its first id, and where it ends (4 bytes, little-endian)
 *
 * A page is at most 4 KB, unless the rows of its only id take more. A search for one id reads the
 * directory, which is small and kept, and one page.
 */
interface EncodedTraceIndex {
  readonly directory: Uint8Array;
  readonly pages: readonly Uint8Array[];
}

const COUNT_BYTES = 4;
const CRC_BYTES = 4;
const DIRECTORY_ENTRY_BYTES = ID_BYTES + 4;
const PAGE_BYTES_MAX = 4096;

/** `ids` has 16 bytes a row, all zero where there is none. `onId` is told where each id stands. */
export function encodeTraceIndex(
  ids: Uint8Array,
  onId: (start: number) => void,
): EncodedTraceIndex {
  const groups = new TraceGroups(ids);
  const pages: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  const page = new PageWriter(groups, ids);
  let size = 0;
  const endPage = (): void => {
    if (page.count === 0) return;
    const bytes = page.take();
    pages.push(bytes);
    size += bytes.length;
    const entry = new Uint8Array(DIRECTORY_ENTRY_BYTES);
    entry.set(bytes.subarray(COUNT_BYTES, COUNT_BYTES + ID_BYTES));
    new DataView(entry.buffer).setUint32(ID_BYTES, size, true);
    directory.push(entry);
  };
  for (const group of groups.sorted()) {
    onId(groups.firstRows[group] * ID_BYTES);
    if (page.add(group)) continue;
    endPage();
    page.add(group);
  }
  endPage();
  return { directory: Buffer.concat(directory), pages };
}

class PageWriter {
  count = 0;
  readonly #groups: TraceGroups;
  readonly #source: Uint8Array;
  readonly #ids = new Uint8Array(PAGE_BYTES_MAX);
  /** Room for every row of the block in one list. */
  readonly #rows: Uint8Array;
  #rowsEnd = 0;

  constructor(groups: TraceGroups, source: Uint8Array) {
    this.#groups = groups;
    this.#source = source;
    this.#rows = new Uint8Array(PAGE_BYTES_MAX + ROW_BYTES_MAX * groups.nextRows.length);
  }

  /** Adds a group; false where the page is too full for it. */
  add(group: number): boolean {
    const before = this.#rowsEnd;
    this.#writeRows(group);
    const size = COUNT_BYTES + ID_BYTES * (this.count + 1) + this.#rowsEnd + CRC_BYTES;
    if (size > PAGE_BYTES_MAX && this.count > 0) {
      this.#rowsEnd = before;
      return false;
    }
    const start = this.#groups.firstRows[group] * ID_BYTES;
    for (let byte = 0; byte < ID_BYTES; byte++) {
      this.#ids[this.count * ID_BYTES + byte] = this.#source[start + byte];
    }
    this.count += 1;
    return true;
  }

  #writeRows(group: number): void {
    const { firstRows, nextRows } = this.#groups;
    let previous = 0;
    for (let row = firstRows[group]; row !== LAST_ROW;) {
      const next = nextRows[row];
      let value = 2 * (row - previous) + (next === LAST_ROW ? 1 : 0);
      for (; value >= 0x80; value >>>= 7) this.#rows[this.#rowsEnd++] = (value & 0x7f) | 0x80;
      this.#rows[this.#rowsEnd++] = value;
      previous = row;
      row = next;
    }
  }

  /** The page; begins the next one. */
  take(): Uint8Array {
    const idsEnd = COUNT_BYTES + ID_BYTES * this.count;
    const bytes = new Uint8Array(idsEnd + this.#rowsEnd + CRC_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.count, true);
    bytes.set(this.#ids.subarray(0, ID_BYTES * this.count), COUNT_BYTES);
    bytes.set(this.#rows.subarray(0, this.#rowsEnd), idsEnd);
    const end = idsEnd + this.#rowsEnd;
    view.setUint32(end, crc32(bytes.subarray(0, end)), true);
    this.count = 0;
    this.#rowsEnd = 0;
    return bytes;
  }
}

/** Of a row of a block, doubled. */
const ROW_BYTES_MAX = 3;

/** Where a page stands in the pages' section. */
interface PagePlace {
  readonly offset: number;
  readonly size: number;
}

/** The page that may hold an id; undefined where none does. */
export function pageOf(directory: Uint8Array, id: Uint8Array): PagePlace | undefined {
  let low = 0;
  let high = directory.length / DIRECTORY_ENTRY_BYTES;
  // The first page that begins behind the id.
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareIds(directory, middle * DIRECTORY_ENTRY_BYTES, id) <= 0) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return undefined;
  const offset = low === 1 ? 0 : endOf(directory, low - 2);
  return { offset, size: endOf(directory, low - 1) - offset };
}

function endOf(directory: Uint8Array, page: number): number {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  return view.getUint32(page * DIRECTORY_ENTRY_BYTES + ID_BYTES, true);
}

function compareIds(bytes: Uint8Array, start: number, id: Uint8Array): number {
  for (let byte = 0; byte < ID_BYTES; byte++) {
    const difference = bytes[start + byte] - id[byte];
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Whether a page's bytes are those that were written. */
export function isTracePageWhole(page: Uint8Array): boolean {
  const end = page.length - CRC_BYTES;
  if (end < COUNT_BYTES) return false;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  return crc32(page.subarray(0, end)) === view.getUint32(end, true);
}

/** The rows of an id in its page, ascending; none where it is not there. */
export function rowsInPage(page: Uint8Array, id: Uint8Array): readonly number[] {
  const rows: number[] = [];
  forEachRow(page, (start, row) => {
    if (compareIds(page, start, id) === 0) rows.push(row);
  });
  return rows;
}

/** The ids of all rows, 16 bytes a row, from all pages one behind the other. */
export function idsOfPages(directory: Uint8Array, pages: Uint8Array, rows: number): Uint8Array {
  const ids = new Uint8Array(rows * ID_BYTES);
  let from = 0;
  for (let index = 0; index < directory.length / DIRECTORY_ENTRY_BYTES; index++) {
    const to = endOf(directory, index);
    const page = pages.subarray(from, to);
    forEachRow(page, (start, row) => {
      assert(row < rows, "a trace id has a row past its block's end");
      for (let byte = 0; byte < ID_BYTES; byte++) ids[row * ID_BYTES + byte] = page[start + byte];
    });
    from = to;
  }
  return ids;
}

/** Calls for each row of a page, with where its id stands. */
function forEachRow(page: Uint8Array, visit: (start: number, row: number) => void): void {
  const count = new DataView(page.buffer, page.byteOffset).getUint32(0, true);
  let at = COUNT_BYTES + ID_BYTES * count;
  for (let index = 0; index < count; index++) {
    let row = 0;
    for (let isLast = false; !isLast;) {
      assert(at < page.length, "a page of trace ids has rows past its end");
      let value = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = page[at++];
        value |= (byte & 0x7f) << shift;
        if (!(byte >= 0x80)) break;
      }
      row += value >>> 1;
      isLast = (value & 1) === 1;
      visit(COUNT_BYTES + ID_BYTES * index, row);
    }
  }
}
