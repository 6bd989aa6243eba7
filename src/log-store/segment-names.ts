import type { Signal } from "../core/record.ts";
import type { SegmentEntry } from "./segment-format.ts";

/** `logs-2026-11-22-000000000001.seg`: signal, UTC day, lowest number of the seal. */
export function sealedFileName(signal: Signal, day: number, firstSeq: number): string {
  return `${signal}-${dateOf(day)}-${numberOf(firstSeq)}.seg`;
}

/** The lowest number of the seal that a name made by `sealedFileName` is of. */
export function firstSeqOfSeal(file: string): number {
  return Number(/-(\d+)\.seg$/.exec(file)?.[1]);
}

/**
 * `logs-2026-11-22-000000000001-000000170000.seg`: signal, UTC day, lowest and highest number of the
 * rows. A later merge reaches further on one side at least, so a name is never used again.
 */
export function mergedFileName(sources: readonly SegmentEntry[]): string {
  const { signal, day } = sources[0];
  const first = Math.min(...sources.map(({ minSeq }) => minSeq));
  const last = Math.max(...sources.map(({ maxSeq }) => maxSeq));
  return `${signal}-${dateOf(day)}-${numberOf(first)}-${numberOf(last)}.seg`;
}

/** What a segment is called until it is whole and on disk. */
export function temporaryName(file: string): string {
  return `${file}.tmp`;
}

function dateOf(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10);
}

function numberOf(seq: number): string {
  return String(seq).padStart(12, "0");
}
