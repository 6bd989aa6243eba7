import { assert } from "../../core/assert.ts";
import { decodePlanes, encodePlanes } from "../column-codec.ts";
import { TABLES } from "../table-schema.ts";

/** Which series each row of a block is of, numbered from 0 as they are first met. */
export class SeriesColumn {
  readonly ids: Uint8Array | Uint32Array;
  /** What tells each series apart: see `series-keys.ts`. */
  readonly keys: Float64Array;
  /** The columns that are the same for all points of a series, by name: a number for each series. */
  readonly values: SeriesValues;
  #shapes: { readonly known: Uint32Array | undefined } | undefined;
  #grouped: { readonly rows: Uint32Array; readonly starts: Uint32Array } | undefined;
  readonly #found: { readonly id: number; readonly rows: Uint32Array }[] = [];

  constructor(ids: Uint8Array | Uint32Array, keys: Float64Array, values: SeriesValues) {
    this.ids = ids;
    this.keys = keys;
    this.values = values;
  }

  get count(): number {
    return this.keys.length;
  }

  get byteLength(): number {
    return (
      this.ids.byteLength + 4 * this.ids.length + (12 + 4 * this.values.size) * this.keys.length
    );
  }

  /** The rows of a series, ascending. The first few that are asked for are looked for by themselves. */
  rowsOf(id: number): Uint32Array {
    const known = this.#found.find((one) => one.id === id);
    if (known !== undefined) return known.rows;
    if (this.#grouped === undefined && this.#found.length < LOOKED_FOR_MAX) {
      const rows = this.#find(id);
      this.#found.push({ id, rows });
      return rows;
    }
    const { rows, starts } = (this.#grouped ??= this.#group());
    return rows.subarray(starts[id], starts[id + 1]);
  }

  /** The shape that all rows of a series have, for each; undefined where rows of one differ. */
  shapesOf(attributes: { shapeIds(): Uint32Array }): Uint32Array | undefined {
    if (this.#shapes === undefined) {
      this.#shapes = { known: onceEach(this.ids, this.count, attributes.shapeIds()) };
    }
    return this.#shapes.known;
  }

  #find(id: number): Uint32Array {
    const { ids } = this;
    const rows: number[] = [];
    for (let row = ids.indexOf(id); row >= 0; row = ids.indexOf(id, row + 1)) rows.push(row);
    return Uint32Array.from(rows);
  }

  /** The rows of all series, one series after the other; those of `s` from `starts[s]` on. */
  #group(): { readonly rows: Uint32Array; readonly starts: Uint32Array } {
    const { ids, keys } = this;
    const starts = new Uint32Array(keys.length + 1);
    for (let row = 0; row < ids.length; row++) starts[ids[row] + 1] += 1;
    for (let id = 0; id < keys.length; id++) starts[id + 1] += starts[id];
    const next = starts.slice();
    const rows = new Uint32Array(ids.length);
    for (let row = 0; row < ids.length; row++) rows[next[ids[row]]++] = row;
    return { rows, starts };
  }
}

type SeriesValues = ReadonlyMap<string, Uint32Array>;

/** Series whose rows are looked for one by one. */
export const LOOKED_FOR_MAX = 4;

/** The columns that a series has once, and the bytes of each one's numbers. */
const ONCE = TABLES.metrics
  .filter(({ bySeries }) => bySeries === "once")
  .map(({ name, kind }) => ({ name, width: kind === "dict" ? 4 : 1 }));

/** Points of one series in a block, on average, from which on their columns are kept by series. */
const POINTS_MIN = 4;

/**
 * Numbers the series of rows. `columnOf` gives the columns that are kept once for each series.
 *
 * Undefined where series are too many to gain from it; and where rows with one key differ in such a
 * column, since keys are hashes.
 */
