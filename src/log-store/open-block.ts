import { assert } from "../core/assert.ts";
import type { Signal } from "../core/record.ts";
import type { Block, BytesColumn, DictColumn, TimeColumn } from "./block.ts";
import { bytesColumn, PackedDictionary } from "./block.ts";
import { DictionaryBuilder } from "./dictionary-builder.ts";
import type { Column } from "./table-schema.ts";
import {
  BLOCK_COLUMN_BYTES_MAX,
  BLOCK_DICTIONARY_BYTES_MAX,
  BLOCK_ROWS_MAX,
  TABLES,
} from "./table-schema.ts";

/** Where a column's parts lie in an open block's shared memory, in bytes. */
interface Region {
  readonly column: Column;
  /** Fixed-width values; for `time` the nanoseconds; for `dict` the ids; for `bytes` the offsets. */
  readonly values: number;
  /** For `time` the days; for `dict` the entries' offsets. */
  readonly second: number;
  /** For `bytes` the data; for `dict` the entries. */
  readonly data: number;
}

interface Layout {
  readonly regions: ReadonlyMap<string, Region>;
  readonly dictionaries: readonly string[];
  readonly byteLength: number;
}

const layouts = new Map<Signal, Layout>();

function layoutOf(signal: Signal): Layout {
  const known = layouts.get(signal);
  if (known !== undefined) return known;
  let end = 0;
  const take = (bytes: number): number => {
    const start = end;
    end += Math.ceil(bytes / 8) * 8;
    return start;
  };
  const regions = new Map<string, Region>();
  for (const column of TABLES[signal]) {
    const { values, second, data } = REGION_BYTES[column.kind];
    regions.set(column.name, {
      column,
      values: take(values),
      second: take(second),
      data: take(data),
    });
  }
  const dictionaries = TABLES[signal].filter(({ kind }) => kind === "dict").map(({ name }) => name);
  const layout = { regions, dictionaries, byteLength: end };
  layouts.set(signal, layout);
  return layout;
}

const ROWS = BLOCK_ROWS_MAX;
const OFFSETS_BYTES = 4 * (ROWS + 1);
const REGION_BYTES = {
  u8: { values: ROWS, second: 0, data: 0 },
  u32: { values: 4 * ROWS, second: 0, data: 0 },
  int: { values: 8 * ROWS, second: 0, data: 0 },
  f64: { values: 8 * ROWS, second: 0, data: 0 },
  time: { values: 8 * ROWS, second: 4 * ROWS, data: 0 },
  id16: { values: 16 * ROWS, second: 0, data: 0 },
  id8: { values: 8 * ROWS, second: 0, data: 0 },
  dict: { values: 4 * ROWS, second: OFFSETS_BYTES, data: BLOCK_DICTIONARY_BYTES_MAX },
  bytes: { values: OFFSETS_BYTES, second: 0, data: BLOCK_COLUMN_BYTES_MAX },
} as const satisfies Readonly<Record<Column["kind"], Record<"values" | "second" | "data", number>>>;

/**
 * Up to `BLOCK_ROWS_MAX` rows in shared memory, all columns in one buffer.
 *
 *     rows:  0 ........ sealed ........ committed ........ rows ........ BLOCK_ROWS_MAX
 *            in segments  readers see     not yet on disk    free
 *
 * Concurrency: the receiving thread writes behind `committed` and moves the three marks; workers
 * read rows between marks that they were told in a message, which orders the memory.
 */
export class OpenBlock {
  readonly signal: Signal;
  readonly buffer: SharedArrayBuffer;
  readonly dictionaries: ReadonlyMap<string, DictionaryBuilder>;
  rows = 0;
  committed = 0;
  sealed = 0;
  /** When the first row that is not sealed was appended; for the seal's deadline. */
  openedMs = 0;
  /** Snapshots that read this block; it may be used anew only at 0. */
  readers = 0;

  /** Offsets of each `bytes` column: asked for with every request, so made once. */
  readonly #dataOffsets: readonly Uint32Array[];

  constructor(signal: Signal) {
    const layout = layoutOf(signal);
    this.signal = signal;
    this.buffer = new SharedArrayBuffer(layout.byteLength);
    this.#dataOffsets = [...layout.regions.values()]
      .filter(({ column }) => column.kind === "bytes")
      .map(({ values }) => new Uint32Array(this.buffer, values, ROWS + 1));
    this.dictionaries = new Map(
      layout.dictionaries.map((name) => {
        const { data, offsets } = this.dictionaryArrays(name);
        return [name, new DictionaryBuilder(data, offsets)];
      }),
    );
  }

  /** Makes the block empty, to be filled anew. */
  reset(): void {
    this.rows = 0;
    this.committed = 0;
    this.sealed = 0;
    for (const dictionary of this.dictionaries.values()) dictionary.clear();
  }

