import { copyBytes } from "../../wire/byte-ranges.ts";
import type { ClauseDirectory } from "./clause-directory.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import type { Part, PartPlace } from "./clause-part.ts";
import { readClause, readPart } from "./clause-part.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";

/** The dictionaries of a segment's column; read when they are asked for, and cached. */
export interface ClauseDictionaries {
  templates(): ClauseTemplates;
  shapes(): ClauseShapes;
}

/** What a chunk is read for: a few rows, or a pass over all chunks of many blocks. */
export type ChunkUse = "rows" | "scan";

/** What a block's clauses are read from; each is read when it is asked for, and cached. */
export interface ClauseSource extends ClauseDictionaries {
  shapeIds(): Uint32Array;
  directory(): ClauseDirectory;
  /** A chunk, checked and decompressed. */
  chunk(index: number, use: ChunkUse): Uint8Array;
  /** Numbers made from the column, kept as the column's parts are. */
  derived(name: string, make: () => Uint32Array): Uint32Array;
}

/**
 * A clause-coded column of one sealed block: rows are put together again from their shape's
 * templates and their slots.
 */
export class ClauseColumn {
  readonly source: ClauseSource;
  readonly rows: number;

  constructor(source: ClauseSource, rows: number) {
    this.source = source;
    this.rows = rows;
  }

  /** The rows that have a template with slots, in order; a row is there as often as it has it. */
  rowsOf(template: number): Uint32Array {
    const { starts, rows } = this.occurrences();
    return rows.subarray(starts[template], starts[template + 1]);
  }

  /**
   * The same for one template, without counting those of all others: less work where a block is
   * asked for few.
   */
  rowsWith(template: number): Uint32Array {
    const shapes = this.source.shapes();
    const shapeIds = this.source.shapeIds();
    const times = new Uint8Array(shapes.count);
    for (const shape of shapes.having(template)) times[shape] += 1;
    let count = 0;
    for (let row = 0; row < this.rows; row++) count += times[shapeIds[row]];
    const rows = new Uint32Array(count);
    let end = 0;
    for (let row = 0; row < this.rows && end < count; row++) {
      for (let left = times[shapeIds[row]]; left > 0; left--) rows[end++] = row;
    }
    return rows;
  }

  /**
   * `rowsOf` or `rowsWith`, whichever is less work for a caller that asks for few templates mostly,
   * and for the same again and again.
   */
  rowsOfFew(): (template: number) => Uint32Array {
    const known = new Map<number, Uint32Array>();
    return (template) => {
      let rows = known.get(template);
      if (rows === undefined) {
        rows = known.size < TEMPLATES_FEW ? this.rowsWith(template) : this.rowsOf(template);
        known.set(template, rows);
      }
      return rows;
    };
  }

