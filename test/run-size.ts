/**
 * How much of the long tests is run: `npm test` takes a part of each, which differs from run to run
 * where it is drawn, `npm run test:fault` all (vitest.fault.config.ts sets the variable).
 */
const isFull = process.env["DORA_TEST_RUNS"] === "full";

/** The one number in `npm test`, the other in `npm run test:fault`. */
export function runs(count: { readonly part: number; readonly full: number }): number {
  return isFull ? count.full : count.part;
}

/** For tests that take seconds when nothing else runs: never what fails on a busy machine. */
export const LONG_TEST_MS = isFull ? 3_600_000 : 300_000;
