import type { SegmentEntry } from "./segment-format.ts";

/** When segments are merged. A test gives smaller numbers, so that it happens all the time. */
export interface MergeLimits {
  /** So many neighbours at least are merged at once. */
  readonly countMin: number;
  readonly countMax: number;
  /** A result has at least so many times the rows of its largest source. */
  readonly growthMin: number;
  /** Of a result. What cannot grow by `growthMin` within these two is final. */
  readonly bytesMax: number;
  readonly rowsMax: number;
  /** With more segments in a partition that are not final, a merge is pressing; see `Merges`. */
  readonly pressingCount: number;
  /** A partition that took no row for so long is tidied up: two neighbours are enough. */
  readonly coldAgeMs: number;
  /** Between the times of receipt of a result's oldest and newest row, whatever the retention. */
  readonly receivedSpanMaxMs: number;
}

export const MERGE_LIMITS: MergeLimits = {
  countMin: 8,
  countMax: 64,
  growthMin: 4,
  bytesMax: 128 * 1024 * 1024,
  rowsMax: 2_000_000,
  pressingCount: 64,
  coldAgeMs: 3_600_000,
  receivedSpanMaxMs: 86_400_000,
};

/** What outlives its retention by being merged with younger rows does so by this part of it. */
const RETENTION_PART = 10;

/** The growth that is enough in a cold partition, so that late rows do not rewrite it all. */
const COLD_GROWTH_MIN = 8 / 7;

/** A result of this share of its greatest size is not worth waiting for more neighbours. */
const FULL_SHARE = 0.75;

export interface MergePlan {
  /** Neighbours of one partition, in the order of their rows' numbers. */
  readonly sources: readonly SegmentEntry[];
  /** Segments of the partition that are not final. */
  readonly waitingCount: number;
}

export interface MergeCircumstances {
  readonly nowUnixMs: number;
  readonly retentionMs: number | undefined;
  /** Files that are left alone, because a merge found them damaged. */
  readonly excluded: ReadonlySet<string>;
  readonly limits: MergeLimits;
}

/**
 * The merge that is most worth its cost, or undefined where none is due.
 *
 * A partition is the segments of one signal and day, in the order of their rows' numbers. What is
 * merged are neighbours in that order, so that the numbers of two segments never interleave: equal
 * times keep their order, and a range of numbers tells which file holds a row of a partition.
 *
 *     due when     neighbours   rows of the result, to those of its largest source
 *     always       8, or full   4
 *     cold         2            8/7
 *     pressing     2            any
 *
 * So a row is written anew once for each fourfold growth of its segment, not once for each merge.
 *
 * Of several the one that takes the fewest bytes for each segment less is first, pressing ones
 * before all others. Pure.
 */
export function planMerge(
  segments: readonly SegmentEntry[],
  circumstances: MergeCircumstances,
): MergePlan | undefined {
  let best: Candidate | undefined;
  for (const partition of partitionsOf(segments)) {
    const found = bestRun(partition, circumstances);
    if (found === undefined) continue;
    if (best === undefined || isBetter(found, best)) best = found;
  }
  return best;
}

interface Candidate extends MergePlan {
  /** Bytes written for each segment less. */
  readonly cost: number;
  /** Segments too many in the partition. */
  readonly pressure: number;
}

function isBetter(candidate: Candidate, other: Candidate): boolean {
  const pressure = candidate.pressure - other.pressure;
  return pressure > 0 || (pressure === 0 && candidate.cost < other.cost);
}

/** The segments of each signal and day that has two or more, in the order of their rows' numbers. */
function partitionsOf(segments: readonly SegmentEntry[]): readonly SegmentEntry[][] {
  const partitions = new Map<string, SegmentEntry[]>();
  for (const segment of segments) {
    const key = `${segment.signal}/${segment.day}`;
    const partition = partitions.get(key);
    if (partition === undefined) partitions.set(key, [segment]);
    else partition.push(segment);
  }
  const several = [...partitions.values()].filter(({ length }) => length > 1);
  for (const partition of several) partition.sort((left, right) => left.minSeq - right.minSeq);
  return several;
}

