import type { ClauseColumn } from "./clauses/clause-column.ts";
import type { PointParts } from "./points/point-values.ts";
import type { SeriesColumn } from "./points/series-column.ts";

/**
 * How readers see a block of rows, whether it is still open or sealed on disk. Rows are numbered
 * from 0 to `rows - 1` in every column.
 *
 * Pitfalls: columns are views of memory that the block owns; do not keep them past the block.
 */
export interface Block {
  readonly rows: number;
  u8(name: string): Uint8Array;
  u32(name: string): Uint32Array;
  /** Columns of kind `int` and `f64`. */
  f64(name: string): Float64Array;
  time(name: string): TimeColumn;
  /** Columns of kind `id16` and `id8`: `rows` times the width. */
  ids(name: string): Uint8Array;
  /** The rows of a trace, ascending, where trace ids have an index; else undefined. */
  traceRows?(id: Uint8Array): readonly number[] | undefined;
  /** A row's trace id where `traceRows` has just been asked for it: the others need not be read. */
  knownTraceId?(row: number): Uint8Array | undefined;
  /** What orders these rows, which ascend, where that need not take whole columns; else undefined. */
  keysOf?(rows: Uint32Array): RowKeys | undefined;
  dict(name: string): DictColumn;
  bytes(name: string): BytesColumn;
  /** The series of points, where they are on disk by series. */
  series?(): SeriesColumn | undefined;
  /** As `dict`, with an id for each of these series; undefined for columns that differ within one. */
  seriesDict?(name: string): DictColumn | undefined;
  /** The columns `value` and `rest`, where they are on disk by series. */
  points?(): PointParts | undefined;
  /** The same column as clauses, where it is on disk so; else undefined. */
  clauses(name: string): ClauseColumn | undefined;
}

export interface TimeColumn {
  readonly day: Int32Array;
  readonly ns: Float64Array;
}

/** What tells a row's place in the answers of searches. */
export interface RowKey {
  readonly day: number;
  readonly ns: number;
  readonly seq: number;
}

/** The keys of some rows, one behind the other. */
export interface RowKeys {
  readonly day: Int32Array;
  readonly ns: Float64Array;
  readonly seq: Float64Array;
}

export interface DictColumn {
  readonly ids: Uint32Array;
  readonly dictionary: Dictionary;
}

/** Byte strings by id. Lives as long as what shares it (a segment, an open block's snapshot). */
export interface Dictionary {
  readonly count: number;
  entry(id: number): Uint8Array;
}

/** Row `i` is `data[starts[i], ends[i])`. Rows stand in order and without gaps. */
export interface BytesColumn {
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** One value for each owner (a block, a dictionary), made on first use and dropped with it. */
export class PerOwner<Owner extends object, T> {
  readonly #values = new WeakMap<Owner, T>();
  readonly #make: (owner: Owner) => T;

  constructor(make: (owner: Owner) => T) {
    this.#make = make;
  }

  of(owner: Owner): T {
    const known = this.#values.get(owner);
    if (known !== undefined) return known;
    const value = this.#make(owner);
    this.#values.set(owner, value);
    return value;
  }
}

/** A dictionary whose entries stand in one buffer. */
export class PackedDictionary implements Dictionary {
  readonly count: number;
  readonly #entries: BytesColumn;

  constructor(entries: BytesColumn, count: number) {
    this.#entries = entries;
    this.count = count;
  }

  entry(id: number): Uint8Array {
    return this.#entries.data.subarray(this.#entries.starts[id], this.#entries.ends[id]);
  }
}

/** A bytes column over `offsets`, where row `i` is `data[offsets[i], offsets[i + 1])`. */
export function bytesColumn(
  data: Uint8Array,
  offsets: Uint32Array,
  from: number,
  to: number,
): BytesColumn {
  return { data, starts: offsets.subarray(from, to), ends: offsets.subarray(from + 1, to + 1) };
}
