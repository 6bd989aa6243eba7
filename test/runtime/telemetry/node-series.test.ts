import { expect, test } from "vitest";
import {
  bucketMiddleNs,
  bucketOf,
  DurationHistogram,
} from "../../../src/runtime/telemetry/duration-histogram.ts";
import { NodeSeries } from "../../../src/runtime/telemetry/node-series.ts";
import { frameOf, handledHop, sentHop } from "./made-hops.ts";

const IDENTITY = {
  dataflow: { id: "d", name: "d" },
  node: { id: "n", name: "n" },
  inputs: ["image", "tick"],
  outputs: ["boxes"],
};
const START = 1_767_225_600_123_456_789n;

function handledAfter(latencyNs: number, handlingNs: number, port = 0) {
  const start = START + BigInt(latencyNs);
  return handledHop({
    port,
    sentUnixNs: START,
    receivedUnixNs: START,
    startUnixNs: start,
    endUnixNs: start + BigInt(handlingNs),
  });
}

test("a duration lies in its bucket's bounds, however short or long", () => {
  for (let ns = 10; ns < 5e12; ns *= 1.37) {
    const bucket = bucketOf(ns);
    const upper = 2 ** ((bucket - 27 * 8 + 1) / 8) * 1e9;
    expect(ns).toBeLessThanOrEqual(upper * 1.000_000_1);
    expect(ns).toBeGreaterThan((upper / 2 ** (1 / 8)) * 0.999_999_9);
    expect(Math.abs(bucketMiddleNs(bucket) / ns - 1)).toBeLessThan(0.05);
  }
  expect([bucketOf(0), bucketOf(-5), bucketOf(1e20)]).toEqual([-1, -1, 319]);
});

test("a histogram's point holds each duration once", () => {
  const histogram = new DurationHistogram();
  for (const ns of [0, 1000, 1000, 2_000_000]) histogram.record(ns, bucketOf(ns));
  const { count, sum, min, max, zeroCount, positive, scale } = histogram.point();
  expect({ count, min, max, zeroCount, scale }).toEqual({
    count: 4,
    min: 0,
    max: 0.002,
    zeroCount: 1,
    scale: 3,
  });
  expect(sum).toBeCloseTo(0.002_002, 12);
  expect(positive.bucketCounts.reduce((total, of) => total + of, 0)).toBe(3);
  expect(positive.bucketCounts[0]).toBe(2);
  // Bucket 0 of the point holds (2^(offset/8), 2^((offset+1)/8)] seconds.
  expect(2 ** (positive.offset / 8)).toBeLessThan(1e-6);
  expect(2 ** ((positive.offset + 1) / 8)).toBeGreaterThanOrEqual(1e-6);
});

test("rates are those of the last ten seconds, figures of errors and drops of all time", () => {
  const series = new NodeSeries(IDENTITY, START, 0);
  for (let ms = 0; ms < 20_000; ms += 100) {
    series.hops(frameOf(handledAfter(1e6, 5e6), handledAfter(1e6, 5e6, 1), sentHop({})), ms);
  }
  series.hops(frameOf(sentHop({ isFailed: true })), 19_999);
  const rates = series.rates(20_000);
  expect(rates.inputPerSecond).toBeCloseTo(20, 0);
  expect(rates.outputPerSecond).toBeCloseTo(10, 0);
  expect(rates.inputBytesPerSecond).toBeCloseTo(2000, -2);
  expect(rates.latencyP50Ns).toBeGreaterThan(0.95e6);
  expect(rates.latencyP50Ns).toBeLessThan(1.05e6);
  expect(rates.handlingP50Ns).toBeGreaterThan(4.75e6);
  expect(rates.errors).toBe(1);
  const later = series.rates(40_000);
  expect(later).toMatchObject({ inputPerSecond: 0, latencyP50Ns: null, errors: 1 });
});

test("the 99th percentile sees the slowest of a hundred", () => {
  const series = new NodeSeries(IDENTITY, START, 0);
  const usual = Array.from({ length: 98 }, () => handledAfter(1e6, 1));
  series.hops(frameOf(...usual, handledAfter(50e6, 1), handledAfter(50e6, 1)), 500);
  const { latencyP50Ns, latencyP99Ns } = series.rates(600);
  expect(latencyP50Ns).toBeLessThan(1.1e6);
  expect(latencyP99Ns).toBeGreaterThan(45e6);
});

test("a clock that went back counts as no time at all", () => {
  const series = new NodeSeries(IDENTITY, START, 0);
  series.hops(
    frameOf(handledHop({ sentUnixNs: START, startUnixNs: START - 5n, endUnixNs: START })),
    0,
  );
  expect(series.inputs.get("image")?.latency.point()).toMatchObject({ count: 1, zeroCount: 1 });
});

test("drops go on over a restart, though the process counts anew", () => {
  const series = new NodeSeries(IDENTITY, START, 0);
  const gauges = (dropped: number) => ({
    connections: 2,
    inputs: [{ input: "image", queued: 3, received: 9, dropped }],
  });
  series.gauges(gauges(5));
  series.gauges(gauges(7));
  series.processEnded(1);
  expect(series.rates(0)).toMatchObject({ queued: 0, dropped: 7 });
  series.processStarted({ ...IDENTITY, inputs: ["tick", "image"] });
  series.gauges(gauges(2));
  series.hops(frameOf(handledAfter(1, 1)), 0);
  expect(series.rates(0)).toMatchObject({ queued: 3, dropped: 9 });
  expect(series.inputs.get("tick")?.messages).toBe(1);
});