  /** Bytes that its `bytes` columns hold. */
  dataBytes(): number {
    let total = 0;
    for (const offsets of this.#dataOffsets) total += offsets[this.rows];
    return total;
  }

  /** The number of a row. */
  seqAt(row: number): number {
    return new Float64Array(this.buffer, regionOf(this.signal, "seq").values, ROWS)[row];
  }

  dictionaryArrays(name: string): { readonly data: Uint8Array; readonly offsets: Uint32Array } {
    const region = regionOf(this.signal, name);
    return {
      data: new Uint8Array(this.buffer, region.data, BLOCK_DICTIONARY_BYTES_MAX),
      offsets: new Uint32Array(this.buffer, region.second, ROWS + 1),
    };
  }

  /** The rows `[from, to)` as a message that another thread can read. */
  slice(from: number, to: number): OpenBlockSlice {
    const dictionaryCounts = [...this.dictionaries.values()].map(({ count }) => count);
    return { signal: this.signal, buffer: this.buffer, from, to, dictionaryCounts };
  }
}

/** The builder of a `dict` column's entries. */
export function dictionaryOf(block: OpenBlock, name: string): DictionaryBuilder {
  const dictionary = block.dictionaries.get(name);
  assert(dictionary !== undefined, `table ${block.signal} has no dictionary ${name}`);
  return dictionary;
}

/** Rows of an open block as they cross to a worker. */
export interface OpenBlockSlice {
  readonly signal: Signal;
  readonly buffer: SharedArrayBuffer;
  readonly from: number;
  readonly to: number;
  /** Entries of each dictionary, in the order of the table's columns. */
  readonly dictionaryCounts: readonly number[];
}

function regionOf(signal: Signal, name: string): Region {
  const region = layoutOf(signal).regions.get(name);
  assert(region !== undefined, `table ${signal} has no column ${name}`);
  return region;
}

/** Reads (and, for the appenders, writes) the rows of a slice in place. */
export class OpenBlockReader implements Block {
  readonly rows: number;
  readonly #slice: OpenBlockSlice;
  readonly #dictColumns = new Map<string, DictColumn>();

  constructor(slice: OpenBlockSlice) {
    this.#slice = slice;
    this.rows = slice.to - slice.from;
  }

  u8(name: string): Uint8Array {
    return new Uint8Array(this.#slice.buffer, this.#values(name, 1), this.rows);
  }

  u32(name: string): Uint32Array {
    return new Uint32Array(this.#slice.buffer, this.#values(name, 4), this.rows);
  }

  f64(name: string): Float64Array {
    return new Float64Array(this.#slice.buffer, this.#values(name, 8), this.rows);
  }

  time(name: string): TimeColumn {
    const { buffer, from } = this.#slice;
    const second = regionOf(this.#slice.signal, name).second;
    return { day: new Int32Array(buffer, second + 4 * from, this.rows), ns: this.f64(name) };
  }

  ids(name: string): Uint8Array {
    const width = regionOf(this.#slice.signal, name).column.kind === "id16" ? 16 : 8;
    return new Uint8Array(this.#slice.buffer, this.#values(name, width), this.rows * width);
  }

  dict(name: string): DictColumn {
    const known = this.#dictColumns.get(name);
    if (known !== undefined) return known;
    const { buffer, signal, dictionaryCounts } = this.#slice;
    const count = dictionaryCounts[layoutOf(signal).dictionaries.indexOf(name)] ?? 0;
    const region = regionOf(signal, name);
    const offsets = new Uint32Array(buffer, region.second, ROWS + 1);
    const data = new Uint8Array(buffer, region.data, BLOCK_DICTIONARY_BYTES_MAX);
    const dictionary = new PackedDictionary(bytesColumn(data, offsets, 0, count), count);
    const column = { ids: this.u32(name), dictionary };
    this.#dictColumns.set(name, column);
    return column;
  }

  bytes(name: string): BytesColumn {
    const { buffer, signal, from, to } = this.#slice;
    const region = regionOf(signal, name);
    const data = new Uint8Array(buffer, region.data, BLOCK_COLUMN_BYTES_MAX);
    return bytesColumn(data, new Uint32Array(buffer, region.values, ROWS + 1), from, to);
  }

  clauses(): undefined {
    return undefined;
  }

  /** All offsets of a `bytes` column, for its appender. */
  offsets(name: string): Uint32Array {
    const region = regionOf(this.#slice.signal, name);
    return new Uint32Array(this.#slice.buffer, region.values, ROWS + 1);
  }

  #values(name: string, width: number): number {
    return regionOf(this.#slice.signal, name).values + width * this.#slice.from;
  }
}
