import { assert } from "../../core/assert.ts";
import { decodePlanes, encodePlanes } from "../column-codec.ts";

/** Which series each row of a block is of, numbered from 0 as they are first met. */
export class SeriesColumn {
  readonly ids: Uint32Array;
  /** What tells each series apart: see `series-keys.ts`. */
  readonly keys: Float64Array;
  #grouped: { readonly rows: Uint32Array; readonly starts: Uint32Array } | undefined;
  readonly #found: { readonly id: number; readonly rows: Uint32Array }[] = [];

  constructor(ids: Uint32Array, keys: Float64Array) {
    this.ids = ids;
    this.keys = keys;
  }

  get byteLength(): number {
    return 8 * this.ids.length + 12 * this.keys.length;
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

  #find(id: number): Uint32Array {
    const { ids } = this;
    const rows: number[] = [];
    for (let row = 0; row < ids.length; row++) if (ids[row] === id) rows.push(row);
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

const LOOKED_FOR_MAX = 4;

/** Points of one series in a block, on average, from which on their columns are kept by series. */
const POINTS_MIN = 4;

/** Numbers the series of rows; undefined where they are too many to gain from it. */
export function groupSeries(rowKeys: Float64Array): SeriesColumn | undefined {
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
  return new SeriesColumn(ids, Float64Array.from(known.keys()));
}

const KEY_BYTES = 6;

/** The section `series`: the number of series, 4 bytes; their keys, 6 bytes each; planes of the ids. */
export function encodeSeries({ ids, keys }: SeriesColumn): Uint8Array {
  const planes = encodePlanes(ids, ids.length);
  const head = new DataView(new ArrayBuffer(4 + KEY_BYTES * keys.length));
  head.setUint32(0, keys.length, true);
  for (const [index, key] of keys.entries()) {
    head.setUint32(4 + KEY_BYTES * index, key % 2 ** 32, true);
    head.setUint16(8 + KEY_BYTES * index, Math.floor(key / 2 ** 32), true);
  }
  return Buffer.concat([new Uint8Array(head.buffer), planes]);
}

export function decodeSeries(bytes: Uint8Array, rows: number): SeriesColumn {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  assert(4 + KEY_BYTES * count < bytes.length, "the keys of series reach past their section");
  const keys = Float64Array.from(
    { length: count },
    (_, index) =>
      view.getUint32(4 + KEY_BYTES * index, true) +
      view.getUint16(8 + KEY_BYTES * index, true) * 2 ** 32,
  );
  const ids = decodePlanes(bytes.subarray(4 + KEY_BYTES * count), rows);
  let largest = 0;
  for (let row = 0; row < rows; row++) if (ids[row] > largest) largest = ids[row];
  assert(largest < count, "a row is of a series that is not there");
  return new SeriesColumn(ids, keys);
}
