import { constants, crc32, zstdCompressSync } from "node:zlib";
import type { Signal } from "../core/record.ts";
import type { Block, TimeColumn } from "./block.ts";
import { encodeDeltas, encodeLengths } from "./column-codec.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import { OpenBlockReader } from "./open-block.ts";
import type { BlockHeader, SealInfo, Section, SegmentFooter } from "./segment-format.ts";
import { SEGMENT_MAGIC, SEGMENT_TRAILER_BYTES, SEGMENT_VERSION } from "./segment-format.ts";
import type { Column } from "./table-schema.ts";
import { BLOCK_COLUMN_BYTES_MAX, BLOCK_ROWS_MAX, TABLES } from "./table-schema.ts";

/** A segment as it goes to disk. */
export interface EncodedSegment {
  readonly day: number;
  readonly footer: SegmentFooter;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Seals rows of open blocks into segments, one for each UTC day among them.
 *
 * 1. Rows are ordered by (day, time, seq); rows mostly arrive so, and then nothing is sorted.
 * 2. Each day's rows are cut into blocks of at most `BLOCK_ROWS_MAX` rows and
 *    `BLOCK_COLUMN_BYTES_MAX` bytes a column.
 * 3. Each column of a block becomes a section or two, each compressed by itself.
 * 4. Dictionaries are merged to one a segment, and the footer names it all.
 *
 * Pure computing, runs in a worker; the caller writes the bytes. `sealOf` gives the seal's
 * description once the days are known.
 */
export function encodeSegments(
  signal: Signal,
  slices: readonly OpenBlockSlice[],
  sealOf: (days: readonly number[]) => SealInfo,
): readonly EncodedSegment[] {
  const rows = new RowOrder(slices.map((slice) => new OpenBlockReader(slice)));
  const days = rows.days();
  const seal = sealOf(days.map(({ day }) => day));
  return days.map(({ day, from, to }) => encodeSegment(signal, rows, { day, from, to, seal }));
}

interface SegmentRows {
  readonly day: number;
  /** Rows of the order, `from` inclusive, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  readonly seal: SealInfo;
}

function encodeSegment(signal: Signal, rows: RowOrder, range: SegmentRows): EncodedSegment {
  const file = new SectionWriter();
  const dictionaries = new Map<string, MergedDictionary>();
  for (const { name, kind } of TABLES[signal]) {
    if (kind === "dict") dictionaries.set(name, new MergedDictionary(name, rows));
  }
  const blocks: BlockHeader[] = [];
  for (let from = range.from; from < range.to;) {
    const to = blockEnd(signal, rows, from, range.to);
    blocks.push(encodeBlock(signal, rows.gather(from, to), file, dictionaries));
    from = to;
  }
  let maxReceivedMs = 0;
  rows.gather(range.from, range.to).forEach("received", (value) => {
    maxReceivedMs = Math.max(maxReceivedMs, value);
  });
  const footer: SegmentFooter = {
    version: SEGMENT_VERSION,
    signal,
    day: range.day,
    rows: range.to - range.from,
    maxReceivedMs,
    blocks,
    dictionaries: [...dictionaries].map(([name, merged]) => ({
      name,
      count: merged.entries.length,
      lengths: file.add(
        `${name}.lengths`,
        encodeLengths(merged.entries.map(({ length }) => length)),
      ),
      data: file.add(`${name}.data`, Buffer.concat(merged.entries)),
    })),
    seal: range.seal,
  };
  return { day: range.day, footer, bytes: file.finish(footer) };
}

/** The end of the block that begins at `from`. */
function blockEnd(signal: Signal, rows: RowOrder, from: number, end: number): number {
  let to = Math.min(end, from + BLOCK_ROWS_MAX);
  for (const { name, kind } of TABLES[signal]) {
    if (kind === "bytes") to = Math.min(to, rows.fit(name, from, to, BLOCK_COLUMN_BYTES_MAX));
  }
  return to;
}

function encodeBlock(
  signal: Signal,
  rows: GatheredRows,
  file: SectionWriter,
  dictionaries: ReadonlyMap<string, MergedDictionary>,
): BlockHeader {
  const sections: Section[] = [];
  for (const column of TABLES[signal]) {
    for (const [name, bytes] of encodeColumn(column, rows, dictionaries)) {
      sections.push(file.add(name, bytes));
    }
  }
  const seq = rows.numbers("seq");
  const { ns } = rows.time("time");
  const severity = signal === "logs" ? rows.u8("severity") : new Uint8Array(1);
  return {
    rows: rows.count,
    minNs: ns[0],
    maxNs: ns[ns.length - 1],
    minSeq: seq.reduce((least, value) => Math.min(least, value)),
    maxSeq: seq.reduce((most, value) => Math.max(most, value)),
    minSeverity: severity.reduce((least, value) => Math.min(least, value)),
    maxSeverity: severity.reduce((most, value) => Math.max(most, value)),
    sections,
  };
}

/** The sections of one column: its name, or its name and a part, and the raw bytes. */
function encodeColumn(
  { name, kind }: Column,
  rows: GatheredRows,
  dictionaries: ReadonlyMap<string, MergedDictionary>,
): readonly (readonly [string, Uint8Array])[] {
  switch (kind) {
    case "u8":
      return [[name, rows.u8(name)]];
    case "u32":
      return [[name, bytesOf(rows.u32(name))]];
    case "int":
      return [[name, encodeDeltas(rows.numbers(name))]];
    case "f64":
      return [[name, bytesOf(rows.numbers(name))]];
    case "time": {
      const { day, ns } = rows.time(name);
      return [
        [`${name}.day`, encodeDeltas(day)],
        [`${name}.ns`, encodeDeltas(ns)],
      ];
    }
    case "id16":
      return [[name, rows.ids(name, 16)]];
    case "id8":
      return [[name, rows.ids(name, 8)]];
    case "dict":
      return [[name, bytesOf(rows.dictIds(name, dictionaries.get(name)))]];
    case "bytes": {
      const { lengths, data } = rows.bytes(name);
      return [
        [`${name}.lengths`, encodeLengths(lengths)],
        [name, data],
      ];
    }
  }
}

function bytesOf(array: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** All rows of the slices, ordered by (day, time, seq). */
class RowOrder {
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
      if (this.#compare(index - 1, index) > 0) return false;
    }
    return true;
  }

  /** Order of two rows by (day, time); rows arrive by seq, so a stable sort does the rest. */
  #compare(left: number, right: number): number {
    return this.#day[left] - this.#day[right] || this.#ns[left] - this.#ns[right];
  }

