import { expect, test } from "vitest";
import { InputWatch } from "../../../src/runtime/node/input-watch.ts";
import { ManualScheduler } from "./manual-scheduler.ts";

test("silence is told once, and again only after something has come", () => {
  const { scheduler, watch, timeouts } = open();
  watch.start();
  scheduler.advance(400);
  watch.touch();
  scheduler.advance(499);
  expect(timeouts).toEqual([]);
  scheduler.advance(5000);
  expect(timeouts).toEqual([900]);
  watch.touch();
  scheduler.advance(500);
  expect(timeouts).toEqual([900, 6399]);
});

test("while messages wait for the node's own code, the sender is not silent", () => {
  const { scheduler, watch, timeouts, input } = open();
  watch.start();
  input.isWaiting = true;
  scheduler.advance(2000);
  input.isWaiting = false;
  scheduler.advance(499);
  expect(timeouts).toEqual([]);
  scheduler.advance(1);
  expect(timeouts).toEqual([2500]);
});

test("a stopped watch tells nothing, whatever comes, and begins anew", () => {
  const { scheduler, watch, timeouts } = open();
  watch.touch();
  scheduler.advance(1000);
  watch.start();
  scheduler.advance(400);
  watch.stop();
  watch.touch();
  scheduler.advance(1000);
  expect(timeouts).toEqual([]);
  watch.start();
  scheduler.advance(500);
  expect(timeouts).toEqual([2900]);
});

function open() {
  const scheduler = new ManualScheduler();
  const timeouts: number[] = [];
  const input = { isWaiting: false };
  const watch = new InputWatch(500, scheduler, {
    isWaiting: () => input.isWaiting,
    onTimeout: () => timeouts.push(scheduler.monotonicMs()),
  });
  return { scheduler, watch, timeouts, input };
}
