import type { Signal } from "../core/record.ts";
import { encodeDeltas } from "./column-codec.ts";
import type { GatheredRows, MergedDictionary } from "./row-order.ts";
import { BLOCK_ROWS_MAX } from "./table-schema.ts";

/**
 * Joint counts of a block: how many rows there are for each (minute of the day, and what they have
 * in a few columns). A cell is one such combination that occurs; a minute of a dozen nodes makes a
 * few dozen cells of a thousand rows. Grouping and counting by these read no rows.
 *
 * The section `counts` holds the cells column by column, ordered as they are named: minute, the
 * columns, and the rows of each cell; all of it as deltas. A block whose rows have too little in
 * common to be worth counting has no such section and is scanned.
 */
export const COUNTS_SECTION = "counts";

/** The columns that are counted together. Those of kind `dict` by their id in the segment. */
export const COUNTED_COLUMNS: Readonly<Record<Signal, readonly string[]>> = {
  logs: ["severity", "resource"],
  traces: ["status_code", "resource", "name"],
  metrics: ["resource", "metric"],
};

export const MINUTE_NS = 60_000_000_000;

/** A block of more cells than this share of its rows is faster scanned. */
const CELLS_PER_ROW_MAX = 1 / 8;

/** The joint counts of a block's rows; undefined where they have too many cells. */
export function encodeCounts(
  signal: Signal,
  rows: GatheredRows,
  dictionaries: ReadonlyMap<string, MergedDictionary>,
): Uint8Array | undefined {
  const { ns } = rows.time("time");
  const keys = rowKeys.subarray(0, rows.count);
  for (let row = 0; row < keys.length; row++) keys[row] = Math.floor(ns[row] / MINUTE_NS);
  const radixes: number[] = [];
  let keyMax = MINUTES_PER_DAY;
  for (const name of COUNTED_COLUMNS[signal]) {
    const dictionary = dictionaries.get(name);
    const codes = dictionary === undefined ? rows.u8(name) : rows.dictIds(name, dictionary);
    const radix = largest(codes) + 1;
    keyMax *= radix;
    if (keyMax > Number.MAX_SAFE_INTEGER) return undefined;
    for (let row = 0; row < keys.length; row++) keys[row] = keys[row] * radix + codes[row];
    radixes.push(radix);
  }
  cells.clear();
  const cellsMax = Math.floor(keys.length * CELLS_PER_ROW_MAX);
  return cells.count(keys, cellsMax) ? encodeCells(cells.sorted(), radixes) : undefined;
}

const MINUTES_PER_DAY = 1440;

function largest(codes: Uint8Array | Uint32Array): number {
  let max = 0;
  for (let row = 0; row < codes.length; row++) if (codes[row] > max) max = codes[row];
  return max;
}

/** Takes each key apart into its minute and its codes, and writes them column by column. */
function encodeCells(
  { keys, rows }: { readonly keys: Float64Array; readonly rows: Uint32Array },
  radixes: readonly number[],
): Uint8Array {
  const count = keys.length;
  const numbers = new Float64Array(count * (radixes.length + 2));
  for (let column = radixes.length; column > 0; column--) {
    const radix = radixes[column - 1];
    for (let cell = 0; cell < count; cell++) {
      numbers[column * count + cell] = keys[cell] % radix;
      keys[cell] = Math.floor(keys[cell] / radix);
    }
  }
  numbers.set(keys, 0);
  numbers.set(rows, (radixes.length + 1) * count);
  return encodeDeltas(numbers);
}

/**
 * Counts keys: a hash table in typed arrays, open addressing.
 *
 * Limits: keys are whole, from 0 to 2^53; at most half of its slots are ever used.
 */
class CellTable {
  readonly #slotBits: number;
  readonly #keys: Float64Array;
  /** 0 is a free slot. */
  readonly #rows: Uint32Array;
  #used = 0;

  constructor(cellsMax: number) {
    this.#slotBits = Math.ceil(Math.log2(cellsMax * 2));
    this.#keys = new Float64Array(2 ** this.#slotBits);
    this.#rows = new Uint32Array(2 ** this.#slotBits);
  }

  clear(): void {
    this.#rows.fill(0);
    this.#used = 0;
  }

  /** Counts all keys; false, and stops, where there are more than `cellsMax` different ones. */
  count(keys: Float64Array, cellsMax: number): boolean {
    for (let index = 0; index < keys.length; index++) {
      const slot = this.#slotOf(keys[index]);
      if (this.#rows[slot]++ > 0) continue;
      this.#keys[slot] = keys[index];
      if (++this.#used > cellsMax) return false;
    }
    return true;
  }

  /** Where a key stands, or would stand. */
  #slotOf(key: number): number {
    const mixed = Math.imul((key | 0) ^ Math.imul((key / 2 ** 32) | 0, HASH), HASH);
    let slot = mixed >>> (32 - this.#slotBits);
    while (this.#rows[slot] !== 0 && this.#keys[slot] !== key) {
      slot = (slot + 1) & (this.#rows.length - 1);
    }
    return slot;
  }

  sorted(): { readonly keys: Float64Array; readonly rows: Uint32Array } {
    const keys = new Float64Array(this.#used);
    let end = 0;
    for (let slot = 0; slot < this.#rows.length; slot++) {
      if (this.#rows[slot] !== 0) keys[end++] = this.#keys[slot];
    }
    keys.sort();
    return { keys, rows: Uint32Array.from(keys, (key) => this.#rows[this.#slotOf(key)]) };
  }
}

/** The odd number nearest to 2^32 divided by the golden ratio: multiplying spreads neighbours. */
const HASH = 0x9e37_79b1;

/** Sealing is synchronous, so one for each thread does. */
const rowKeys = new Float64Array(BLOCK_ROWS_MAX);
const cells = new CellTable(BLOCK_ROWS_MAX * CELLS_PER_ROW_MAX);
