/** Where time comes from, so that tests can set it. */
export interface Clock {
  /** Wall time, Unix nanoseconds, with microseconds or better. */
  nowUnixNs(): bigint;
  /** Time that never goes back, in milliseconds, for deadlines and ages. */
  monotonicMs(): number;
}

/** How far the running clock may be from the wall before it is taken as a step of the wall clock. */
const STEP_NS = 5_000_000n;

/** The machine's wall clock, refined by the monotonic one between two steps of it (TIME-007). */
class SystemClock implements Clock {
  #offsetNs = 0n;

  nowUnixNs(): bigint {
    const wallNs = BigInt(Date.now()) * 1_000_000n;
    const monotonicNs = process.hrtime.bigint();
    const driftNs = wallNs - (monotonicNs + this.#offsetNs);
    if (driftNs > STEP_NS || driftNs < -STEP_NS) this.#offsetNs = wallNs - monotonicNs;
    return monotonicNs + this.#offsetNs;
  }

  monotonicMs(): number {
    return performance.now();
  }
}

export const systemClock: Clock = new SystemClock();
