import { describe, expect, test } from "vitest";
import { CanaryLedger, PATIENCE_MS } from "../../src/cli/canary-ledger.ts";

const CAPACITY = 100;

/** Sends numbers and has them acknowledged at `nowMs`; gives the first of them. */
function sendAndAcknowledge(ledger: CanaryLedger, count: number, nowMs = 0): number {
  const first = ledger.send(count, 0);
  ledger.acknowledge(nowMs, 2);
  return first;
}

/** One whole search that gives these numbers. */
function search(ledger: CanaryLedger, given: Iterable<number>, startedMs = 1): void {
  const range = ledger.nextSearch(CAPACITY);
  if (range === undefined) throw new Error("there is nothing to search for");
  const found = ledger.beginSearch(range);
  for (const number of given) found.see(number);
  found.end(startedMs);
}

function numbers(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

function counts(ledger: CanaryLedger): ReturnType<typeof Object.fromEntries> {
  const all = Object.entries(ledger.tally.total.counts);
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

describe("what is found by search", () => {
  test("all that was acknowledged is found: nothing is missing, and the books are closed", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 10);
    search(ledger, numbers(0, 10));
    ledger.judgeLive(1);
    expect(counts(ledger)).toEqual({ sent: 10, acknowledged: 10, found: 10 });
    expect(ledger.isSettled).toBe(true);
  });

  test("what is not found is asked for again, and missing once it had its time", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 10, 5);
    search(ledger, [0, 1, 2, 4, 5, 6, 7, 8, 9], 5 + PATIENCE_MS - 1);
    expect(counts(ledger)).toMatchObject({ found: 9 });
    expect(ledger.nextSearch(CAPACITY)?.from).toBe(3);
    search(ledger, [4, 5, 6, 7, 8, 9], 5 + PATIENCE_MS);
    expect(counts(ledger)).toEqual({ sent: 10, acknowledged: 10, found: 9, missing: 1 });
    expect(ledger.named).toEqual([3]);
    expect(ledger.nextSearch(CAPACITY)).toBeUndefined();
  });

  test("what comes late, but in its time, is not missing", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 4);
    search(ledger, [0, 1]);
    search(ledger, [2, 3], 2 * PATIENCE_MS);
    expect(counts(ledger)).toEqual({ sent: 4, acknowledged: 4, found: 4 });
  });

  test("what was refused, or never answered, is not expected", () => {
    const ledger = new CanaryLedger(CAPACITY);
    ledger.send(3, 0);
    ledger.giveUp("refused");
    ledger.send(2, 0);
    ledger.giveUp("unanswered");
    search(ledger, [], 2 * PATIENCE_MS);
    ledger.judgeLive(2 * PATIENCE_MS);
    expect(counts(ledger)).toEqual({ sent: 5, refused: 3 });
    expect(ledger.isSettled).toBe(true);
  });

  test("a number found twice is doubled once, however often it is searched for", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 4);
    search(ledger, [1, 2, 2, 3]);
    search(ledger, [0, 1, 2, 2, 3]);
    expect(counts(ledger)).toEqual({ sent: 4, acknowledged: 4, found: 4, doubled: 1 });
    expect(ledger.named).toEqual([2]);
    // The next count will find both again.
    expect(ledger.watched).toMatchObject({ from: 0, to: 4, found: 5 });
  });

  test("of two searches at once, the one that ends later changes nothing that is judged", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 60);
    const range = ledger.nextSearch(CAPACITY);
    if (range === undefined) throw new Error("there is nothing to search for");
    const slow = ledger.beginSearch(range);
    search(ledger, numbers(0, 60));
    ledger.judgeLive(1);
    sendAndAcknowledge(ledger, 60);
    for (const number of numbers(0, 60)) slow.see(number);
    slow.end(2 * PATIENCE_MS);
    // Number 110 has the place in the ring that number 10 had.
    search(ledger, [...numbers(60, 110), ...numbers(111, 120)], 2 * PATIENCE_MS);
    expect(counts(ledger)).toEqual({ sent: 120, acknowledged: 120, found: 119, missing: 1 });
  });

  test("a number behind a later one is out of order", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 3);
    search(ledger, [1, 0, 2]);
    expect(counts(ledger)).toMatchObject({ outOfOrder: 1 });
  });

  test("what was found and is gone later is missing, and said once", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 6);
    search(ledger, numbers(0, 6));
    const watched = ledger.watched;
    expect(watched).toEqual({ from: 0, to: 6, sinceUnixMs: 0, found: 6 });
    if (watched === undefined) return;
    ledger.recount(watched, 6);
    expect(counts(ledger)).not.toHaveProperty("missing");
    ledger.recount(watched, 4);
    expect(counts(ledger)).toMatchObject({ missing: 2 });
    // A count that was asked for meanwhile says the same.
    ledger.recount(watched, 4);
    expect(counts(ledger)).toMatchObject({ missing: 2 });
    expect(ledger.watched).toBeUndefined();
  });

  test("more than was found is doubled", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 6);
    search(ledger, numbers(0, 6));
    if (ledger.watched !== undefined) ledger.recount(ledger.watched, 9);
    expect(counts(ledger)).toMatchObject({ doubled: 3 });
  });
});

