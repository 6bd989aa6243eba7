import type { TimeRange } from "../core/time.ts";
import { toDayTime } from "../core/time.ts";
import type { Block } from "./block.ts";
import type { QueryMeter } from "./query-meter.ts";
import { OpenBlockReader } from "./open-block.ts";
import type { Probes } from "./filters/probe.ts";
import { headerProbes } from "./filters/probe.ts";
import type { Predicate } from "./predicate.ts";
import type { SegmentEntry } from "./segment-format.ts";
import type { SegmentFiles } from "./segment-files.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { SegmentReader } from "./segment-reader.ts";
import type { Snapshot } from "./snapshot.ts";
import { compareTimes } from "./time-order.ts";

/** What a scan works with. */
export interface ScanContext {
  readonly files: SegmentFiles;
  readonly nowMs: () => number;
  /** Whether joint counts may answer; false only to compare answers. */
  readonly useCounts: boolean;
  /** Whether filters may rule out segments and blocks; false only to compare answers. */
  readonly useFilters: boolean;
}

/** A part of a snapshot that may hold matching rows, with the least and the greatest time in it. */
export type Source =
  | { readonly kind: "segment"; readonly segment: SegmentEntry; readonly span: Span }
  | {
      readonly kind: "sealed";
      readonly segment: SegmentEntry;
      readonly index: number;
      readonly span: Span;
    }
  | { readonly kind: "open"; readonly block: Block; readonly span: Span };

/** Times from least to greatest, both inclusive. */
export interface Span {
  readonly minDay: number;
  readonly minNs: number;
  readonly maxDay: number;
  readonly maxNs: number;
}

/** The times of a query as day and nanosecond: `from` inclusive, `to` exclusive. */
export class TimeBounds {
  readonly fromDay: number;
  readonly fromNs: number;
  readonly toDay: number;
  readonly toNs: number;

  constructor({ fromUnixNs, toUnixNs }: TimeRange) {
    ({ day: this.fromDay, ns: this.fromNs } = toDayTime(fromUnixNs < 0n ? 0n : fromUnixNs));
    ({ day: this.toDay, ns: this.toNs } = toDayTime(toUnixNs < 0n ? 0n : toUnixNs));
  }

  overlaps(span: Span): boolean {
    return (
      compareTimes(span.maxDay, span.maxNs, this.fromDay, this.fromNs) >= 0 &&
      compareTimes(span.minDay, span.minNs, this.toDay, this.toNs) < 0
    );
  }

  contains(span: Span): boolean {
    return (
      compareTimes(span.minDay, span.minNs, this.fromDay, this.fromNs) >= 0 &&
      compareTimes(span.maxDay, span.maxNs, this.toDay, this.toNs) < 0
    );
  }

  /** Clears the mask of rows outside. */
  narrow(block: Block, mask: Uint8Array): void {
    const { day, ns } = block.time("time");
    for (let row = 0; row < mask.length; row++) {
      const isBefore = compareTimes(day[row], ns[row], this.fromDay, this.fromNs) < 0;
      if (isBefore || compareTimes(day[row], ns[row], this.toDay, this.toNs) >= 0) mask[row] = 0;
    }
  }
}

/** The sources of a snapshot that overlap the bounds: whole segments, and open blocks. */
export function sourcesOf(snapshot: Snapshot, bounds: TimeBounds): Source[] {
  const sources: Source[] = snapshot.segments.map((segment) => ({
    kind: "segment",
    segment,
    span: daySpan(segment.day, segment),
  }));
  for (const slice of snapshot.open) {
    const block = new OpenBlockReader(slice);
    if (block.rows > 0) sources.push({ kind: "open", block, span: spanOf(block) });
  }
  return sources.filter(({ span }) => bounds.overlaps(span));
}

function daySpan(day: number, times: { readonly minNs: number; readonly maxNs: number }): Span {
  return { minDay: day, minNs: times.minNs, maxDay: day, maxNs: times.maxNs };
}

