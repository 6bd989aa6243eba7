import { describe, expect, test } from "vitest";
import type { PerSignal } from "../../src/log-store/counters.ts";
import type { SignalCounters } from "../../src/log-store/ingest.ts";
import { KillAccount } from "./kill-account.ts";

const ALL = { fromUnixMs: 0, dueUnixMs: 0 };

/** Ten acknowledged, of which the first five were sent at 100, the others at 200; two unanswered. */
function account(): KillAccount {
  const made = new KillAccount();
  made.acknowledge(made.give(5, 100), 5);
  made.acknowledge(made.give(5, 200), 5);
  made.give(2, 300);
  return made;
}

function found(...numbers: readonly number[]): Float64Array {
  return Float64Array.from(numbers);
}

function counters(logs: Partial<SignalCounters>): PerSignal<SignalCounters> {
  const none = {
    received: 0,
    stored: 0,
    rejected: 0,
    filtered: 0,
    deduplicated: 0,
    dropped: 0,
    pending: 0,
    expired: 0,
    damaged: 0,
  };
  return { logs: { ...none, ...logs }, traces: none, metrics: none };
}

describe("a comparison with what a store holds", () => {
  test.each([
    ["all that was acknowledged", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], {}],
    ["what was never answered too", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], {}],
    ["one that is not there", [0, 1, 2, 3, 5, 6, 7, 8, 9], { lost: 1 }],
    ["one that is there twice", [0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9], { twice: 1 }],
    ["one unanswered that is there twice", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10], { twice: 1 }],
    ["one that was never sent", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12], { invented: 1 }],
  ])("%s", (_, numbers, findings) => {
    const books = account();
    books.compare(found(...numbers), ALL);
    expect(books.findings).toMatchObject({
      lost: 0,
      twice: 0,
      invented: 0,
      broken: 0,
      ...findings,
    });
    expect(books.findings.sentences).toHaveLength(Object.keys(findings).length);
  });

  test("what is older than what is due may be gone, but not be there twice", () => {
    const books = account();
    books.compare(found(1, 5, 6, 7, 8, 9), { fromUnixMs: 0, dueUnixMs: 200 });
    expect(books.findings.sentences).toEqual([]);
    books.compare(found(1, 1, 5, 6, 7, 8), { fromUnixMs: 0, dueUnixMs: 200 });
    expect(books.findings).toMatchObject({ lost: 1, twice: 1 });
  });

  test("what was sent before the time that was asked for has no business there", () => {
    const books = account();
    books.compare(found(4, 5, 6, 7, 8, 9), { fromUnixMs: 150, dueUnixMs: 150 });
    expect(books.findings).toMatchObject({ lost: 0, invented: 1 });
  });

  test("more numbers than it began with have room", () => {
    const books = new KillAccount();
    for (let turn = 0; turn < 20; turn++) books.acknowledge(books.give(10_000, turn), 10_000);
    books.compare(
      Float64Array.from({ length: 199_999 }, (_, index) => index),
      ALL,
    );
    expect(books.findings).toMatchObject({ lost: 1, twice: 0, invented: 0 });
  });
});

describe("the counts", () => {
  test("those that add up and never fall are well", () => {
    const books = account();
    books.checkCounters(counters({ received: 12, stored: 10, deduplicated: 2 }));
    books.checkCounters(counters({ received: 14, stored: 12, deduplicated: 2, expired: 4 }));
    expect(books.findings.sentences).toEqual([]);
  });

  test.each([
    ["do not add up", { received: 13, stored: 10, deduplicated: 2 }],
    ["miss what was acknowledged", { received: 9, stored: 9 }],
    ["know of damage", { received: 10, stored: 10, damaged: 1 }],
    ["know of drops", { received: 11, stored: 10, dropped: 1 }],
  ])("that %s are broken", (_, logs) => {
    const books = account();
    books.checkCounters(counters(logs));
    expect(books.findings.broken).toBe(1);
  });

  test("that fall are broken", () => {
    const books = account();
    books.checkCounters(counters({ received: 12, stored: 12 }));
    books.checkCounters(counters({ received: 11, stored: 11 }));
    expect(books.findings.broken).toBe(1);
  });

  test("at rest, what is stored was acknowledged, and is there or expired", () => {
    const books = account();
    books.checkTotals(counters({ stored: 10, expired: 3 }), 7);
    expect(books.findings.broken).toBe(0);
    books.checkTotals(counters({ stored: 10, expired: 3 }), 6);
    expect(books.findings.broken).toBe(1);
    books.checkTotals(counters({ stored: 11, expired: 3 }), 8);
    expect(books.findings.broken).toBe(2);
  });
});
