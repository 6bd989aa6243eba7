import { defineConfig } from "vitest/config";

/** The long fault runs: kills in hundreds, one at a time so that they have the machine. */
export default defineConfig({
  test: {
    include: ["test/fault-long/**/*.test.ts"],
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