function spanOf(block: Block): Span {
  const { day, ns } = block.time("time");
  let [least, greatest] = [0, 0];
  for (let row = 1; row < block.rows; row++) {
    if (compareTimes(day[row], ns[row], day[least], ns[least]) < 0) least = row;
    if (compareTimes(day[row], ns[row], day[greatest], ns[greatest]) > 0) greatest = row;
  }
  return { minDay: day[least], minNs: ns[least], maxDay: day[greatest], maxNs: ns[greatest] };
}

/**
 * The blocks of a segment that may hold matching rows. A damaged segment has none and is told to
 * the meter.
 */
export function blocksOf(
  source: Extract<Source, { kind: "segment" }>,
  snapshot: Snapshot,
  query: { readonly predicate: Predicate; readonly bounds: TimeBounds; readonly meter: QueryMeter },
  context: ScanContext,
): readonly Source[] {
  const { segment } = source;
  return guarded(query.meter, [], () => {
    const reader = context.files.open(snapshot.directory, segment.file);
    const { blocks } = reader.footer;
    const { predicate, bounds, meter } = query;
    const before = reader.bytesRead;
    const probes = probesOf(reader, meter, context);
    if (!predicate.mayMatch(probes.segment)) return [];
    if (context.useCounts && predicate.countRows(context.files.texts(reader)) === 0) return [];
    const found = blocks.flatMap((header, index): Source[] => {
      const span = daySpan(segment.day, header);
      const mayMatch = bounds.overlaps(span) && predicate.mayMatch(probes.block(index));
      return mayMatch ? [{ kind: "sealed", segment, index, span }] : [];
    });
    meter.scannedBytes += reader.bytesRead - before;
    return found;
  });
}

function probesOf(
  reader: SegmentReader,
  meter: QueryMeter,
  { files, useFilters }: ScanContext,
): Probes {
  if (!useFilters) return headerProbes(reader);
  // A filter that is damaged costs time and no answer; still it is told.
  return files.probes(reader, ({ message }) =>
    meter.addDamage(`searched without a filter: ${message}`),
  );
}

/** A block and which of its rows match. */
export interface MatchedBlock {
  readonly block: Block;
  /** 1 for each row that matches. */
  readonly mask: Uint8Array;
  /** Bytes that the block's file has had to read so far. */
  readonly bytesRead: () => number;
}

/** Evaluates a query over one block; undefined where nothing matches or the block is damaged. */
export function matchBlock(
  source: Exclude<Source, { kind: "segment" }>,
  snapshot: Snapshot,
  query: { readonly predicate: Predicate; readonly bounds: TimeBounds; readonly meter: QueryMeter },
  context: ScanContext,
): MatchedBlock | undefined {
  const { predicate, bounds, meter } = query;
  return guarded(meter, undefined, () => {
    const { block, bytesRead } = openSource(source, snapshot, context);
    const before = bytesRead();
    const mask = new Uint8Array(block.rows).fill(1);
    if (!bounds.contains(source.span)) bounds.narrow(block, mask);
    predicate.narrow(block, mask);
    meter.scannedRows += block.rows;
    meter.scannedBytes += bytesRead() - before;
    return mask.includes(1) ? { block, mask, bytesRead } : undefined;
  });
}

/** The block of a source, and a count of the bytes that its file has had to read. */
function openSource(
  source: Exclude<Source, { kind: "segment" }>,
  snapshot: Snapshot,
  { files }: ScanContext,
): { readonly block: Block; readonly bytesRead: () => number } {
  if (source.kind === "open") return { block: source.block, bytesRead: () => 0 };
  const reader = files.open(snapshot.directory, source.segment.file);
  return { block: files.block(reader, source.index), bytesRead: () => reader.bytesRead };
}

/** Runs a step that reads a segment; damage gives `otherwise` and is told to the meter. */
export function guarded<T>(meter: QueryMeter, otherwise: T, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof SegmentDamage)) throw error;
    meter.addDamage(`left out damaged data: ${error.message}`);
    return otherwise;
  }
}
