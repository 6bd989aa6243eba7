import { expect, test } from "vitest";
import type { MergeCircumstances } from "../../src/log-store/merge-plan.ts";
import { MERGE_LIMITS, planMerge } from "../../src/log-store/merge-plan.ts";
import type { SegmentEntry } from "../../src/log-store/segment-format.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Segments of these many rows, 100 bytes each, in order; one was received each minute. */
function segmentsOf(rows: readonly number[], parts: Partial<SegmentEntry> = {}): SegmentEntry[] {
  let seq = 1;
  return rows.map((count, index) => {
    const first = seq;
    seq += count;
    return {
      file: `${parts.signal ?? "logs"}-${parts.day ?? 20_000}-${index}`,
      signal: "logs",
      day: 20_000,
      rows: count,
      sizeBytes: 100 * count,
      minNs: 0,
      maxNs: 0,
      minSeq: first,
      maxSeq: seq - 1,
      minReceivedMs: index * MINUTE_MS,
      maxReceivedMs: (index + 1) * MINUTE_MS,
      ...parts,
    };
  });
}

/** Which of the segments would be merged, by index; and how many of its partition wait. */
function plan(
  segments: readonly SegmentEntry[],
  circumstances: Partial<MergeCircumstances> = {},
): { readonly sources: readonly number[]; readonly waitingCount: number } | undefined {
  const merge = planMerge(segments, {
    nowUnixMs: segments.length * MINUTE_MS,
    retentionMs: undefined,
    excluded: new Set(),
    limits: MERGE_LIMITS,
    ...circumstances,
  });
  if (merge === undefined) return undefined;
  return {
    sources: merge.sources.map((source) => segments.indexOf(source)),
    waitingCount: merge.waitingCount,
  };
}

