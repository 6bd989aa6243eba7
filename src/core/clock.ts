/** Where time comes from, so that tests can set it. */
export interface Clock {
  /** Wall time, Unix nanoseconds. */
  nowUnixNs(): bigint;
  /** Time that never goes back, in milliseconds, for deadlines and ages. */
  monotonicMs(): number;
}

/** The machine's clock. Wall time is read in microseconds at best. */
export const systemClock: Clock = {
  nowUnixNs: () => BigInt(Date.now()) * 1_000_000n + (process.hrtime.bigint() % 1_000_000n),
  monotonicMs: () => performance.now(),
};
