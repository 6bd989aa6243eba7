import { expect, test } from "vitest";
import { LONG_TEST_MS } from "../run-size.ts";
import { runKillPart } from "./kill-part.ts";

test(
  "20 kills of a store that seals, merges and expires: nothing is lost, doubled or invented",
  async () => {
    const { signal } = new AbortController();
    const report = await runKillPart({ rounds: 20, seed: 20, signal });
    expect(report.findings).toEqual({ lost: 0, twice: 0, invented: 0, broken: 0, sentences: [] });
    expect(report).toMatchObject({ rounds: 20, fullChecks: 1 });
    // The run was what it claims to be: how far each life came depends on the machine.
    expect(report.acknowledged).toBeGreaterThan(50);
    expect(report.retried).toBeGreaterThan(0);
    expect(report.kills.start).toBeGreaterThan(0);
    expect(report.sealed).toBeGreaterThan(0);
  },
  LONG_TEST_MS,
);

test(
  "a part that is stopped is checked, and counts the rounds that it did",
  async () => {
    const stop = new AbortController();
    const running = runKillPart({ rounds: 1_000_000, seed: 7, signal: stop.signal });
    stop.abort();
    const report = await running;
    expect(report.rounds).toBeLessThan(3);
    expect(report.fullChecks).toBe(1);
  },
  LONG_TEST_MS,
);
