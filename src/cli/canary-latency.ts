/** Milliseconds at which half, 99 of 100 and all of the values lie; undefined without a value. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Sixteen buckets an octave: a percentile is at most 4.5 % above the value it stands for. */
const BUCKETS_PER_OCTAVE = 16;
/** From a microsecond to 2^32 of them, which is more than an hour. */
const BUCKET_COUNT = 32 * BUCKETS_PER_OCTAVE;
const UNIT_MS = 0.001;

/** Latencies counted in buckets that widen as they grow, so that memory does not. */
export class LatencyHistogram {
  readonly #buckets = new Float64Array(BUCKET_COUNT);
  #count = 0;
  #maxMs = 0;

  /** A negative value, as of a push that came before its acknowledgement, counts as 0. */
  record(latencyMs: number): void {
    const octaves = Math.log2(Math.max(latencyMs, UNIT_MS) / UNIT_MS);
    const bucket = Math.min(BUCKET_COUNT - 1, Math.ceil(octaves * BUCKETS_PER_OCTAVE));
    this.#buckets[bucket] += 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, latencyMs);
  }

  summary(): LatencySummary | undefined {
    if (this.#count === 0) return undefined;
    return { p50: this.#percentile(0.5), p99: this.#percentile(0.99), max: this.#maxMs };
  }

  /** The upper end of the bucket that the share falls into, or the largest value if that is less. */
  #percentile(share: number): number {
    let left = Math.ceil(share * this.#count);
    let bucket = 0;
    while (left > this.#buckets[bucket]) left -= this.#buckets[bucket++];
    return Math.min(this.#maxMs, UNIT_MS * 2 ** (bucket / BUCKETS_PER_OCTAVE));
  }

  clear(): void {
    this.#buckets.fill(0);
    this.#count = 0;
    this.#maxMs = 0;
  }
}
