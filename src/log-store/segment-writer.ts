import type { Signal } from "../core/record.ts";
import { ClauseWriter } from "./clauses/clause-writer.ts";
import { encodeDeltas, encodeLengths, encodeSigned } from "./column-codec.ts";
import { FilterWriter } from "./filters/filter-writer.ts";
import { COUNTS_SECTION, encodeCounts } from "./header-counts.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import { OpenBlockReader } from "./open-block.ts";
import type { BlockHeader, SealInfo, Section, SegmentFooter } from "./segment-format.ts";
import { encodePoints, POINTS_SECTION, SERIES_SECTION } from "./points/point-values.ts";
import { encodeSeries, groupSeries } from "./points/series-column.ts";
import { SectionWriter } from "./section-writer.ts";
import { distanceName, SEGMENT_VERSION } from "./segment-format.ts";
import type { GatheredRows } from "./row-order.ts";
import { MergedDictionary, RowOrder } from "./row-order.ts";
import type { Column, ColumnKind } from "./table-schema.ts";
import { BLOCK_COLUMN_BYTES_MAX, BLOCK_ROWS_MAX, TABLES } from "./table-schema.ts";

/** A segment as it goes to disk. */
export interface EncodedSegment {
  readonly footer: SegmentFooter;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Seals hold up requests when they are slow; merges do not, and take their time. */
const SEAL_COMPRESSION_LEVEL = 1;

/**
 * Seals rows of open blocks into segments, one for each UTC day among them.
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
  return days.map(({ day, from, to }) => {
    const range = { day, from, to, seal, compressionLevel: SEAL_COMPRESSION_LEVEL };
    return collect(segmentParts(signal, rows, range));
  });
}

function collect(parts: Generator<Uint8Array, SegmentFooter>): EncodedSegment {
  const taken: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const step = parts.next();
    if (step.done === true) {
      const bytes = new Uint8Array(size);
      let end = 0;
      for (const part of taken) {
        bytes.set(part, end);
        end += part.length;
      }
      return { footer: step.value, bytes };
    }
    taken.push(step.value);
    size += step.value.length;
  }
}

/** Rows of an order, all of one day, and what their segment says of them. */
export interface SegmentRows {
  readonly day: number;
  /** Rows of the order, `from` inclusive, `to` exclusive. */
  readonly from: number;
  readonly to: number;
  readonly seal: SealInfo;
  /** Of zstd. */
  readonly compressionLevel: number;
}

/**
 * The bytes of a segment's file, in order; returns its footer.
 *
 * 1. The rows, ordered by (time, seq), are cut into blocks of at most `BLOCK_ROWS_MAX` rows and
 *    `BLOCK_COLUMN_BYTES_MAX` bytes a column.
 * 2. Each column of a block becomes a section or two, each compressed by itself.
 * 3. Behind the blocks come the dictionaries, one a segment, then the footer, which names it all.
 *
 * Shape: the parts of a block are yielded one after the other once the block is done.
 * Cost:  one block's rows and parts, and the dictionaries, whatever the segment's size.
 */
export function* segmentParts(
  signal: Signal,
  rows: RowOrder,
  range: SegmentRows,
): Generator<Uint8Array, SegmentFooter> {
  const file = new SectionWriter(range.compressionLevel);
  const dictionaries = new Map<string, MergedDictionary>();
  for (const { name, kind } of TABLES[signal]) {
    if (kind === "dict") dictionaries.set(name, new MergedDictionary(name, rows));
  }
  const filters = new FilterWriter(signal, range.to - range.from);
  const clauses = new Map<string, ClauseWriter>();
  for (const { name, clauses: kind } of TABLES[signal]) {
    if (kind !== undefined) clauses.set(name, new ClauseWriter(name, kind, filters.wordsOf(name)));
  }
  const blocks: BlockHeader[] = [];
  const received = { min: Number.POSITIVE_INFINITY, max: 0 };
  for (let from = range.from; from < range.to;) {
    const to = blockEnd(signal, rows, from, range.to);
    const gathered = rows.gather(from, to);
    blocks.push(encodeBlock(signal, gathered, file, { dictionaries, clauses, filters }));
    const { min, max } = extremes(gathered.numbers("received"));
    received.min = Math.min(received.min, min);
    received.max = Math.max(received.max, max);
    yield* file.take();
    from = to;
  }
  const footer: SegmentFooter = {
    version: SEGMENT_VERSION,
    signal,
    day: range.day,
    rows: range.to - range.from,
    minReceivedMs: received.min,
    maxReceivedMs: received.max,
    blocks,
    dictionaries: [
      ...[...dictionaries].map(([name, { entries }]) => ({
        name,
        count: entries.length,
        lengths: encodeLengths(entries.map(({ length }) => length)),
        data: Buffer.concat(entries),
      })),
      ...[...clauses.values()].flatMap((coded) => coded.encodeDictionaries()),
    ].map(({ name, count, lengths, data }) => ({
      name,
      count,
      lengths: file.add(`${name}.lengths`, lengths),
      data: file.add(`${name}.data`, data),
    })),
    sections: [...filters.encodeSegment(file)],
    seal: range.seal,
  };
  file.finish(footer);
  yield* file.take();
  return footer;
}

/** The end of the block that begins at `from`. */
function blockEnd(signal: Signal, rows: RowOrder, from: number, end: number): number {
  let to = Math.min(end, from + BLOCK_ROWS_MAX);
  for (const { name, kind } of TABLES[signal]) {
    if (kind === "bytes") to = Math.min(to, rows.fit(name, from, to, BLOCK_COLUMN_BYTES_MAX));
  }
  return to;
}

/** What all blocks of a segment share. */
interface SegmentParts {
  readonly dictionaries: ReadonlyMap<string, MergedDictionary>;
  readonly clauses: ReadonlyMap<string, ClauseWriter>;
  readonly filters: FilterWriter;
}

function encodeBlock(
  signal: Signal,
  rows: GatheredRows,
  file: SectionWriter,
  { dictionaries, clauses, filters }: SegmentParts,
): BlockHeader {
  const sections: Section[] = [];
  const bySeries = signal === "metrics" ? encodeBySeries(rows, dictionaries) : [];
  for (const [name, bytes] of bySeries) sections.push(file.add(name, bytes));
  for (const column of TABLES[signal]) {
    if (column.bySeries !== undefined && bySeries.length > 0) continue;
    const coded = clauses.get(column.name);
    if (coded !== undefined) {
      sections.push(...coded.encodeBlock(rows, file));
      continue;
    }
    const { kind } = column;
    if (kind === "id16") {
      sections.push(...filters.encodeTraceIds(rows, file));
      continue;
    }
    for (const [name, bytes] of encodeColumn({ ...column, kind }, rows, dictionaries)) {
      sections.push(file.add(name, bytes, kind === "id8"));
    }
  }
  sections.push(...filters.encodeBlock(rows, file, dictionaries));
  const counts = encodeCounts(signal, rows, dictionaries);
  if (counts !== undefined) sections.push(file.add(COUNTS_SECTION, counts));
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

/** The columns of points that are kept by series; none where series have too few points. */
function encodeBySeries(
  rows: GatheredRows,
  dictionaries: ReadonlyMap<string, MergedDictionary>,
): readonly (readonly [string, Uint8Array])[] {
  const series = groupSeries(rows.seriesKeys(), (name) => {
    const dictionary = dictionaries.get(name);
    return dictionary === undefined ? rows.u8(name) : rows.dictIds(name, dictionary);
  });
  if (series === undefined) return [];
  return [
    [SERIES_SECTION, encodeSeries(series)],
    [POINTS_SECTION, encodePoints(series, rows.numbers("value"), rows.bytes("rest"))],
  ];
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
  { name, kind, followsTime }: Column & { readonly kind: Exclude<ColumnKind, "id16"> },
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
      if (followsTime === true) return encodeDistances(name, rows);
      const { day, ns } = rows.time(name);
      return [
        [`${name}.day`, encodeDeltas(day)],
        [`${name}.ns`, encodeDeltas(ns)],
      ];
    }
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

/** A time column as its distance to `time`: day by day, and nanosecond by nanosecond. */
function encodeDistances(
  name: string,
  rows: GatheredRows,
): readonly (readonly [string, Uint8Array])[] {
  const time = rows.time("time");
  // Both columns stand in the same scratch memory.
  const base = { day: time.day.slice(), ns: time.ns.slice() };
  const { day, ns } = rows.time(name);
  for (let row = 0; row < rows.count; row++) {
    day[row] -= base.day[row];
    ns[row] -= base.ns[row];
  }
  return [
    [distanceName(name, "day"), encodeSigned(day)],
    [distanceName(name, "ns"), encodeSigned(ns)],
  ];
}

function bytesOf(array: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
