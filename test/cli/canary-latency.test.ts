import { expect, test } from "vitest";
import { LatencyHistogram } from "../../src/cli/canary-latency.ts";

test("percentiles are within a bucket of the true ones, and the largest is exact", () => {
  const latencies = new LatencyHistogram();
  for (let index = 1; index <= 10_000; index++) latencies.record(index / 10);
  const { p50, p99, max } = latencies.summary() ?? { p50: 0, p99: 0, max: 0 };
  expect(p50).toBeGreaterThanOrEqual(500);
  expect(p50).toBeLessThan(500 * 1.045);
  expect(p99).toBeGreaterThanOrEqual(990);
  expect(p99).toBeLessThanOrEqual(1000);
  expect(max).toBe(1000);
});

test("a few values among many show in the 99th percentile alone", () => {
  const latencies = new LatencyHistogram();
  for (let index = 0; index < 98; index++) latencies.record(1);
  latencies.record(80);
  latencies.record(90);
  const { p50, p99, max } = latencies.summary() ?? { p50: 0, p99: 0, max: 0 };
  expect(p50).toBeCloseTo(1, 1);
  expect(p99).toBeGreaterThanOrEqual(80);
  expect(p99).toBeLessThan(80 * 1.045);
  expect(max).toBe(90);
});

test("values at both ends of the range are counted, and none gives no summary", () => {
  const latencies = new LatencyHistogram();
  expect(latencies.summary()).toBeUndefined();
  latencies.record(0);
  expect(latencies.summary()).toEqual({ p50: 0, p99: 0, max: 0 });
  latencies.record(1e9);
  expect(latencies.summary()?.max).toBe(1e9);
  latencies.clear();
  expect(latencies.summary()).toBeUndefined();
});
