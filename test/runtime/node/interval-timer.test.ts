import { expect, test } from "vitest";
import { IntervalTimer } from "../../../src/runtime/node/interval-timer.ts";
import { ManualScheduler } from "./manual-scheduler.ts";

test("a timer ticks at its start and at each whole interval", () => {
  const { ticks, scheduler, timer } = start(100);
  scheduler.advance(350);
  expect(ticks).toEqual([0, 100, 200, 300]);
  timer.pause();
});

test("an interval that is no whole number of milliseconds does not drift", () => {
  const { ticks, scheduler } = start(33.3);
  scheduler.advance(3330);
  expect(ticks).toHaveLength(101);
  const lateness = ticks.map((tick, index) => tick - index * 33.3);
  expect(Math.max(...lateness)).toBeLessThan(1);
});

test("ticks that were missed are skipped, and the next comes at its own time", () => {
  const { ticks, scheduler } = start(100);
  scheduler.stall(350);
  expect(ticks).toEqual([0, 350]);
  scheduler.advance(150);
  expect(ticks).toEqual([0, 350, 400, 500]);
});

test("an alarm that comes early ticks only when it is due", () => {
  const { ticks, scheduler } = start(100, 0.7);
  scheduler.advance(250);
  expect(ticks.map((tick) => Math.floor(tick / 100))).toEqual([0, 1, 2]);
  expect(ticks.every((tick, index) => tick >= index * 100)).toBe(true);
});

test("a paused timer is silent, and goes on at whole intervals from its start", () => {
  const { ticks, scheduler, timer } = start(100);
  scheduler.advance(150);
  timer.pause();
  scheduler.advance(400);
  timer.resume();
  scheduler.advance(100);
  expect(ticks).toEqual([0, 100, 600]);
});

test("a timer that was not started is not resumed", () => {
  const scheduler = new ManualScheduler();
  const timer = new IntervalTimer(1e6, scheduler, () => expect.unreachable());
  timer.resume();
  scheduler.advance(10);
});

/** Alarms come so many milliseconds early, as those of a coarse clock do. */
function start(
  intervalMs: number,
  earlyMs = 0,
): { ticks: number[]; scheduler: ManualScheduler; timer: IntervalTimer } {
  const scheduler = new ManualScheduler();
  const ticks: number[] = [];
  const early = {
    monotonicMs: () => scheduler.monotonicMs(),
    after: (milliseconds: number, task: () => void) =>
      scheduler.after(milliseconds > 1 ? milliseconds - earlyMs : milliseconds, task),
  };
  const timer = new IntervalTimer(intervalMs * 1e6, early, () =>
    ticks.push(scheduler.monotonicMs()),
  );
  timer.start();
  return { ticks, scheduler, timer };
}