  /**
   * A part, made anew with each call: whoever needs it again keeps it. A `"scan"` reads many, and is
   * not to drive what others need out of the cache.
   */
  part(index: number, use: ChunkUse = "rows"): Part {
    return readPart(this.#place(index, use));
  }

  /** One clause of a part, as a part of its own: of those before it only the lengths are read. */
  clause(index: number, ordinal: number): Part {
    return readClause(this.#place(index, "rows"), ordinal);
  }

  #place(index: number, use: ChunkUse): PartPlace {
    const directory = this.source.directory();
    return {
      data: this.source.chunk(directory.partChunks[index], use),
      offset: directory.partOffsets[index],
      count: directory.partCounts[index],
      slots: this.source.templates().slotCounts[directory.partTemplates[index]],
      first: directory.partFirsts[index],
    };
  }

  /** Bytes of a value, about: those of its slots here, and of templates in the whole segment. */
  get meanBytes(): number {
    const { offsets } = this.source.templates();
    const shapes = this.source.shapes();
    let constants = 0;
    let rows = 0;
    for (let shape = 0; shape < shapes.count; shape++) {
      const uses = shapes.uses[shape];
      rows += uses;
      for (let index = shapes.offsets[shape]; index < shapes.offsets[shape + 1]; index++) {
        const template = shapes.templates[index];
        constants += uses * (offsets[template + 1] - offsets[template]);
      }
    }
    const slots = this.source.directory().chunkRawSizes.reduce((sum, size) => sum + size, 0);
    return constants / Math.max(rows, 1) + slots / Math.max(this.rows, 1);
  }

  occurrences(): Occurrences {
    const { source } = this;
    const starts = source.derived("starts", () => this.#countOccurrences());
    const rows = source.derived("rows", () => this.#placeOccurrences(starts));
    return { starts, rows };
  }

  #countOccurrences(): Uint32Array {
    const { slotCounts, count } = this.source.templates();
    const { templates, offsets } = this.source.shapes();
    const shapeIds = this.source.shapeIds();
    const starts = new Uint32Array(count + 1);
    for (let row = 0; row < this.rows; row++) {
      const shape = shapeIds[row];
      for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
        const template = templates[index];
        if (slotCounts[template] > 0) starts[template + 1] += 1;
      }
    }
    for (let id = 0; id < count; id++) starts[id + 1] += starts[id];
    return starts;
  }

  #placeOccurrences(starts: Uint32Array): Uint32Array {
    const { slotCounts } = this.source.templates();
    const { templates, offsets } = this.source.shapes();
    const shapeIds = this.source.shapeIds();
    const next = starts.slice();
    const rows = new Uint32Array(starts[starts.length - 1]);
    for (let row = 0; row < this.rows; row++) {
      const shape = shapeIds[row];
      for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
        const template = templates[index];
        if (slotCounts[template] > 0) rows[next[template]++] = row;
      }
    }
    return rows;
  }
}

/** To count the rows of so many templates alone takes about as long as those of all. */
const TEMPLATES_FEW = 16;

/** For each template with slots: the rows that have it, those of template `i` from `starts[i]` on. */
interface Occurrences {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** Steps to the next row's place before it is searched for. */
const NEAR = 4;

/** A reader of more rows looks up where the clauses of all templates stand. */
const ROWS_COUNTED_MAX = 8;

/** Is told of each slot of a clause. */
interface SlotSink {
  slot(start: number, end: number, mark: number): void;
}

/**
 * Puts rows of a column together, one after the other, into a buffer of its own.
 *
 * Concurrency: one for each reader; what `read` gives is valid until the next call.
 */
export class ClauseRowReader {
  readonly #target: { bytes: Uint8Array<ArrayBuffer> };
  readonly #column: ClauseColumn;
  readonly #templates: ClauseTemplates;
  readonly #shapes: ClauseShapes;
  readonly #shapeIds: Uint32Array;
  readonly #directory: ClauseDirectory;
  #occurrences: Occurrences | undefined;
  /** For each template, where the last row was found, and in which part. */
  readonly #cursors: Uint32Array;
  readonly #lastParts: (Part | undefined)[] = [];
  /** How often each shape stands before a row. */
  #before: { readonly uses: Uint32Array; row: number } | undefined;
  #lastRow = -1;
  #rowsCounted = 0;

  /** Writes to `target`, whose memory it replaces where it is too small. */
  constructor(
    column: ClauseColumn,
    target: { bytes: Uint8Array<ArrayBuffer> } = { bytes: new Uint8Array(16 * 1024) },
  ) {
    const { source } = column;
    this.#column = column;
    this.#target = target;
    this.#templates = source.templates();
    this.#shapes = source.shapes();
    this.#shapeIds = source.shapeIds();
    this.#directory = source.directory();
    this.#cursors = new Uint32Array(this.#templates.count);
  }

  /** The row's bytes are `bytes[0, end)`; of the clause at hand, see `readClause`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#target.bytes;
  }

  /** Writes the row's clauses one behind the other; returns the end. */
  read(row: number): number {
    const { offsets } = this.#shapes;
    const shape = this.#shapeIds[row];
    let end = 0;
    for (let index = offsets[shape]; index < offsets[shape + 1]; index++) {
      end = this.readClause(row, index, end);
    }
    return end;
  }

  /** Where a row's shape begins and ends in the shapes' templates. */
  shapeRange(row: number): readonly [number, number] {
    const { offsets } = this.#shapes;
    const shape = this.#shapeIds[row];
    return [offsets[shape], offsets[shape + 1]];
  }

