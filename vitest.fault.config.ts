import { defineConfig } from "vitest/config";

/**
 * The long fault runs, one at a time so that they have the machine: kills in hundreds, and all runs
 * of those tests of which `npm test` takes a part (test/run-size.ts).
 */
export default defineConfig({
  test: {
    include: [
      "test/fault-long/**/*.test.ts",
      "test/fault/merge-fault.test.ts",
      "test/fault/store-fault.test.ts",
      "test/log-store/*-properties.test.ts",
      "test/log-store/regex-plan.test.ts",
    ],
    env: { DORA_TEST_RUNS: "full" },
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 1,
  },
});
