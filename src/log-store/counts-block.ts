import { assert } from "../core/assert.ts";
import type { Block, DictColumn, TimeColumn } from "./block.ts";
import type { ColumnCache } from "./column-cache.ts";
import { decodeDeltas } from "./column-codec.ts";
import { COUNTED_COLUMNS, COUNTS_SECTION, MINUTE_NS } from "./header-counts.ts";
import type { SegmentReader } from "./segment-reader.ts";
import { SegmentDamage } from "./segment-damage.ts";

/**
 * The joint counts of a sealed block as a block of one row a cell, so that filters and group keys
 * run on it as they are. Its time is the start of the cell's minute, and each row stands for as
 * many rows of the block as its weight says.
 *
 * Pitfalls: it has the time, the counted columns, and no other.
 */
export class CountsBlock implements Block {
  readonly rows: number;
  /** How many rows of the block each row here stands for. */
  readonly weights: Uint32Array;
  readonly #segment: SegmentReader;
  readonly #columns: ReadonlyMap<string, Uint32Array>;
  readonly #minutes: Uint32Array;

  /** `cells` is column by column: minutes, the counted columns, rows. */
  constructor(segment: SegmentReader, cells: Uint32Array) {
    const names = COUNTED_COLUMNS[segment.footer.signal];
    this.rows = cells.length / (names.length + 2);
    const column = (index: number): Uint32Array =>
      cells.subarray(index * this.rows, (index + 1) * this.rows);
    this.#segment = segment;
    this.#minutes = column(0);
    this.#columns = new Map(names.map((name, index) => [name, column(index + 1)]));
    this.weights = column(names.length + 1);
  }

  u8(name: string): Uint8Array {
    return new Uint8Array(this.u32(name));
  }

  u32(name: string): Uint32Array {
    const column = this.#columns.get(name);
    assert(column !== undefined, `rows are not counted by ${name}`);
    return column;
  }

  dict(name: string): DictColumn {
    return { ids: this.u32(name), dictionary: this.#segment.dictionary(name) };
  }

  time(name: string): TimeColumn {
    assert(name === "time", `rows are not counted by ${name}`);
    const ns = new Float64Array(this.#minutes);
    for (let row = 0; row < ns.length; row++) ns[row] *= MINUTE_NS;
    return { day: new Int32Array(this.rows).fill(this.#segment.footer.day), ns };
  }

  f64(name: string): never {
    return notCounted(name);
  }

  ids(name: string): never {
    return notCounted(name);
  }

  bytes(name: string): never {
    return notCounted(name);
  }

  clauses(name: string): never {
    return notCounted(name);
  }
}

function notCounted(name: string): never {
  throw new Error(`assertion failed: rows are not counted by ${name}`);
}

/**
 * The joint counts of a block; undefined where it has none.
 *
 * Errors: `SegmentDamage`.
 */
export function readCounts(
  segment: SegmentReader,
  index: number,
  cache: ColumnCache,
): CountsBlock | undefined {
  const { sections } = segment.footer.blocks[index];
  const section = sections.find(({ name }) => name === COUNTS_SECTION);
  if (section === undefined) return undefined;
  const key = `${segment.path}#${index}/${COUNTS_SECTION}`;
  const cached = cache.get(key);
  if (cached instanceof Uint32Array) return new CountsBlock(segment, cached);
  const cells = decodeCells(segment.readSection(section));
  if (cells.length % (COUNTED_COLUMNS[segment.footer.signal].length + 2) !== 0) {
    throw new SegmentDamage(segment.path, `section ${COUNTS_SECTION} has half a cell`);
  }
  cache.set(key, cells);
  return new CountsBlock(segment, cells);
}

function decodeCells(raw: Uint8Array): Uint32Array {
  let count = 0;
  for (const byte of raw) if (byte < 0x80) count++;
  return new Uint32Array(decodeDeltas(raw, new Int32Array(count)).buffer);
}
