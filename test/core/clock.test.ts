import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../src/core/clock.ts";

const START_MS = 1_800_000_000_000;

afterEach(() => vi.restoreAllMocks());

/** Both clocks of the machine, as the test sets them; `heldUpMs` passes between the next reading of the one and the other. */
function fakeClocks() {
  const machine = { wallMs: START_MS, monotonicNs: 1_000_000_000n, heldUpMs: 0 };
  vi.spyOn(Date, "now").mockImplementation(() => {
    const { wallMs } = machine;
    pass(machine.heldUpMs);
    machine.heldUpMs = 0;
    return wallMs;
  });
  vi.spyOn(process.hrtime, "bigint").mockImplementation(() => machine.monotonicNs);
  const pass = (ms: number): void => {
    machine.wallMs += ms;
    machine.monotonicNs += BigInt(ms) * 1_000_000n;
  };
  return { machine, pass };
}

test("time goes on while the process is held up between its readings of the two clocks", () => {
  const { machine, pass } = fakeClocks();
  const first = systemClock.nowUnixNs();
  expect(first).toBe(BigInt(START_MS) * 1_000_000n);
  pass(10);
  machine.heldUpMs = 30;
  expect(systemClock.nowUnixNs() - first).toBe(40_000_000n);
  pass(1);
  expect(systemClock.nowUnixNs() - first).toBe(41_000_000n);
});

test("a step of the wall clock is followed, either way (TIME-007)", () => {
  const { machine, pass } = fakeClocks();
  const first = systemClock.nowUnixNs();
  machine.wallMs += 3_600_000;
  expect(systemClock.nowUnixNs() - first).toBe(3_600_000_000_000n);
  machine.wallMs -= 7_200_000;
  pass(5);
  expect(systemClock.nowUnixNs() - first).toBe(-3_600_000_000_000n + 5_000_000n);
});

test("between two steps time is finer than the wall clock, which is not", () => {
  const { machine } = fakeClocks();
  const first = systemClock.nowUnixNs();
  machine.monotonicNs += 1234n;
  expect(systemClock.nowUnixNs() - first).toBe(1234n);
});
