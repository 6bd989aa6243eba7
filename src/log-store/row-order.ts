import { copyBytes } from "../wire/byte-ranges.ts";
import type { Block, Dictionary, TimeColumn } from "./block.ts";
import type { ClauseColumn } from "./clauses/clause-column.ts";
import { seriesKeysOf } from "./points/series-keys.ts";
import { Scratch } from "./scratch.ts";
import { compareTimes, permute, timeOrder } from "./time-order.ts";

/**
 * All rows of the slices, ordered by (day, time, seq).
 *
 * Shape: the blocks stand in the order of their rows' numbers, which break ties of time; a block's
 *        own rows too where their times are equal.
 * Cost:  18 bytes a row, twice that while rows are sorted; of a block it reads the time alone.
 */
export class RowOrder {
  readonly blocks: readonly Block[];
  /** Which slice, and which row in it. */
  readonly slice: Uint16Array;
  readonly row: Uint32Array;
  readonly #day: Int32Array;
  readonly #ns: Float64Array;

  constructor(blocks: readonly Block[]) {
    this.blocks = blocks;
    const count = blocks.reduce((sum, { rows }) => sum + rows, 0);
    this.slice = new Uint16Array(count);
    this.row = new Uint32Array(count);
    this.#day = new Int32Array(count);
    this.#ns = new Float64Array(count);
    let end = 0;
    for (const [slice, block] of blocks.entries()) {
      const time = block.time("time");
      for (let row = 0; row < block.rows; row++, end++) {
        this.slice[end] = slice;
        this.row[end] = row;
        this.#day[end] = time.day[row];
        this.#ns[end] = time.ns[row];
      }
    }
    if (!this.#isSorted()) this.#sort();
  }

  #isSorted(): boolean {
    for (let index = 1; index < this.row.length; index++) {
      const byTime = compareTimes(
        this.#day[index - 1],
        this.#ns[index - 1],
        this.#day[index],
        this.#ns[index],
      );
      if (byTime > 0) return false;
    }
    return true;
  }

