import { describe, expect, test } from "vitest";
import { SAMPLE_WAIT_MS, TraceSampler } from "../../../src/runtime/telemetry/trace-sampler.ts";
import { frameOf, handledHop, sentHop, traceIdOf } from "./made-hops.ts";

const MS = 1_000_000n;

function samplerOf(caps: { usual?: number; notable?: number }) {
  const traces: number[] = [];
  const sampler = new TraceSampler<string>(
    0,
    ({ body, at }) => traces.push(Number(`0x${body.toString("hex", at + 16, at + 24)}`)),
    caps,
  );
  return { sampler, traces };
}

test("a trace is held for a second, then told whole", () => {
  const { sampler, traces } = samplerOf({});
  sampler.add("a", frameOf(sentHop({ traceId: traceIdOf(1) })), 0);
  sampler.add("b", frameOf(handledHop({ traceId: traceIdOf(1) })), 500);
  sampler.sweep(SAMPLE_WAIT_MS - 1);
  expect(traces).toEqual([]);
  sampler.sweep(SAMPLE_WAIT_MS);
  expect(traces).toEqual([1, 1]);
  expect(sampler.held).toBe(0);
});

test("beyond the cap traces are left out as a whole, counted, and their later hops with them", () => {
  const { sampler, traces } = samplerOf({ usual: 10 });
  for (let trace = 1; trace <= 100; trace++) {
    const id = { traceId: traceIdOf(trace) };
    sampler.add("a", frameOf(sentHop(id), handledHop(id)), 0);
  }
  sampler.sweep(SAMPLE_WAIT_MS);
  const counts = Map.groupBy(traces, (trace) => trace);
  expect([...counts.values()].every((hops) => hops.length === 2)).toBe(true);
  expect(sampler.counts.kept).toBe(traces.length);
  expect(sampler.counts.kept + sampler.counts.left).toBe(200);
  expect(traces.length).toBeLessThanOrEqual(22);
  const before = traces.length;
  for (let trace = 1; trace <= 100; trace++) {
    sampler.add("c", frameOf(handledHop({ traceId: traceIdOf(trace), isFailed: true })), 1500);
  }
  sampler.sweep(10_000);
  const later = traces.slice(before);
  expect(new Set(later)).toEqual(new Set(counts.keys()));
  expect(sampler.counts.kept + sampler.counts.left).toBe(300);
});

describe("what is kept beyond the cap for usual traces", () => {
  test.each([
    ["a failed send", sentHop({ traceId: traceIdOf(7), isFailed: true })],
    ["a failed handler", handledHop({ traceId: traceIdOf(7), isFailed: true })],
    ["a slow handler", handledHop({ traceId: traceIdOf(7), endUnixNs: 101n * MS })],
    [
      "a message that waited long",
      handledHop({ traceId: traceIdOf(7), startUnixNs: 101n * MS, endUnixNs: 101n * MS }),
    ],
  ])("%s, with the hops before it", (_, hop) => {
    const { sampler, traces } = samplerOf({ usual: 0 });
    sampler.add(
      "a",
      frameOf(sentHop({ traceId: traceIdOf(7) }), sentHop({ traceId: traceIdOf(8) })),
      0,
    );
    sampler.add("b", frameOf(hop), 100);
    sampler.sweep(SAMPLE_WAIT_MS);
    expect(traces).toEqual([7, 7]);
  });

  test("up to a cap of its own", () => {
    const { sampler, traces } = samplerOf({ usual: 0, notable: 20 });
    for (let trace = 1; trace <= 500; trace++) {
      sampler.add("a", frameOf(sentHop({ traceId: traceIdOf(trace), isFailed: true })), 0);
    }
    sampler.sweep(SAMPLE_WAIT_MS);
    expect(traces.length).toBeLessThanOrEqual(41);
    expect(traces.length).toBeGreaterThan(0);
  });
});

test("over a minute, as many spans a second are kept as the cap says", () => {
  const { sampler, traces } = samplerOf({ usual: 50 });
  let trace = 0;
  for (let ms = 0; ms < 60_000; ms += 10) {
    const id = { traceId: traceIdOf((trace += 1)) };
    sampler.add("a", frameOf(sentHop(id), handledHop(id)), ms);
    sampler.sweep(ms);
  }
  expect(traces.length / 59).toBeGreaterThan(45);
  expect(traces.length / 59).toBeLessThan(60);
});

test("held hops are bounded: beyond, the oldest are decided at once", () => {
  const { sampler } = samplerOf({});
  const hops = Array.from({ length: 4000 }, (_, index) =>
    sentHop({ traceId: traceIdOf(index + 1) }),
  );
  const frame = frameOf(...hops);
  for (let round = 0; round < 30; round++) {
    frame.forEach((_, at) => {
      if (at % 88 === 0) frame.writeUInt32LE(round + 1, at + 8);
    });
    sampler.add("a", Buffer.from(frame), 0);
  }
  expect(sampler.held).toBe(100_000);
  expect(sampler.counts.kept + sampler.counts.left).toBe(20_000);
});