function bestRun(
  partition: readonly SegmentEntry[],
  circumstances: MergeCircumstances,
): Candidate | undefined {
  const { nowUnixMs, limits } = circumstances;
  const waitingCount = partition.filter((segment) => !isFinal(segment, limits)).length;
  const pressure = Math.max(0, waitingCount - limits.pressingCount);
  const newestMs = partition.reduce(
    (newest, segment) => Math.max(newest, segment.maxReceivedMs),
    0,
  );
  const isCold = newestMs < nowUnixMs - limits.coldAgeMs;
  const countMin = isCold || pressure > 0 ? 2 : limits.countMin;
  const growthMin = pressure > 0 ? 1 : isCold ? COLD_GROWTH_MIN : limits.growthMin;
  let best: Candidate | undefined;
  for (let from = 0; from + 1 < partition.length; from++) {
    const run = new Run(circumstances);
    for (let to = from; to < partition.length && run.add(partition[to]); to++) {
      if (run.growth < growthMin || (run.count < countMin && !run.isFull)) continue;
      if (best !== undefined && run.cost >= best.cost) continue;
      best = { sources: partition.slice(from, to + 1), waitingCount, pressure, cost: run.cost };
    }
  }
  return best;
}

function isFinal({ sizeBytes, rows }: SegmentEntry, limits: MergeLimits): boolean {
  const { growthMin, bytesMax, rowsMax } = limits;
  return growthMin * sizeBytes > bytesMax || growthMin * rows > rowsMax;
}

/** Neighbours that may be merged, and what their result would be. */
class Run {
  readonly #circumstances: MergeCircumstances;
  readonly #receivedSpanMaxMs: number;
  count = 0;
  #bytes = 0;
  #rows = 0;
  #largestRows = 0;
  #minReceivedMs = Number.POSITIVE_INFINITY;
  #maxReceivedMs = 0;
  #maxSeq = -1;

  constructor(circumstances: MergeCircumstances) {
    const { retentionMs, limits } = circumstances;
    this.#circumstances = circumstances;
    this.#receivedSpanMaxMs = Math.min(
      limits.receivedSpanMaxMs,
      (retentionMs ?? Number.POSITIVE_INFINITY) / RETENTION_PART,
    );
  }

  /** How many times the rows of its largest source the result has. */
  get growth(): number {
    return this.#rows / this.#largestRows;
  }

  /** Little more would fit into the result, so there is nothing to wait for. */
  get isFull(): boolean {
    const { bytesMax, rowsMax } = this.#circumstances.limits;
    return this.#bytes >= FULL_SHARE * bytesMax || this.#rows >= FULL_SHARE * rowsMax;
  }

  get cost(): number {
    return this.#bytes / (this.count - 1);
  }

  /** Takes the next neighbour; false where it does not fit with the others. */
  add(segment: SegmentEntry): boolean {
    const { excluded, limits } = this.#circumstances;
    const { file, sizeBytes, rows, maxReceivedMs, minReceivedMs = maxReceivedMs } = segment;
    // Numbers that interleave stand in no store of ours; such neighbours are left as they are.
    if (excluded.has(file) || segment.minSeq <= this.#maxSeq) return false;
    this.count += 1;
    this.#bytes += sizeBytes;
    this.#rows += rows;
    this.#largestRows = Math.max(this.#largestRows, rows);
    this.#minReceivedMs = Math.min(this.#minReceivedMs, minReceivedMs);
    this.#maxReceivedMs = Math.max(this.#maxReceivedMs, maxReceivedMs);
    this.#maxSeq = segment.maxSeq;
    return (
      this.count <= limits.countMax &&
      this.#bytes <= limits.bytesMax &&
      this.#rows <= limits.rowsMax &&
      this.#maxReceivedMs - this.#minReceivedMs <= this.#receivedSpanMaxMs
    );
  }
}
