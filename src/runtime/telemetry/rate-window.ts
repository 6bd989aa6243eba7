import { RATE_WINDOW_MS } from "../protocol/status.ts";
import { bucketMiddleNs, HISTOGRAM_BUCKETS } from "./duration-histogram.ts";

const SLOT_MS = 1000;
const SLOTS = RATE_WINDOW_MS / SLOT_MS;

/**
 * What was counted in the last `RATE_WINDOW_MS`, in slots of a second of which the oldest is used
 * again. While less than a whole window has passed, rates are those of the time so far.
 */
class SlotClock {
  readonly #startMs: number;
  #slot: number;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
    this.#slot = Math.floor(nowMs / SLOT_MS);
  }

  /** The slot of now; `clear` is called for each that begins anew. */
  advance(nowMs: number, clear: (slot: number) => void): number {
    const now = Math.floor(nowMs / SLOT_MS);
    const steps = Math.min(now - this.#slot, SLOTS);
    for (let step = 0; step < steps; step++) clear((now - step) % SLOTS);
    this.#slot = Math.max(this.#slot, now);
    return this.#slot % SLOTS;
  }

  /** Seconds that the slots hold, the one that fills included. */
  seconds(nowMs: number): number {
    const inSlots = (SLOTS - 1) * SLOT_MS + (nowMs % SLOT_MS);
    return Math.max(1, Math.min(inSlots, nowMs - this.#startMs) / 1000);
  }
}

/** A count over the window. */
export class RateCounter {
  readonly #clock: SlotClock;
  readonly #counts = new Float64Array(SLOTS);

  constructor(nowMs: number) {
    this.#clock = new SlotClock(nowMs);
  }

  add(nowMs: number, count: number): void {
    const slot = this.#clock.advance(nowMs, this.#clear);
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  perSecond(nowMs: number): number {
    this.#clock.advance(nowMs, this.#clear);
    return this.#counts.reduce((sum, count) => sum + count, 0) / this.#clock.seconds(nowMs);
  }

  readonly #clear = (slot: number): void => {
    this.#counts[slot] = 0;
  };
}

/** A slot's buckets, and before them its zeros. */
const SLOT_WIDTH = HISTOGRAM_BUCKETS + 1;

/**
 * Durations over the window, in the buckets of `DurationHistogram`. Asked each second of every node, of which
 * most have no message in most slots: those slots cost nothing.
 */
export class RateHistogram {
  readonly #clock: SlotClock;
  readonly #counts = new Uint32Array(SLOTS * SLOT_WIDTH);
  /** All counts of a slot together. */
  readonly #totals = new Uint32Array(SLOTS);

  constructor(nowMs: number) {
    this.#clock = new SlotClock(nowMs);
  }

  record(nowMs: number, bucket: number): void {
    const slot = this.#clock.advance(nowMs, this.#clear);
    const index = slot * SLOT_WIDTH + bucket + 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#totals[slot] = (this.#totals[slot] ?? 0) + 1;
  }

  /** The quantiles asked for, in nanoseconds, to within 5 %; null where nothing came. */
  quantiles(nowMs: number, asked: readonly number[]): readonly (number | null)[] {
    this.#clock.advance(nowMs, this.#clear);
    const total = this.#totals.reduce((sum, count) => sum + count, 0);
    if (total === 0) return asked.map(() => null);
    const sums = this.#sumOfSlots();
    return asked.map((quantile) => {
      let rank = Math.ceil(quantile * total);
      const bucket = sums.findIndex((count) => {
        rank -= count;
        return rank <= 0;
      });
      return bucketMiddleNs(bucket - 1);
    });
  }

  #sumOfSlots(): Float64Array {
    const sums = new Float64Array(SLOT_WIDTH);
    for (const [slot, total] of this.#totals.entries()) {
      if (total === 0) continue;
      const start = slot * SLOT_WIDTH;
      for (let at = 0; at < SLOT_WIDTH; at++) {
        sums[at] = (sums[at] ?? 0) + (this.#counts[start + at] ?? 0);
      }
    }
    return sums;
  }

  readonly #clear = (slot: number): void => {
    const start = slot * SLOT_WIDTH;
    this.#counts.fill(0, start, start + SLOT_WIDTH);
    this.#totals[slot] = 0;
  };
}