function repeat(count: number, rows: number): readonly number[] {
  return Array.from({ length: count }, () => rows);
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

test.each([
  ["nothing", [], undefined],
  ["seven alike", repeat(7, 1000), undefined],
  ["eight alike", repeat(8, 1000), range(0, 8)],
  ["one large and eight small", [8000, ...repeat(8, 1000)], range(1, 9)],
  ["one large and seven small: too little growth", [8000, ...repeat(7, 1000)], undefined],
  ["small, large, small in turn", [...repeat(6, 100), 9000, ...repeat(6, 100)], undefined],
  ["seven large and eight small", [...repeat(7, 8000), ...repeat(8, 1000)], range(7, 15)],
  ["eight of a second tier", repeat(8, 8000), range(0, 8)],
  ["final ones stay", repeat(70, 510_000), undefined],
  ["four that fill a result", repeat(5, 330_000), range(0, 4)],
  ["no more rows than a result may have", repeat(12, 160_000), range(0, 8)],
])("%s", (_, rows, sources) => {
  expect(plan(segmentsOf(rows))?.sources).toEqual(sources);
});

test("segments of other signals and days are apart", () => {
  const logs = segmentsOf(repeat(5, 1000));
  const traces = segmentsOf(repeat(5, 1000), { signal: "traces" });
  const later = segmentsOf(repeat(5, 1000), { day: 20_001 });
  expect(plan([...logs, ...traces, ...later])).toBeUndefined();
});

test("the order of the list does not matter, that of the numbers does", () => {
  const segments = segmentsOf(repeat(8, 1000)).toReversed();
  expect(plan(segments)?.sources).toEqual(range(0, 8).toReversed());
});

test("a result keeps to its bytes", () => {
  const segments = segmentsOf(repeat(12, 1000), { sizeBytes: 20 * 1024 * 1024 });
  expect(plan(segments)?.sources).toEqual(range(0, 6));
});

test("a damaged segment is left out and parts its neighbours", () => {
  const segments = segmentsOf(repeat(15, 1000));
  const excluded = new Set([segments[7].file]);
  expect(plan(segments, { excluded })).toBeUndefined();
  expect(plan(segmentsOf(repeat(16, 1000)), { excluded })?.sources).toEqual(range(8, 16));
});

test("rows outlive their retention by no more than a tenth of it", () => {
  const segments = segmentsOf(repeat(16, 1000));
  // Eight segments were received in eight minutes.
  expect(plan(segments, { retentionMs: 80 * MINUTE_MS })?.sources).toEqual(range(0, 8));
  expect(plan(segments, { retentionMs: 79 * MINUTE_MS })).toBeUndefined();
  // Those of the first release do not say when their oldest row was received.
  const old = segments.map((segment) => Object.assign(segment, { minReceivedMs: undefined }));
  expect(plan(old, { retentionMs: 80 * MINUTE_MS })?.sources).toEqual(range(0, 9));
  expect(plan(old, { retentionMs: 69 * MINUTE_MS })).toBeUndefined();
});

test("without a retention a result spans a day of receipt, so that one can be set later", () => {
  const segments = segmentsOf(repeat(8, 1000)).map((segment, index) =>
    Object.assign(segment, {
      minReceivedMs: index * 4 * HOUR_MS,
      maxReceivedMs: index * 4 * HOUR_MS,
    }),
  );
  expect(plan(segments, { nowUnixMs: 28 * HOUR_MS })).toBeUndefined();
});

test("a partition that took no row for an hour is tidied up, but not for a few late rows", () => {
  const cold = { nowUnixMs: 3 * HOUR_MS };
  expect(plan(segmentsOf([9000, 3000, 1000]))).toBeUndefined();
  expect(plan(segmentsOf([9000, 3000, 1000]), cold)?.sources).toEqual([1, 2]);
  expect(plan(segmentsOf([9000, 4000]), cold)?.sources).toEqual([0, 1]);
  expect(plan(segmentsOf([9000, 1000]), cold)).toBeUndefined();
});

test("past 64 segments a merge is pressing, whatever their sizes, and first", () => {
  const uneven = range(0, 65).map((index) => 3 ** (index % 8));
  // Nothing grows so much: without the pressure there would be no merge.
  const few = { ...MERGE_LIMITS, growthMin: 100 };
  expect(plan(segmentsOf(uneven.slice(0, 64)), { limits: few })).toBeUndefined();
  expect(plan(segmentsOf(uneven), { limits: few })?.waitingCount).toBe(65);
  const other = segmentsOf(repeat(8, 1), { signal: "traces" });
  const first = plan([...other, ...segmentsOf(uneven)], { limits: few });
  expect(first?.waitingCount).toBe(65);
  expect(first?.sources[0]).toBeGreaterThanOrEqual(other.length);
});

test("numbers that interleave are never merged", () => {
  const segments = segmentsOf(repeat(8, 1000)).map((segment, index) =>
    index === 4 ? Object.assign(segment, { minSeq: 3500 }) : segment,
  );
  expect(plan(segments)).toBeUndefined();
});

test("a day of seals is written about as often as it has tiers, and ends in few segments", () => {
  const dayMs = DAY_MS;
  let segments: SegmentEntry[] = [];
  const counts: number[] = [];
  let [seq, written, stored] = [1, 0, 0];
  for (let atMs = 30_000; atMs <= dayMs; atMs += 30_000) {
    // Busy and idle times, and every size between.
    const rows = 1 + Math.round(20_000 * Math.sin(atMs / HOUR_MS) ** 8);
    const [base] = segmentsOf([rows]);
    segments.push({
      ...base,
      file: String(seq),
      minSeq: seq,
      maxSeq: seq + rows - 1,
      minReceivedMs: atMs,
      maxReceivedMs: atMs,
    });
    seq += rows;
    stored += rows;
    for (;;) {
      const merge = planMerge(segments, {
        nowUnixMs: atMs,
        retentionMs: undefined,
        excluded: new Set(),
        limits: MERGE_LIMITS,
      });
      if (merge === undefined) break;
      const [first] = merge.sources;
      const last = merge.sources[merge.sources.length - 1];
      const sum = merge.sources.reduce((total, source) => total + source.rows, 0);
      written += sum;
      const merged = {
        ...first,
        file: `${first.file}-${last.file}`,
        rows: sum,
        sizeBytes: 100 * sum,
        maxSeq: last.maxSeq,
        maxReceivedMs: last.maxReceivedMs,
      };
      segments = [...segments.filter((one) => !merge.sources.includes(one)), merged];
    }
    counts.push(segments.length);
  }
  expect(Math.max(...counts)).toBeLessThanOrEqual(64);
  expect(written / stored).toBeLessThan(5);
});