export function groupSeries(
  rowKeys: Float64Array,
  columnOf: (name: string) => Uint32Array | Uint8Array,
): SeriesColumn | undefined {
  const seriesMax = rowKeys.length / POINTS_MIN;
  const ids = new Uint32Array(rowKeys.length);
  const known = new Map<number, number>();
  for (let row = 0; row < rowKeys.length; row++) {
    const key = rowKeys[row];
    let id = known.get(key);
    if (id === undefined) {
      id = known.size;
      if (id >= seriesMax) return undefined;
      known.set(key, id);
    }
    ids[row] = id;
  }
  const values = new Map<string, Uint32Array>();
  for (const { name } of ONCE) {
    const ofSeries = onceEach(ids, known.size, columnOf(name));
    if (ofSeries === undefined) return undefined;
    values.set(name, ofSeries);
  }
  return new SeriesColumn(ids, Float64Array.from(known.keys()), values);
}

/** The number that all rows of a series have; undefined where they differ. */
function onceEach(
  ids: Uint8Array | Uint32Array,
  seriesCount: number,
  column: Uint32Array | Uint8Array,
): Uint32Array | undefined {
  const values = new Uint32Array(seriesCount);
  // From the end, so that each series is left with its first row's.
  for (let row = ids.length - 1; row >= 0; row--) values[ids[row]] = column[row];
  for (let row = 0; row < ids.length; row++) {
    if (values[ids[row]] !== column[row]) return undefined;
  }
  return values;
}

const KEY_BYTES = 6;

/** Bytes before the ids: the number of series, then keys and values of each. */
function headBytes(seriesCount: number): number {
  return 4 + ONCE.reduce((bytes, { width }) => bytes + width, KEY_BYTES) * seriesCount;
}

/**
 * The section `series`: the number of series, 4 bytes; their keys, 6 bytes each; for each column of
 * `ONCE` their values; planes of the ids.
 */
export function encodeSeries({ ids, keys, values }: SeriesColumn): Uint8Array {
  const head = new DataView(new ArrayBuffer(headBytes(keys.length)));
  head.setUint32(0, keys.length, true);
  for (const [index, key] of keys.entries()) {
    head.setUint32(4 + KEY_BYTES * index, key % 2 ** 32, true);
    head.setUint16(8 + KEY_BYTES * index, Math.floor(key / 2 ** 32), true);
  }
  let end = 4 + KEY_BYTES * keys.length;
  for (const { name, width } of ONCE) {
    for (const value of values.get(name) ?? []) {
      if (width === 1) head.setUint8(end, value);
      else head.setUint32(end, value, true);
      end += width;
    }
  }
  return Buffer.concat([new Uint8Array(head.buffer), encodePlanes(ids, ids.length)]);
}

export function decodeSeries(bytes: Uint8Array, rows: number): SeriesColumn {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  assert(headBytes(count) < bytes.length, "the keys of series reach past their section");
  const keys = Float64Array.from(
    { length: count },
    (_, index) =>
      view.getUint32(4 + KEY_BYTES * index, true) +
      view.getUint16(8 + KEY_BYTES * index, true) * 2 ** 32,
  );
  let end = 4 + KEY_BYTES * count;
  const values = new Map<string, Uint32Array>();
  for (const { name, width } of ONCE) {
    const from = end;
    end += width * count;
    const valueAt = (index: number): number =>
      width === 1 ? view.getUint8(from + index) : view.getUint32(from + width * index, true);
    values.set(
      name,
      Uint32Array.from({ length: count }, (_, index) => valueAt(index)),
    );
  }
  const ids = decodeIds(bytes.subarray(end), rows);
  let largest = 0;
  for (let row = 0; row < rows; row++) if (ids[row] > largest) largest = ids[row];
  assert(largest < count, "a row is of a series that is not there");
  return new SeriesColumn(ids, keys, values);
}

/** One plane, as up to 256 series have it, is the ids. */
function decodeIds(planes: Uint8Array, rows: number): Uint8Array | Uint32Array {
  const isOnePlane = planes[0] === 1 && planes.length === 1 + rows;
  return isOnePlane ? planes.subarray(1) : decodePlanes(planes, rows);
}