describe("what is pushed", () => {
  test("latency counts from the acknowledgement, and is 0 where the push comes before it", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 1, 10);
    ledger.push(0, 14);
    expect(ledger.tally.total.pushMs).toMatchObject({ max: 4 });
    ledger.tally.takeInterval();
    ledger.send(1, 0);
    ledger.push(1, 20);
    ledger.acknowledge(21, 2);
    expect(ledger.tally.takeInterval().pushMs).toMatchObject({ max: 0 });
    expect(counts(ledger)).toEqual({ sent: 2, acknowledged: 2, pushed: 2 });
  });

  test("behind what a live search pushed, each number must be pushed", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 6, 0);
    // What was sent before the live search began is not expected of it.
    for (const number of [2, 3, 5]) ledger.push(number, 1);
    ledger.judgeLive(PATIENCE_MS - 1);
    expect(counts(ledger)).not.toHaveProperty("notPushed");
    expect(ledger.isSettled).toBe(false);
    ledger.judgeLive(PATIENCE_MS);
    expect(counts(ledger)).toMatchObject({ pushed: 3, notPushed: 1 });
  });

  test("what the live search said it left out is no fault", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 6, 0);
    for (const number of [0, 1, 5]) ledger.push(number, 1);
    ledger.leaveOut(2);
    ledger.judgeLive(PATIENCE_MS);
    expect(counts(ledger)).toMatchObject({ leftOut: 2, notPushed: 1 });
  });

  test("a live search that broke owes nothing, and the next one what follows its first", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 4, 0);
    ledger.push(0, 1);
    ledger.endLive(2);
    sendAndAcknowledge(ledger, 4, 3);
    ledger.push(5, 4);
    ledger.judgeLive(2 * PATIENCE_MS);
    expect(counts(ledger)).toMatchObject({ pushed: 2, notPushed: 2, reconnected: 1 });
  });

  test("a number pushed twice is doubled, also after it was forgotten", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 3);
    for (const number of [0, 1, 1, 2]) ledger.push(number, 1);
    search(ledger, numbers(0, 3));
    ledger.judgeLive(1);
    ledger.push(0, 2);
    expect(counts(ledger)).toMatchObject({ pushed: 3, doubled: 2, outOfOrder: 1 });
    // Now another number has the place in the ring that it had.
    sendAndAcknowledge(ledger, CAPACITY);
    ledger.push(1, 2);
    expect(counts(ledger)).toMatchObject({ pushed: 3, doubled: 3 });
  });

  test("a number that is found first stays known until it is pushed", () => {
    const ledger = new CanaryLedger(CAPACITY);
    sendAndAcknowledge(ledger, 3);
    ledger.push(0, 1);
    search(ledger, numbers(0, 3));
    ledger.judgeLive(1);
    expect(ledger.isSettled).toBe(false);
    for (const number of [1, 2]) ledger.push(number, 2);
    ledger.judgeLive(2);
    expect(counts(ledger)).toEqual({ sent: 3, acknowledged: 3, pushed: 3, found: 3 });
    expect(ledger.isSettled).toBe(true);
  });
});

test("the window has no more room than it was given, and gets it back as numbers are judged", () => {
  const ledger = new CanaryLedger(CAPACITY);
  for (let turn = 0; turn < 50; turn++) {
    const first = sendAndAcknowledge(ledger, 60);
    expect(ledger.room).toBe(CAPACITY - 60);
    for (const number of numbers(first, first + 60)) ledger.push(number, 1);
    search(ledger, numbers(first, first + 60));
    ledger.judgeLive(1);
    expect(ledger.room).toBe(CAPACITY);
  }
  expect(counts(ledger)).toEqual({ sent: 3000, acknowledged: 3000, pushed: 3000, found: 3000 });
});
