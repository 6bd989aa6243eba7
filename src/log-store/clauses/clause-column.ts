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

/** A reader that has read so many clauses alone will want more of each part. */
const ALONE_MAX = 256;

/** To count the rows of so many templates alone takes about as long as those of all. */
const TEMPLATES_FEW = 16;

/** For each template with slots: the rows that have it, those of template `i` from `starts[i]` on. */
interface Occurrences {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

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
  /** How many clauses each template has in rows before `#row`. */
  #before: Uint32Array | undefined;
  #row = 0;
  /** For each template, the part of the last clause, once two of it were asked for. */
  readonly #lastParts: (Part | undefined)[] = [];
  /** For each template, the part that was last asked for, and one more. */
  readonly #lastAsked: Uint32Array;
  /** Clauses that were read alone. */
  #aloneCount = 0;
  /** Where the clause stands that was last looked up: see `locate`. */
  part: Part | undefined;
  clause = 0;

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
    this.#lastAsked = new Uint32Array(this.#templates.count);
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
    const { data, starts, ends, count } = this.locate(row, index);
    let slot = this.clause;
    let size = templateEnd - at;
    for (let each = slot; each < starts.length; each += count) size += ends[each] - starts[each];
    this.#reserve(start + size);
    const { bytes } = this.#target;
    let end = start;
    while (at < templateEnd) {
      const byte = source[at++];
      if (byte >= MARKS_END || byte === KEY_END) {
        bytes[end++] = byte;
        continue;
      }
      const slotStart = end;
      end = copyBytes(data, starts[slot], ends[slot], bytes, end);
      slots?.slot(slotStart, end, byte);
      slot += count;
    }
    return end;
  }

  /**
   * Finds the clause that stands at `index` of the shapes' templates, which has slots. Slot `s` of it
   * is slot `s` of clause `this.clause` in the part.
   */
  locate(row: number, index: number): Part {
    const { templates, offsets } = this.#shapes;
    const template = templates[index];
    let ordinal = this.#clausesBefore(row)[template];
    for (let before = offsets[this.#shapeIds[row]]; before < index; before++) {
      if (templates[before] === template) ordinal += 1;
    }
    const part = this.#partOf(template, ordinal);
    this.part = part;
    this.clause = ordinal - part.first;
    return part;
  }

  /**
   * Of each template with slots, how many clauses stand in rows before: counted on from the row that
   * was asked for last, or from the nearer end, so rows are best asked for one after the other.
   */
  #clausesBefore(row: number): Uint32Array {
    let before = this.#before;
    const isFirst = before === undefined;
    before ??= new Uint32Array(this.#templates.count);
    if (row === this.#row && !isFirst) return before;
    const { rows } = this.#column;
    const distance = isFirst ? Infinity : Math.abs(row - this.#row);
    if (row <= distance && row <= rows - row) {
      before.fill(0);
      this.#row = 0;
    } else if (rows - row < distance) {
      this.#directory.countClauses(before);
      this.#row = rows;
    }
    this.#count(before, this.#row, row, 1);
    this.#count(before, row, this.#row, -1);
    this.#before = before;
    this.#row = row;
    return before;
  }

  /** Adds the clauses of rows `from` to `to`, or takes them away. */
  #count(before: Uint32Array, from: number, to: number, sign: 1 | -1): void {
    const { count } = this.#shapes;
    const shapeIds = this.#shapeIds;
    if (to - from < count) {
      for (let row = from; row < to; row++) this.#addShape(before, shapeIds[row], sign);
      return;
    }
    // Of many rows each shape is added once.
    const uses = new Uint32Array(count);
    for (let row = from; row < to; row++) uses[shapeIds[row]] += 1;
    for (let shape = 0; shape < count; shape++) {
      if (uses[shape] > 0) this.#addShape(before, shape, sign * uses[shape]);
    }
  }

  #addShape(before: Uint32Array, shape: number, times: number): void {
    const { templates, offsets } = this.#shapes;
    const end = offsets[shape + 1];
    for (let index = offsets[shape]; index < end; index++) before[templates[index]] += times;
  }

  #partOf(template: number, ordinal: number): Part {
    const last = this.#lastParts[template];
    if (last !== undefined && ordinal >= last.first && ordinal < last.first + last.count) {
      return last;
    }
    const index = this.#directory.partOf(template, ordinal);
    if (this.#lastAsked[template] !== index + 1 && this.#aloneCount < ALONE_MAX) {
      // One clause alone is found without keeping where the others are.
      this.#aloneCount += 1;
      this.#lastAsked[template] = index + 1;
      return this.#column.clause(index, ordinal);
    }
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