  #sort(): void {
    const order = Array.from(this.row.keys()).sort((left, right) => this.#compare(left, right));
    const [slice, row, day, ns] = [
      this.slice.slice(),
      this.row.slice(),
      this.#day.slice(),
      this.#ns.slice(),
    ];
    for (const [target, source] of order.entries()) {
      this.slice[target] = slice[source];
      this.row[target] = row[source];
      this.#day[target] = day[source];
      this.#ns[target] = ns[source];
    }
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

  /** How far a `bytes` column's rows from `from` fit into `bytesMax`; at least one row does. */
  fit(name: string, from: number, to: number, bytesMax: number): number {
    const columns = this.blocks.map((block) => block.bytes(name));
    let bytes = 0;
    for (let index = from; index < to; index++) {
      const { starts, ends } = columns[this.slice[index]];
      bytes += ends[this.row[index]] - starts[this.row[index]];
      if (bytes > bytesMax) return Math.max(index, from + 1);
    }
    return to;
  }

  gather(from: number, to: number): GatheredRows {
    return new GatheredRows(this, from, to);
  }
}

/** Copies columns of the rows `[from, to)` of an order to arrays of their own. */
class GatheredRows {
  readonly count: number;
  readonly #order: RowOrder;
  readonly #from: number;

  constructor(order: RowOrder, from: number, to: number) {
    this.#order = order;
    this.#from = from;
    this.count = to - from;
  }

  forEach(name: string, visit: (value: number) => void): void {
    for (const value of this.numbers(name)) visit(value);
  }

  u8(name: string): Uint8Array {
    const sources = this.#order.blocks.map((block) => block.u8(name));
    return this.#fixed(sources, new Uint8Array(this.count));
  }

  u32(name: string): Uint32Array {
    const sources = this.#order.blocks.map((block) => block.u32(name));
    return this.#fixed(sources, new Uint32Array(this.count));
  }

  numbers(name: string): Float64Array {
    const sources = this.#order.blocks.map((block) => block.f64(name));
    return this.#fixed(sources, new Float64Array(this.count));
  }

