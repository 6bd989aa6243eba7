/**
 * How much of the long tests is run: `npm test` takes a part of each, which differs from run to run
 * where it is drawn, `npm run test:fault` all (vitest.fault.config.ts sets the variable).
 */
const isFull = process.env["DORA_TEST_RUNS"] === "full";

/** The one number in `npm test`, the other in `npm run test:fault`. */
export function runs(count: { readonly part: number; readonly full: number }): number {
  return isFull ? count.full : count.part;
}

/**
 * In `npm test` every `every`th of them, from a random one on, so that what is left out differs from
 * run to run; one at the least. A failure has to say which one it was.
 */
export function sampleOf<T>(all: readonly T[], every: number): readonly T[] {
  if (isFull) return all;
  const start = Math.floor(Math.random() * Math.min(every, all.length));
  return all.filter((_, index) => index % every === start);
}

/** For tests that take seconds when nothing else runs: never what fails on a busy machine. */
export const LONG_TEST_MS = isFull ? 3_600_000 : 300_000;
