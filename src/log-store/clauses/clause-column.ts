import { assert } from "../../core/assert.ts";
import { copyBytes } from "../../wire/byte-ranges.ts";
import type { ClauseDirectory } from "./clause-directory.ts";
import type { ClauseShapes, ClauseTemplates } from "./clause-dictionary.ts";
import { EQUAL_LENGTHS } from "./clause-encoder.ts";
import { KEY_END, MARKS_END } from "./clause-marks.ts";

/** The dictionaries of a segment's column; read when they are asked for, and cached. */
export interface ClauseDictionaries {
  templates(): ClauseTemplates;
  shapes(): ClauseShapes;
}

/** What a block's clauses are read from; each is read when it is asked for, and cached. */
export interface ClauseSource extends ClauseDictionaries {
  shapeIds(): Uint32Array;
  directory(): ClauseDirectory;
  /** A chunk, checked and decompressed. */
  chunk(index: number): Uint8Array;
  /** Numbers made from the column, kept as the column's parts are. */
  derived(name: string, make: () => Uint32Array): Uint32Array;
}

/** A part of a chunk: slot `s` of its clause `i` is `data[starts[s * count + i], ends[…])`. */
export interface Part {
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
  /** Clauses of the template before this part. */
  readonly first: number;
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

  /** A part, made anew with each call: whoever needs it again keeps it. */
  part(index: number): Part {
    const directory = this.source.directory();
    const chunk = directory.partChunks[index];
    const data = this.source.chunk(chunk);
    const count = directory.partCounts[index];
    const slots = this.source.templates().slotCounts[directory.partTemplates[index]];
    const starts = new Uint32Array(slots * count);
    const ends = new Uint32Array(slots * count);
    let at = directory.partOffsets[index];
    for (let slot = 0; slot < slots; slot++) at = readSlot(data, at, { starts, ends, slot, count });
    assert(at <= data.length, "a part reaches past its chunk");
    return { data, starts, ends, count, first: directory.partFirsts[index] };
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

/** For each template with slots: the rows that have it, those of template `i` from `starts[i]` on. */
interface Occurrences {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

/** Reads one slot's lengths; returns the slot's end in the chunk. */
function readSlot(
  data: Uint8Array,
  start: number,
  part: {
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
    readonly slot: number;
    readonly count: number;
  },
): number {
  const { starts, ends, slot, count } = part;
  const first = slot * count;
  const isEqual = data[start] === EQUAL_LENGTHS;
  let at = start + 1;
  for (let index = 0; index < (isEqual ? 1 : count); index++) {
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = data[at++];
      length |= (byte & 0x7f) << shift;
      if (!(byte >= 0x80)) break;
      shift += 7;
    }
    ends[first + index] = length;
  }
  if (isEqual) ends.fill(ends[first], first, first + count);
  for (let index = first; index < first + count; index++) {
    starts[index] = at;
    at += ends[index];
    ends[index] = at;
  }
  return at;
}

/** Steps to the next row's place before it is searched for. */
const NEAR = 4;

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
    this.#occurrences ??= this.#column.occurrences();
    const { starts, rows } = this.#occurrences;
    const first = this.#seek(rows, row, template, starts);
    let ordinal = first - starts[template];
    const { templates, offsets } = this.#shapes;
    for (let before = offsets[this.#shapeIds[row]]; before < index; before++) {
      if (templates[before] === template) ordinal += 1;
    }
    return ordinal;
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
    const part = this.#column.part(this.#directory.partOf(template, ordinal));
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