  time(name: string): TimeColumn {
    const sources = this.#order.blocks.map((block) => block.time(name));
    const days = sources.map(({ day }) => day);
    const nanoseconds = sources.map(({ ns }) => ns);
    return {
      day: this.#fixed(days, new Int32Array(this.count)),
      ns: this.#fixed(nanoseconds, new Float64Array(this.count)),
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
    const sources = this.#order.blocks.map((block) => block.ids(name));
    const target = new Uint8Array(this.count * width);
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const offset = this.#order.row[this.#from + index] * width;
      for (let byte = 0; byte < width; byte++) target[index * width + byte] = source[offset + byte];
    }
    return target;
  }

  dictIds(name: string, merged: MergedDictionary | undefined): Uint32Array {
    const sources = this.#order.blocks.map((block) => block.dict(name).ids);
    const target = new Uint32Array(this.count);
    for (let index = 0; index < this.count; index++) {
      const slice = this.#order.slice[this.#from + index];
      const id = sources[slice][this.#order.row[this.#from + index]];
      target[index] = merged?.idOf(slice, id) ?? 0;
    }
    return target;
  }

  bytes(name: string): { readonly lengths: Uint32Array; readonly data: Uint8Array } {
    const sources = this.#order.blocks.map((block) => block.bytes(name));
    const lengths = new Uint32Array(this.count);
    let total = 0;
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const row = this.#order.row[this.#from + index];
      lengths[index] = source.ends[row] - source.starts[row];
      total += lengths[index];
    }
    const data = new Uint8Array(total);
    let end = 0;
    for (let index = 0; index < this.count; index++) {
      const source = sources[this.#order.slice[this.#from + index]];
      const row = this.#order.row[this.#from + index];
      data.set(source.data.subarray(source.starts[row], source.ends[row]), end);
      end += lengths[index];
    }
    return { lengths, data };
  }
}

const UNMAPPED = 0xffff_ffff;

/** One dictionary for a whole segment, of the entries that its rows use. */
class MergedDictionary {
  readonly entries: Uint8Array[] = [];
  readonly #ids = new Map<string, number>();
  readonly #name: string;
  readonly #blocks: readonly Block[];
  /** Per slice: the old id's new one. */
  readonly #mapped: readonly Uint32Array[];

  constructor(name: string, rows: RowOrder) {
    this.#name = name;
    this.#blocks = rows.blocks;
    this.#mapped = rows.blocks.map((block) =>
      new Uint32Array(block.dict(name).dictionary.count).fill(UNMAPPED),
    );
  }

  idOf(slice: number, id: number): number {
    const mapped = this.#mapped[slice][id];
    return mapped === UNMAPPED ? this.#map(slice, id) : mapped;
  }

  #map(slice: number, id: number): number {
    const entry = this.#blocks[slice].dict(this.#name).dictionary.entry(id);
    const key = Buffer.from(entry).toString("latin1");
    const known = this.#ids.get(key);
    const mapped = known ?? this.entries.push(entry) - 1;
    this.#ids.set(key, mapped);
    this.#mapped[slice][id] = mapped;
    return mapped;
  }
}

/** Sections below this are kept raw: a frame's header would eat the gain. */
const COMPRESS_BYTES_MIN = 64;

/** Collects the sections of a file. */
class SectionWriter {
  readonly #parts: Uint8Array[] = [SEGMENT_MAGIC];
  #offset = SEGMENT_MAGIC.length;

  add(name: string, raw: Uint8Array): Section {
    const compressed = raw.length < COMPRESS_BYTES_MIN ? raw : compress(raw);
    const bytes = compressed.length < raw.length ? compressed : raw;
    const section: Section = {
      name,
      offset: this.#offset,
      size: bytes.length,
      rawSize: raw.length,
      codec: bytes === raw ? "raw" : "zstd",
      crc: crc32(bytes),
    };
    this.#parts.push(bytes);
    this.#offset += bytes.length;
    return section;
  }

  finish(footer: SegmentFooter): Uint8Array<ArrayBuffer> {
    const text = Buffer.from(JSON.stringify(footer));
    const trailer = Buffer.alloc(SEGMENT_TRAILER_BYTES);
    trailer.writeUInt32LE(text.length, 0);
    trailer.writeUInt32LE(crc32(text), 4);
    trailer.set(SEGMENT_MAGIC, 8);
    const total = this.#offset + text.length + SEGMENT_TRAILER_BYTES;
    const bytes = new Uint8Array(total);
    let end = 0;
    for (const part of [...this.#parts, text, trailer]) {
      bytes.set(part, end);
      end += part.length;
    }
    return bytes;
  }
}

function compress(raw: Uint8Array): Uint8Array {
  return zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}
