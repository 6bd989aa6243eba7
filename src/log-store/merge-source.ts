import type { Block, BytesColumn, DictColumn, TimeColumn } from "./block.ts";
import type { ClauseColumn } from "./clauses/clause-column.ts";
import type { ColumnCache } from "./column-cache.ts";
import type { SeriesColumn } from "./points/series-column.ts";
import { SegmentReader } from "./segment-reader.ts";

/**
 * The blocks of a merge's sources. A block that was read keeps what it decoded; here it is opened
 * when it is first asked for, and let go when the merge has passed it, so that no more are in
 * memory than take part in the block that is being made.
 *
 * Errors: `SegmentDamage`, at any time a block is read.
 */
export class MergeSources {
  readonly #cache: ColumnCache;
  readonly #open = new Map<SourceBlock, SegmentReader>();
  readonly #touched = new Set<SourceBlock>();

  constructor(cache: ColumnCache) {
    this.#cache = cache;
  }

  /** The blocks of a segment, and the position of its seal. */
  add(path: string): { readonly blocks: readonly Block[]; readonly position: number } {
    const reader = new SegmentReader(path);
    reader.close();
    const { blocks, seal } = reader.footer;
    return {
      blocks: blocks.map(({ rows }, index) => new SourceBlock(this, { path, index, rows })),
      position: seal.position,
    };
  }

  /** The block as it is in the file. */
  blockOf(source: SourceBlock): Block {
    this.#touched.add(source);
    let reader = this.#open.get(source);
    if (reader === undefined) {
      reader = new SegmentReader(source.path);
      this.#open.set(source, reader);
    }
    return reader.block(source.index, this.#cache);
  }

  /** Reads from a block that is not needed again for now. */
  once<T>(source: SourceBlock, read: (block: Block) => T): T {
    if (this.#open.has(source)) return read(this.blockOf(source));
    const reader = new SegmentReader(source.path);
    try {
      return read(reader.block(source.index, this.#cache));
    } finally {
      reader.close();
    }
  }

  /** Between two blocks of the result: lets go of what the last one did not need. */
  trim(): void {
    if (this.#touched.size === 0) return;
    for (const [source, reader] of this.#open) {
      if (this.#touched.has(source)) continue;
      this.#open.delete(source);
      reader.close();
    }
    this.#touched.clear();
  }

  close(): void {
    for (const reader of this.#open.values()) reader.close();
    this.#open.clear();
  }
}

class SourceBlock implements Block {
  readonly rows: number;
  readonly path: string;
  readonly index: number;
  readonly #sources: MergeSources;

  constructor(
    sources: MergeSources,
    place: { readonly path: string; readonly index: number; readonly rows: number },
  ) {
    this.#sources = sources;
    this.path = place.path;
    this.index = place.index;
    this.rows = place.rows;
  }

  get #block(): Block {
    return this.#sources.blockOf(this);
  }

  u8(name: string): Uint8Array {
    return this.#block.u8(name);
  }

  u32(name: string): Uint32Array {
    return this.#block.u32(name);
  }

  f64(name: string): Float64Array {
    return this.#block.f64(name);
  }

  /** The order of all rows is made of the times of all blocks, before any is merged. */
  time(name: string): TimeColumn {
    return this.#sources.once(this, (block) => block.time(name));
  }

  ids(name: string): Uint8Array {
    return this.#block.ids(name);
  }

  dict(name: string): DictColumn {
    return this.#block.dict(name);
  }

  bytes(name: string): BytesColumn {
    return this.#block.bytes(name);
  }

  series(): SeriesColumn | undefined {
    return this.#block.series?.();
  }

  clauses(name: string): ClauseColumn | undefined {
    return this.#block.clauses(name);
  }
}
