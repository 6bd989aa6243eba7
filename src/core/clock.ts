/** Where time comes from, so that tests can set it. */
export interface Clock {
  /** Wall time, Unix nanoseconds, with microseconds or better. */
  nowUnixNs(): bigint;
  /** Time that never goes back, in milliseconds, for deadlines and ages. */
  monotonicMs(): number;
}

/** How far the running clock may be from the wall before it is taken as a step of the wall clock. */
const STEP_NS = 5_000_000n;
const ATTEMPTS = 5;

/** The machine's wall clock, refined by the monotonic one between two steps of it (TIME-007). */
class SystemClock implements Clock {
  #offsetNs = 0n;

  nowUnixNs(): bigint {
    const wallNs = BigInt(Date.now()) * 1_000_000n;
    const monotonicNs = process.hrtime.bigint();
    if (this.#isStep(wallNs - monotonicNs)) this.#follow();
    return monotonicNs + this.#offsetNs;
  }

  monotonicMs(): number {
    return performance.now();
  }

  #isStep(offsetNs: bigint): boolean {
    const driftNs = offsetNs - this.#offsetNs;
    return driftNs > STEP_NS || driftNs < -STEP_NS;
  }

  /** Where the process was held up between its readings of the two clocks, they only seem to be apart. */
  #follow(): void {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const beforeNs = process.hrtime.bigint();
      const wallNs = BigInt(Date.now()) * 1_000_000n;
      const afterNs = process.hrtime.bigint();
      if (!this.#isStep(wallNs - afterNs)) return;
      if (afterNs - beforeNs > STEP_NS && attempt < ATTEMPTS - 1) continue;
      this.#offsetNs = wallNs - afterNs;
      return;
    }
  }
}

export const systemClock: Clock = new SystemClock();
