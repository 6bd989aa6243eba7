import type { Clock } from "../../src/core/clock.ts";

/** Time that moves when it is told to. */
export class ManualClock implements Clock {
  nowMs = 0;

  nowUnixNs(): bigint {
    return BigInt(this.nowMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.nowMs;
  }
}
