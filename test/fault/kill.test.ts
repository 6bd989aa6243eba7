import { expect, test } from "vitest";
import { LONG_TEST_MS } from "../run-size.ts";
import { runKillRounds } from "./kill-rounds.ts";

test(
  "10 kills under load: every acknowledged record is there once, and no other (PIPE-007)",
  async () => {
    const report = await runKillRounds({ rounds: 10, seed: 20 });
    const { acknowledged, found, lost, twice, invented, broken } = report;
    expect({ lost, twice, invented, broken }).toEqual({
      lost: [],
      twice: [],
      invented: [],
      broken: [],
    });
    expect(found).toBe(acknowledged);
    expect(report.storedByCount).toBe(report.storedByLooking);
    // The run was what it claims to be.
    expect(acknowledged).toBeGreaterThan(1000);
    expect(report.retries).toBeGreaterThan(10);
    expect(report.kills.whileStarting).toBeGreaterThan(0);
    expect(report.segments).toBeGreaterThan(0);
  },
  LONG_TEST_MS,
);