  /**
   * Writes the clause that stands at `index` of the shapes' templates from `start` on; returns its
   * end. `slots` is told where its slots are.
   */
  readClause(row: number, index: number, start: number, slots?: SlotSink): number {
    const { bytes: source, offsets, slotCounts } = this.#templates;
    const template = this.#shapes.templates[index];
    const templateEnd = offsets[template + 1];
    let at = offsets[template];
    if (slotCounts[template] === 0) {
      this.#reserve(start + templateEnd - at);
      return copyBytes(source, at, templateEnd, this.#target.bytes, start);
    }
    const ordinal = this.#ordinal(row, index, template);
    const part = this.#partOf(template, ordinal);
    let slot = ordinal - part.first;
    let end = start;
    this.#reserve(start + templateEnd - at);
    while (at < templateEnd) {
      const byte = source[at++];
      if (byte >= MARKS_END || byte === KEY_END) {
        this.#target.bytes[end++] = byte;
        continue;
      }
      const length = part.ends[slot] - part.starts[slot];
      this.#reserve(end + length + templateEnd - at);
      const { bytes } = this.#target;
      copyBytes(part.data, part.starts[slot], part.ends[slot], bytes, end);
      slots?.slot(end, end + length, byte);
      end += length;
      slot += part.count;
    }
    return end;
  }

  /** How many clauses of its template stand before the one at `index` of the row. */
  #ordinal(row: number, index: number, template: number): number {
    let ordinal = this.#clausesBefore(row, template);
    const { templates, offsets } = this.#shapes;
    for (let before = offsets[this.#shapeIds[row]]; before < index; before++) {
      if (templates[before] === template) ordinal += 1;
    }
    return ordinal;
  }

  /** Clauses of the template in rows before. For few rows they are counted, for more looked up. */
  #clausesBefore(row: number, template: number): number {
    if (this.#occurrences === undefined) {
      if (row !== this.#lastRow) {
        this.#lastRow = row;
        this.#rowsCounted += 1;
      }
      if (this.#rowsCounted <= ROWS_COUNTED_MAX) return this.#shapesBefore(row, template);
      this.#occurrences = this.#column.occurrences();
    }
    const { starts, rows } = this.#occurrences;
    return this.#seek(rows, row, template, starts) - starts[template];
  }

  #shapesBefore(row: number, template: number): number {
    const shapeIds = this.#shapeIds;
    this.#before ??= { uses: new Uint32Array(this.#shapes.count), row: 0 };
    const { uses } = this.#before;
    for (let at = this.#before.row; at < row; at++) uses[shapeIds[at]] += 1;
    for (let at = this.#before.row - 1; at >= row; at--) uses[shapeIds[at]] -= 1;
    this.#before.row = row;
    let count = 0;
    for (const shape of this.#shapes.having(template)) count += uses[shape];
    return count;
  }

  /** The first occurrence at `row` or behind it; rows are mostly asked for one after the other. */
  #seek(rows: Uint32Array, row: number, template: number, starts: Uint32Array): number {
    let low = starts[template];
    let high = starts[template + 1];
    let at = Math.max(low, this.#cursors[template]);
    for (let step = 0; step < NEAR && at < high && rows[at] < row; step++) at += 1;
    for (let step = 0; step < NEAR && at > low && rows[at - 1] >= row; step++) at -= 1;
    const isFound = (at === high || rows[at] >= row) && (at === low || rows[at - 1] < row);
    if (!isFound) {
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (rows[middle] < row) low = middle + 1;
        else high = middle;
      }
      at = low;
    }
    this.#cursors[template] = at;
    return at;
  }

  #partOf(template: number, ordinal: number): Part {
    const last = this.#lastParts[template];
    if (last !== undefined && ordinal >= last.first && ordinal < last.first + last.count) {
      return last;
    }
    const index = this.#directory.partOf(template, ordinal);
    if (this.#occurrences === undefined) return this.#column.clause(index, ordinal);
    const part = this.#column.part(index);
    this.#lastParts[template] = part;
    return part;
  }

  #reserve(length: number): void {
    if (length <= this.#target.bytes.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.#target.bytes);
    this.#target.bytes = larger;
  }
}