  /** Rows arrive by number, so a stable sort by time gives the order (day, time, seq). */
  #sort(): void {
    const order = timeOrder(this.#day, this.#ns);
    permute(this.slice, order);
    permute(this.row, order);
    permute(this.#day, order);
    permute(this.#ns, order);
  }

  /** The days, in order, and where each one's rows stand. */
  days(): readonly { readonly day: number; readonly from: number; readonly to: number }[] {
    const days: { day: number; from: number; to: number }[] = [];
    for (let index = 0; index < this.#day.length; index++) {
      const last = days[days.length - 1];
      if (last !== undefined && last.day === this.#day[index]) last.to = index + 1;
      else days.push({ day: this.#day[index], from: index, to: index + 1 });
    }
    return days;
  }

  /** The slices that have rows in `[from, to)`, in the order in which they appear. */
  slicesOf(from: number, to: number): readonly number[] {
    const slices: number[] = [];
    const isKnown = new Uint8Array(this.blocks.length);
    for (let index = from; index < to; index++) {
      const slice = this.slice[index];
      if (isKnown[slice] === 1) continue;
      isKnown[slice] = 1;
      slices.push(slice);
    }
    return slices;
  }

  /**
   * How far a `bytes` column's rows from `from` fit into `bytesMax`; at least one row does. Rows
   * that are kept as clauses count with their block's mean.
   */
  fit(name: string, from: number, to: number, bytesMax: number): number {
    const sizes: ((row: number) => number)[] = [];
    for (const slice of this.slicesOf(from, to)) sizes[slice] = sizesOf(this.blocks[slice], name);
    let bytes = 0;
    for (let index = from; index < to; index++) {
      bytes += sizes[this.slice[index]](this.row[index]);
      if (bytes > bytesMax) return Math.max(index, from + 1);
    }
    return to;
  }

  gather(from: number, to: number): GatheredRows {
    return new GatheredRows(this, from, to);
  }
}

function sizesOf(block: Block, name: string): (row: number) => number {
  const mean = block.clauses(name)?.meanBytes;
  if (mean !== undefined) return () => mean;
  const { starts, ends } = block.bytes(name);
  return (row) => ends[row] - starts[row];
}

/** Sealing and merging are synchronous between two blocks, so one for each thread does. */
const scratch = new Scratch();

/**
 * Copies columns of the rows `[from, to)` of an order together. Blocks that have no row there are
 * not touched.
 *
 * Pitfalls: what it gives stands in `Scratch`: use it before the next column is asked for.
 */
export class GatheredRows {
  readonly count: number;
  readonly #order: RowOrder;
  readonly #from: number;
  readonly #slices: readonly number[];

  constructor(order: RowOrder, from: number, to: number) {
    this.#order = order;
    this.#from = from;
    this.#slices = order.slicesOf(from, to);
    this.count = to - from;
  }

  /** A column of each block that has rows here, by slice. */
  #sources<T>(of: (block: Block) => T): readonly T[] {
    const sources: T[] = [];
    for (const slice of this.#slices) sources[slice] = of(this.#order.blocks[slice]);
    return sources;
  }

  u8(name: string): Uint8Array {
    const sources = this.#sources((block) => block.u8(name));
    return this.#fixed(sources, scratch.u8(this.count));
  }

  u32(name: string): Uint32Array {
    const sources = this.#sources((block) => block.u32(name));
    return this.#fixed(sources, scratch.u32(this.count));
  }

  numbers(name: string): Float64Array {
    const sources = this.#sources((block) => block.f64(name));
    return this.#fixed(sources, scratch.f64(this.count));
  }

  time(name: string): TimeColumn {
    const sources = this.#sources((block) => block.time(name));
    return {
      day: this.#fixed(
        sources.map(({ day }) => day),
        scratch.i32(this.count),
      ),
      ns: this.#fixed(
        sources.map(({ ns }) => ns),
        scratch.f64(this.count),
      ),
    };
  }

  #fixed<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(
    sources: readonly T[],
    target: T,
  ): T {
    const { slice, row } = this.#order;
    for (let index = 0; index < this.count; index++) {
      target[index] = sources[slice[this.#from + index]][row[this.#from + index]];
    }
    return target;
  }

  ids(name: string, width: number): Uint8Array {
    const sources = this.#sources((block) => block.ids(name));
    const target = scratch.u8(this.count * width);
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const offset = this.#order.row[this.#from + index] * width;
      for (let byte = 0; byte < width; byte++) target[index * width + byte] = source[offset + byte];
    }
    return target;
  }

  dictIds(name: string, merged: MergedDictionary | undefined): Uint32Array {
    const sources = this.#sources((block) => block.dict(name).ids);
    const target = scratch.u32(this.count);
    for (let index = 0; index < this.count; index++) {
      const slice = this.#order.slice[this.#from + index];
      const id = sources[slice][this.#order.row[this.#from + index]];
      target[index] = merged?.idOf(slice, id) ?? 0;
    }
    return target;
  }

  /** By slice: the columns of clauses that the rows stand in; undefined where one is kept otherwise. */
  clauses(name: string): readonly ClauseColumn[] | undefined {
    const columns: ClauseColumn[] = [];
    for (const slice of this.#slices) {
      const column = this.#order.blocks[slice].clauses(name);
      if (column === undefined) return undefined;
      columns[slice] = column;
    }
    return columns;
  }

  /** What tells the series of each point apart. */
  seriesKeys(): Float64Array {
    const sources = this.#sources(seriesKeysOf);
    const keys = new Float64Array(this.count);
    for (let index = 0; index < this.count; index++) {
      const { slice, row } = this.placeOf(index);
      keys[index] = sources[slice](row);
    }
    return keys;
  }

  /** Where a row comes from. */
  placeOf(index: number): { readonly slice: number; readonly row: number } {
    const { slice, row } = this.#order;
    return { slice: slice[this.#from + index], row: row[this.#from + index] };
  }

  bytes(name: string): { readonly lengths: Uint32Array; readonly data: Uint8Array } {
    const sources = this.#sources((block) => block.bytes(name));
    const lengths = scratch.u32(this.count);
    let total = 0;
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const row = this.#order.row[this.#from + index];
      lengths[index] = source.ends[row] - source.starts[row];
      total += lengths[index];
    }
    const data = scratch.u8(total);
    let end = 0;
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const row = this.#order.row[this.#from + index];
      end = copyBytes(source.data, source.starts[row], source.ends[row], data, end);
    }
    return { lengths, data };
  }
}

const UNMAPPED = 0xffff_ffff;

/** One dictionary for a whole segment, of the entries that its rows use. */
export class MergedDictionary {
  readonly entries: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  readonly #name: string;
  readonly #blocks: readonly Block[];
  /** Per slice: its dictionary, with each old id's new one. Blocks of one segment share theirs. */
  readonly #slices: MappedDictionary[] = [];
  readonly #mapped = new Map<Dictionary, MappedDictionary>();

  constructor(name: string, rows: RowOrder) {
    this.#name = name;
    this.#blocks = rows.blocks;
  }

  idOf(slice: number, id: number): number {
    const { newIds } = (this.#slices[slice] ??= this.#open(slice));
    const mapped = newIds[id];
    return mapped === UNMAPPED ? this.#map(slice, id) : mapped;
  }

  #open(slice: number): MappedDictionary {
    const { dictionary } = this.#blocks[slice].dict(this.#name);
    const known = this.#mapped.get(dictionary);
    if (known !== undefined) return known;
    const newIds = new Uint32Array(dictionary.count).fill(UNMAPPED);
    const opened = { dictionary, newIds };
    this.#mapped.set(dictionary, opened);
    return opened;
  }

  #map(slice: number, id: number): number {
    const { dictionary, newIds } = this.#slices[slice];
    const entry = dictionary.entry(id);
    const key = Buffer.from(entry).toString("latin1");
    const known = this.#ids.get(key);
    const mapped = known ?? this.entries.push(entry) - 1;
    this.#ids.set(key, mapped);
    newIds[id] = mapped;
    return mapped;
  }
}

interface MappedDictionary {
  readonly dictionary: Dictionary;
  readonly newIds: Uint32Array;
}
