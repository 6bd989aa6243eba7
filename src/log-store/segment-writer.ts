import type { Signal } from "../core/record.ts";
import { encodeDeltas, encodeLengths } from "./column-codec.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import { OpenBlockReader } from "./open-block.ts";
import type { BlockHeader, SealInfo, Section, SegmentFooter } from "./segment-format.ts";
import { SectionWriter } from "./section-writer.ts";
import { SEGMENT_VERSION } from "./segment-format.ts";
import type { GatheredRows } from "./row-order.ts";
import { MergedDictionary, RowOrder } from "./row-order.ts";
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
  const seq = extremes(rows.numbers("seq"));
  const { ns } = rows.time("time");
  const [minNs, maxNs] = [ns[0], ns[ns.length - 1]];
  const severity = signal === "logs" ? extremes(rows.u8("severity")) : { min: 0, max: 0 };
  return {
    rows: rows.count,
    minNs,
    maxNs,
    minSeq: seq.min,
    maxSeq: seq.max,
    minSeverity: severity.min,
    maxSeverity: severity.max,
    sections,
  };
}

function extremes(values: Float64Array | Uint8Array): {
  readonly min: number;
  readonly max: number;
} {
  let [min, max] = [values[0], values[0]];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return { min, max };
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
