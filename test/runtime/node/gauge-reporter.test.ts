import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GaugeReporter } from "../../../src/runtime/node/gauge-reporter.ts";
import { HopRecorder } from "../../../src/runtime/node/hop-recorder.ts";
import { InputQueue } from "../../../src/runtime/node/input-queue.ts";
import { systemScheduler } from "../../../src/runtime/node/scheduler.ts";
import { handledHop } from "../telemetry/made-hops.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

test("an idle node tells its gauges every five seconds, one that does something each second", () => {
  const { reports, queue, handle } = start();
  vi.advanceTimersByTime(20_000);
  expect(reports.length).toBeLessThanOrEqual(6);
  const before = reports.length;
  queue.push({ kind: "tick", unixNs: 0n });
  handle();
  vi.advanceTimersByTime(1300);
  expect(reports.slice(before)).toEqual([1]);
  // The next one says that nothing came since; only then it is quiet.
  vi.advanceTimersByTime(1000);
  expect(reports.slice(before)).toEqual([1, 1]);
  vi.advanceTimersByTime(2000);
  expect(reports.slice(before)).toEqual([1, 1]);
});

test("what waits untouched is told within five seconds", () => {
  const { reports, queue } = start();
  vi.advanceTimersByTime(20_000);
  queue.push({ kind: "tick", unixNs: 0n });
  vi.advanceTimersByTime(5000);
  expect(reports.at(-1)).toBe(1);
});

test("a node whose health is watched says something in time", () => {
  const { reports } = start(2000);
  vi.advanceTimersByTime(20_000);
  expect(reports.length).toBeGreaterThanOrEqual(10);
});

test("a node that has ended tells nothing more", () => {
  const { reporter, reports, handle } = start();
  vi.advanceTimersByTime(20_000);
  reporter.stop();
  const { length } = reports;
  handle();
  vi.advanceTimersByTime(20_000);
  expect(reports).toHaveLength(length);
});

/** Shape: `reports` has of each how many messages were received. */
function start(silenceMaxMs?: number) {
  const reports: number[] = [];
  const source = { kind: "timer", intervalNs: 1 } as const;
  const config = { id: "in", source, queueSize: 10, queuePolicy: "drop_oldest" } as const;
  const queue = new InputQueue(config, 0);
  const hops = new HopRecorder(systemScheduler, (body) => {
    body();
    return true;
  });
  const reporter = new GaugeReporter(silenceMaxMs === undefined ? {} : { silenceMaxMs }, {
    daemon: {
      dropped: 0,
      trySend(message) {
        if (message.type === "gauges") reports.push(message.gauges.inputs[0]?.received ?? 0);
        return true;
      },
    },
    events: { queues: [queue] },
    hops,
    log: { warn: () => {} },
    outputs: { all: [] },
    connections: () => 1,
  });
  reporter.start();
  const handle = (): void => hops.write(handledHop({}));
  return { reporter, reports, queue, handle };
}
