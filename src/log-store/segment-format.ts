import { z } from "zod";
import { SIGNALS } from "../core/record.ts";

/**
 * A segment file: an immutable table of named sections. docs/format.md has the same in words.
 *
 *     offset            size  field
 *     0                 8     magic "DORASEG1"
 *     8                 n     sections, in any order, without gaps
 *     8 + n             m     footer, JSON in UTF-8
 *     8 + n + m         4     m, unsigned, little-endian
 *     8 + n + m + 4     4     CRC-32 of the footer
 *     8 + n + m + 8     8     magic "DORASEG1"
 */
export const SEGMENT_MAGIC = new TextEncoder().encode("DORASEG1");
export const SEGMENT_TRAILER_BYTES = 16;

/** The version that is written. Readers refuse a higher one and keep reading every lower one. */
export const SEGMENT_VERSION = 2;

/** Bounds what a damaged length can make a reader allocate. */
export const SEGMENT_FOOTER_BYTES_MAX = 16 * 1024 * 1024;

const section = z.object({
  name: z.string(),
  offset: z.number().int().nonnegative(),
  /** Bytes in the file. */
  size: z.number().int().nonnegative(),
  /** Bytes once decompressed. */
  rawSize: z.number().int().nonnegative(),
  codec: z.enum(["raw", "zstd"]),
  /** CRC-32 of the bytes in the file. */
  crc: z.number().int().nonnegative(),
});
export type Section = z.infer<typeof section>;

const block = z.object({
  rows: z.number().int().positive(),
  /** Nanoseconds within the segment's day. */
  minNs: z.number(),
  maxNs: z.number(),
  minSeq: z.number(),
  maxSeq: z.number(),
  minSeverity: z.number(),
  maxSeverity: z.number(),
  sections: z.array(section),
});
export type BlockHeader = z.infer<typeof block>;

const dictionary = z.object({
  name: z.string(),
  count: z.number().int().nonnegative(),
  lengths: section,
  data: section,
});

/** Of one seal: enough to build the manifest anew from footers alone. */
export const sealInfo = z.object({
  /** Every row of the signal with a lower sequence number is in segments. */
  position: z.number(),
  /** The files of the same seal; a seal counts only if all are there. */
  siblings: z.array(z.string()),
  /** The files that this one stands for (merges). */
  replaces: z.array(z.string()),
  /** The store's state as the manifest says it at this seal (`ManifestState`, without segments). */
  state: z.record(z.string(), z.unknown()),
});
export type SealInfo = z.infer<typeof sealInfo>;

export const segmentFooter = z.object({
  version: z.number().int(),
  signal: z.enum(SIGNALS),
  /** The UTC day of all its rows, days since 1970. */
  day: z.number().int(),
  rows: z.number().int().positive(),
  /** Receive time of its oldest row, Unix milliseconds. Those of the first release do not say. */
  minReceivedMs: z.number().optional(),
  /** Receive time of its newest row; retention counts from here. */
  maxReceivedMs: z.number(),
  blocks: z.array(block),
  dictionaries: z.array(dictionary),
  /** Of the segment as a whole; version 1 has none. */
  sections: z.array(section).default([]),
  seal: sealInfo,
});
export type SegmentFooter = z.infer<typeof segmentFooter>;

/** What the store keeps in memory of a segment. */
export const segmentEntry = z.object({
  file: z.string(),
  signal: z.enum(SIGNALS),
  day: z.number().int(),
  rows: z.number().int(),
  sizeBytes: z.number().int(),
  minNs: z.number(),
  maxNs: z.number(),
  minSeq: z.number(),
  maxSeq: z.number(),
  /** Manifests of the first release do not say. */
  minReceivedMs: z.number().optional(),
  maxReceivedMs: z.number(),
});
export type SegmentEntry = z.infer<typeof segmentEntry>;

export function entryOf(file: string, sizeBytes: number, footer: SegmentFooter): SegmentEntry {
  const { signal, day, rows, minReceivedMs, maxReceivedMs, blocks } = footer;
  return {
    file,
    signal,
    day,
    rows,
    sizeBytes,
    minNs: Math.min(...blocks.map(({ minNs }) => minNs)),
    maxNs: Math.max(...blocks.map(({ maxNs }) => maxNs)),
    minSeq: Math.min(...blocks.map(({ minSeq }) => minSeq)),
    maxSeq: Math.max(...blocks.map(({ maxSeq }) => maxSeq)),
    minReceivedMs: minReceivedMs ?? maxReceivedMs,
    maxReceivedMs,
  };
}

/** The section of a time column that is kept as its distance to `time`. */
export function distanceName(column: string, part: "day" | "ns"): string {
  return `${column}.${part}_distance`;
}
