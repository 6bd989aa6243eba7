/** Buckets double in width every eight: a value is told to within 9 %. */
export const HISTOGRAM_SCALE = 3;
const BUCKETS_PER_OCTAVE = 2 ** HISTOGRAM_SCALE;
/** The lowest bucket begins at 2^-27 s, 7 ns; what is shorter is counted as zero. */
const LOWEST_OCTAVE = -27;
/** The highest ends at 2^13 s, two hours; what is longer is counted there. */
const OCTAVES = 40;
export const HISTOGRAM_BUCKETS = OCTAVES * BUCKETS_PER_OCTAVE;
const OFFSET = LOWEST_OCTAVE * BUCKETS_PER_OCTAVE;
const LOG2_NS = Math.log2(1e-9);

/** The bucket of a duration, -1 for zero. Bucket `i` holds (2^(i/8), 2^((i+1)/8)] seconds / 2^27. */
export function bucketOf(ns: number): number {
  if (ns <= 0) return -1;
  const index = Math.ceil((Math.log2(ns) + LOG2_NS) * BUCKETS_PER_OCTAVE) - 1 - OFFSET;
  return index < 0 ? -1 : Math.min(index, HISTOGRAM_BUCKETS - 1);
}

/** The geometric middle of a bucket in nanoseconds. */
export function bucketMiddleNs(bucket: number): number {
  return bucket < 0 ? 0 : 2 ** ((bucket + OFFSET + 0.5) / BUCKETS_PER_OCTAVE) * 1e9;
}

/** A histogram as OTLP's exponential ones are, in seconds. */
export interface HistogramPoint {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: { readonly offset: number; readonly bucketCounts: number[] };
  readonly negative: { readonly offset: number; readonly bucketCounts: number[] };
}

/** Durations since the start, of fixed buckets: 2.6 KB, and no allocation as it grows. */
export class DurationHistogram {
  readonly #counts = new Float64Array(HISTOGRAM_BUCKETS);
  #zero = 0;
  #count = 0;
  #sumNs = 0;
  #minNs = Infinity;
  #maxNs = 0;

  get count(): number {
    return this.#count;
  }

  record(ns: number, bucket: number): void {
    if (bucket < 0) this.#zero += 1;
    else this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sumNs += ns;
    if (ns < this.#minNs) this.#minNs = ns;
    if (ns > this.#maxNs) this.#maxNs = ns;
  }

  point(): HistogramPoint {
    const first = this.#counts.findIndex((count) => count > 0);
    const last = this.#counts.findLastIndex((count) => count > 0);
    return {
      count: this.#count,
      sum: this.#sumNs / 1e9,
      min: this.#count === 0 ? 0 : this.#minNs / 1e9,
      max: this.#maxNs / 1e9,
      scale: HISTOGRAM_SCALE,
      zeroCount: this.#zero,
      positive: {
        offset: first === -1 ? 0 : first + OFFSET,
        bucketCounts: first === -1 ? [] : [...this.#counts.subarray(first, last + 1)],
      },
      negative: { offset: 0, bucketCounts: [] },
    };
  }
}
