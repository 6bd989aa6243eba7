import { defineConfig } from "vitest/config";

/** Tests against real peers; a test whose peer is not built is skipped by name. */
export default defineConfig({
  test: {
    include: ["test/parts/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
