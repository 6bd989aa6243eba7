import { expect, test } from "vitest";
import { ScanTurns } from "../../src/log-store/scan-turns.ts";

/** Work of so many slices. */
class Work {
  readonly name: string;
  left: number;
  isReady = true;

  constructor(name: string, slices: number) {
    this.name = name;
    this.left = slices;
  }
}

const SLICE_MS = 2;

/** Gives turns until `until` is done; returns who had them. */
function runUntil(turns: ScanTurns<Work>, until: (turn: string[]) => boolean): readonly string[] {
  const had: string[] = [];
  while (!until(had)) {
    const work = turns.next();
    if (work === undefined) throw new Error("nobody is ready");
    had.push(work.name);
    work.left -= 1;
    if (work.left === 0) turns.remove(work);
    turns.spend(work, SLICE_MS);
  }
  return had;
}

function heavyTurns(count: number): ScanTurns<Work> {
  const turns = new ScanTurns<Work>();
  for (let index = 0; index < count; index++) turns.add(new Work(`heavy ${index}`, 1_000_000));
  return turns;
}

test("among fifty heavy queries a light one waits for one slice of theirs before each of its own", () => {
  const turns = heavyTurns(50);
  runUntil(turns, (had) => had.length === 5000);
  for (let start = 0; start < 2; start++) {
    const light = new Work("light", 20);
    turns.add(light);
    const had = runUntil(turns, () => light.left === 0);
    expect(had.length).toBeLessThanOrEqual(2 * 20);
    // The next one begins at the other kind of turn.
    runUntil(turns, (more) => more.length === 1);
  }
});

test("a light query that begins together with fifty heavy ones has its first slice at once", () => {
  const turns = heavyTurns(50);
  const light = new Work("light", 1);
  turns.add(light);
  expect(runUntil(turns, () => light.left === 0).length).toBeLessThanOrEqual(2);
});

test("heavy queries get on though light ones come without an end", () => {
  const turns = heavyTurns(50);
  let lights = 0;
  const had = runUntil(turns, ({ length }) => {
    turns.add(new Work(`light ${lights++}`, 1));
    return length === 400;
  });
  for (let index = 0; index < 50; index++) expect(had).toContain(`heavy ${index}`);
});

test("equally heavy queries have the same number of turns, one more or less", () => {
  const had = runUntil(heavyTurns(7), ({ length }) => length === 700);
  for (let index = 0; index < 7; index++) {
    const own = had.filter((name) => name === `heavy ${index}`).length;
    expect(Math.abs(own - 100)).toBeLessThanOrEqual(1);
  }
});

test("who waits for its reader has no turn until it is ready again", () => {
  const turns = new ScanTurns<Work>();
  const waiting = new Work("waiting", 10);
  const other = new Work("other", 10);
  turns.add(waiting);
  waiting.isReady = false;
  expect(turns.next()).toBeUndefined();
  turns.add(other);
  expect(runUntil(turns, ({ length }) => length === 4)).toEqual(Array(4).fill("other"));
  waiting.isReady = true;
  expect(runUntil(turns, ({ length }) => length === 2)).toContain("waiting");
  turns.remove(waiting);
  turns.remove(other);
  turns.spend(other, SLICE_MS);
  expect(turns.next()).toBeUndefined();
});
