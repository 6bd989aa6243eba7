import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { journalFileName } from "../../src/journal/file-name.ts";
import type { CrashOptions, FaultKind, FaultOptions } from "../fault/fault-storage.ts";
import { FaultStorage } from "../fault/fault-storage.ts";
import { JournalUser } from "./journal-user.ts";

/** These walk over every call; on a busy machine that takes its time. */
const SLOW_MS = 120_000;

let base = "";
let rootCount = 0;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), "journal-fault-"));
});
afterEach(() => fs.rmSync(base, { recursive: true }));

function begin(): { readonly storage: FaultStorage; readonly user: JournalUser } {
  const root = path.join(base, String(++rootCount));
  fs.mkdirSync(root);
  return { storage: new FaultStorage(root), user: new JournalUser(root) };
}

/** A seeded source of numbers from 0 up to 1, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e_37_79_b1);
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A function each, so that every use begins its numbers anew. */
const CRASHES: readonly (() => CrashOptions)[] = [
  () => ({ content: "lost", entries: "undone" }),
  () => ({ content: "lost", entries: "kept" }),
  () => ({ content: "lost", entries: "removals" }),
  ...[1, 2].flatMap((seed): readonly (() => CrashOptions)[] => [
    () => ({ content: "lost", entries: "random", random: seeded(seed) }),
    () => ({ content: "torn", entries: "kept", random: seeded(seed) }),
    () => ({ content: "pages", entries: "kept", random: seeded(seed), pageBytes: 64 }),
  ]),
];

/** Opens, appends, rotates, keeps retry keys, and removes files. Ends early if the disk does. */
async function work(storage: FaultStorage, user: JournalUser): Promise<void> {
  try {
    await user.reopen(storage);
    user.append(2);
    await user.flush();
    user.append(3, 500);
    await user.flush();
    for (let index = 0; index < 3; index++) {
      user.append(1, 1800);
      await user.flush();
    }
    await user.release(user.nextSeq - 6);
    user.append(2);
    await user.flush();
    await user.journal.close();
  } catch (error) {
    if (isBroken(error)) throw error;
  }
}

/** A promise was not kept, as told from a call that failed. */
function isBroken(error: unknown): boolean {
  return error instanceof Error && error.name === "AssertionError";
}

async function isCaught(storage: FaultStorage, user: JournalUser): Promise<boolean> {
  try {
    await user.reopen(storage);
    await user.journal.close();
    return false;
  } catch (error) {
    if (!isBroken(error)) throw error;
    return true;
  }
}

async function countCalls(): Promise<{ readonly calls: number; readonly syncs: number }> {
  const { storage, user } = begin();
  await work(storage, user);
  expect(user.failed.size).toBe(0);
  return { calls: storage.trace.length, syncs: storage.syncCount };
}

describe("a crash", () => {
  test(
    "before any call loses nothing committed, invents nothing, reuses no number (PIPE-007)",
    { timeout: SLOW_MS },
    async () => {
      const { calls } = await countCalls();
      expect(calls).toBeGreaterThan(30);
      for (let nth = 1; nth <= calls + 1; nth++) {
        for (const options of CRASHES) {
          const { storage, user } = begin();
          storage.haltAt(nth);
          await work(storage, user);
          const next = storage.crash(options());
          await user.reopen(next);
          user.append(2);
          await user.journal.close();
          await user.reopen(next.crash(options()));
          await user.journal.close();
        }
      }
    },
  );

  test(
    "of the process before any call loses nothing, and then the power may fail too",
    { timeout: SLOW_MS },
    async () => {
      const { calls } = await countCalls();
      for (let nth = 1; nth <= calls + 1; nth++) {
        const { storage, user } = begin();
        storage.haltAt(nth);
        await work(storage, user);
        const second = storage.kill();
        await user.reopen(second);
        // What came back counts from here on, although its own sync may never have run.
        const third = second.crash();
        await user.reopen(third);
        user.append(1);
        await user.flush();
        const fourth = third.kill();
        await user.reopen(fourth);
        await user.journal.close();
      }
    },
  );
});

describe("every sync counts", () => {
  test(
    "a journal without any one of them breaks a promise at some crash",
    { timeout: SLOW_MS },
    async () => {
      const { calls, syncs } = await countCalls();
      for (let sync = 1; sync <= syncs; sync++) {
        let isNeeded = false;
        for (let nth = 1; nth <= calls + 1 && !isNeeded; nth++) {
          for (const options of CRASHES) {
            const { storage, user } = begin();
            storage.ignoreSync(sync);
            storage.haltAt(nth);
            await work(storage, user);
            isNeeded ||= await isCaught(storage.crash(options()), user);
          }
        }
        expect(isNeeded, `sync ${sync} of ${syncs} is needed`).toBe(true);
      }
    },
  );

  /** Kills the process where the nth call of a kind was to be, opens again, ignores a sync. */
  async function openAfterKill(kind: FaultKind, ignored: number | undefined): Promise<boolean> {
    const { storage, user } = begin();
    await user.reopen(storage);
    const before = storage.trace.length;
    user.append(1);
    await user.flush();
    const offset = storage.trace.slice(before).findIndex((call) => call.kind === kind);
    const again = begin();
    again.storage.haltAt(before + offset + 1);
    await again.user.reopen(again.storage);
    again.user.append(1);
    await again.user.flush();
    const next = again.storage.kill();
    if (ignored !== undefined) next.ignoreSync(ignored);
    const { frames } = await again.user.reopen(next);
    expect(frames).toHaveLength(1);
    return isCaught(next.crash(), again.user);
  }

  test("those of opening after a kill: of the file, and of its folder", async () => {
    expect(await openAfterKill("sync", undefined)).toBe(false);
    expect(await openAfterKill("syncDirectory", undefined)).toBe(false);
    // The first is of the folder above, which this opening did not make.
    expect(await openAfterKill("sync", 2)).toBe(true);
    expect(await openAfterKill("syncDirectory", 3)).toBe(true);
  });

  test("those of a new file that says what failed", async () => {
    for (const [ignored, isNeeded] of [
      [undefined, false],
      [1, true],
      [2, true],
    ] as const) {
      const { storage, user } = begin();
      await user.reopen(storage);
      user.append(1);
      await user.flush();
      storage.fail("sync", 1);
      user.append(1);
      // The sync that fails is one, too.
      if (ignored !== undefined) storage.ignoreSync(storage.syncCount + 1 + ignored);
      await user.flush();
      await user.journal.close();
      await user.flush();
      expect(user.buried.size).toBe(1);
      expect(await isCaught(storage.crash(), user)).toBe(isNeeded);
    }
  });

  test("that of a file begun in vain, before the file that passes it over goes", async () => {
    async function isCaughtWithout(ignored: boolean): Promise<boolean> {
      for (let seed = 1; seed <= 40; seed++) {
        const { storage, user } = begin();
        await user.reopen(storage);
        user.append(1, 1500);
        await user.flush();
        // The frame is on disk, its sender is told that it is not, and the file stays.
        storage.fail("syncDirectory", 1, { takesEffect: true });
        storage.fail("remove", 1);
        user.append(1, 1500);
        await user.flush();
        for (let index = 0; index < 2; index++) {
          user.append(1, 1500);
          await user.flush();
        }
        expect(user.buried.size).toBe(1);
        user.clock.unixMs += 3_600_000;
        if (ignored) storage.ignoreSync(storage.syncCount + 1);
        await user.release(user.nextSeq - 3);
        const crash = storage.crash({ entries: "random", random: seeded(seed) });
        if (await isCaught(crash, user)) return true;
      }
      return false;
    }
    expect(await isCaughtWithout(false)).toBe(false);
    expect(await isCaughtWithout(true)).toBe(true);
  });
});

describe("a failing disk", () => {
  const KINDS: readonly FaultKind[] = [
    "create",
    "write",
    "sync",
    "truncate",
    "rename",
    "remove",
    "syncDirectory",
  ];
  const VARIANTS: Readonly<Record<string, FaultOptions>> = {
    "without effect": {},
    "after a part of the write": { writtenBytes: 300 },
    "with all of its effect": { takesEffect: true, writtenBytes: 1e9 },
  };

  test.each(KINDS)("that fails any one %s keeps what is committed and goes on", async (kind) => {
    const plain = begin();
    await work(plain.storage, plain.user);
    const count = plain.storage.trace.filter((call) => call.kind === kind).length;
    for (let nth = 1; nth <= count; nth++) {
      for (const options of Object.values(VARIANTS)) {
        const { storage, user } = begin();
        storage.fail(kind, nth, options);
        await work(storage, user);
        const appendedCount = user.nextSeq / 3;
        const toldCount = user.committed.size + user.failed.size;
        expect(toldCount, "everyone is told what became of his frame").toBe(appendedCount);
        // Only opening and releasing may fail without a frame.
        if (user.failed.size > 0) expect(user.errors[0].message).toContain("EIO");
        const next = storage.crash({ content: "torn", random: seeded(nth) });
        await user.reopen(next);
        user.append(3, 700);
        await user.journal.close();
        await user.reopen(next.kill());
        await user.journal.close();
      }
    }
  });

  /** Lets the journal do what it does on its own; every call of this disk takes one turn. */
  async function settle(user: JournalUser, isExpected: boolean): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect(user.journal.isBroken).toBe(isExpected);
  }

  test("that is full fails every append until there is room, then goes on", async () => {
    const { storage, user } = begin();
    await user.reopen(storage);
    user.append(2);
    await user.flush();
    for (const kind of ["write", "create"] as const) {
      storage.fail(kind, 1, { code: "ENOSPC", isLasting: true, writtenBytes: 70 });
    }
    for (let index = 0; index < 3; index++) {
      const failedCount = user.failed.size;
      user.append(2);
      await user.flush();
      expect(user.failed.size).toBe(failedCount + 2);
      expect(user.journal.isBroken).toBe(true);
    }
    expect(user.errors.every((error) => error.message.includes("ENOSPC"))).toBe(true);
    expect(fs.readdirSync(user.directory)).toEqual([journalFileName(1)]);
    storage.heal();
    user.append(2);
    await user.flush();
    expect(user.committed.size).toBe(4);
    expect(user.journal.isBroken).toBe(false);
    const totals = user.journal.droppedTotals;
    expect(totals.logs + totals.traces + totals.metrics).toBe(18);
    const { frames, report } = await user.reopen(storage.crash());
    expect(frames).toHaveLength(4);
    expect(report.damagedCount).toBe(0);
    expect(user.journal.droppedTotals).toEqual(totals);
    await user.journal.close();
  });

  test("at closing is told of what was dropped, once it lets itself be told", async () => {
    const { storage, user } = begin();
    await user.reopen(storage);
    user.append(1);
    await user.flush();
    storage.fail("write", 1, { isLasting: true });
    for (let index = 0; index < 2; index++) {
      user.append(1);
      // The second time nothing is tried on its own any more: only an append, or closing, does.
      await user.flush();
    }
    await settle(user, true);
    storage.heal();
    await user.journal.close();
    await user.reopen(storage.crash());
    const totals = user.journal.droppedTotals;
    expect(totals.logs + totals.traces + totals.metrics).toBe(6);
    await user.journal.close();
  });

  test("once is written down at once, and leaves nothing of the failed frames", async () => {
    const { storage, user } = begin();
    await user.reopen(storage);
    user.append(1);
    await user.flush();
    const validBytes = user.journal.sizeBytes;
    storage.fail("write", 1, { writtenBytes: 99 });
    user.append(1);
    await user.flush();
    expect(user.journal.isBroken).toBe(true);
    await settle(user, false);
    const { size } = fs.statSync(path.join(user.directory, journalFileName(1)));
    expect(size).toBe(validBytes);
    const { frames } = await user.reopen(storage.crash());
    expect(frames).toHaveLength(1);
    const totals = user.journal.droppedTotals;
    expect(totals.logs + totals.traces + totals.metrics).toBe(3);
    await user.journal.close();
  });

  test("drops what is in flight and what is queued behind it, in one call", async () => {
    const { storage, user } = begin();
    await user.reopen(storage);
    user.append(1);
    await user.flush();
    storage.fail("sync", 1);
    user.append(2);
    await new Promise(setImmediate);
    user.append(3);
    await user.flush();
    expect([user.failed.size, user.errors.length]).toEqual([5, 1]);
    await user.journal.close();
  });
});

describe("any history", () => {
  type Step =
    | {
        readonly kind: "append";
        readonly count: number;
        readonly bytes: number;
        readonly isFlushed: boolean;
      }
    | { readonly kind: "release"; readonly share: number }
    | { readonly kind: "wait"; readonly ms: number }
    | {
        readonly kind: "fail";
        readonly call: FaultKind;
        readonly nth: number;
        readonly options: FaultOptions;
      }
    | { readonly kind: "heal" }
    | { readonly kind: "turn" }
    | { readonly kind: "kill" }
    | {
        readonly kind: "crash";
        readonly seed: number;
        readonly content: "lost" | "torn" | "pages";
      };

  const append = fc.record({
    kind: fc.constant("append" as const),
    count: fc.integer({ min: 1, max: 4 }),
    bytes: fc.nat(900),
    isFlushed: fc.boolean(),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { arbitrary: append, weight: 6 },
    {
      arbitrary: fc.record({
        kind: fc.constant("release" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(500_000) }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant("fail" as const),
        call: fc.constantFrom<FaultKind>(
          "create",
          "write",
          "sync",
          "truncate",
          "rename",
          "remove",
          "syncDirectory",
        ),
        nth: fc.integer({ min: 1, max: 3 }),
        options: fc.record({
          isLasting: fc.boolean(),
          takesEffect: fc.boolean(),
          writtenBytes: fc.nat(1000),
        }),
      }),
      weight: 2,
    },
    { arbitrary: fc.constant({ kind: "heal" as const }), weight: 2 },
    { arbitrary: fc.constant({ kind: "turn" as const }), weight: 2 },
    { arbitrary: fc.constant({ kind: "kill" as const }), weight: 1 },
    {
      arbitrary: fc.record({
        kind: fc.constant("crash" as const),
        seed: fc.nat(),
        content: fc.constantFrom("lost" as const, "torn" as const, "pages" as const),
      }),
      weight: 1,
    },
  );

  /** Opens on a disk that works: what it promised before must hold. */
  async function restart(storage: FaultStorage, user: JournalUser): Promise<FaultStorage> {
    await user.reopen(storage);
    return storage;
  }

  async function take(
    step_: Step,
    storage: FaultStorage,
    user: JournalUser,
  ): Promise<FaultStorage> {
    switch (step_.kind) {
      case "append":
        user.append(step_.count, step_.bytes);
        if (step_.isFlushed) await user.flush();
        return storage;
      case "release":
        await user.release(Math.floor(user.nextSeq * step_.share)).catch(() => undefined);
        return storage;
      case "wait":
        user.clock.unixMs += step_.ms;
        return storage;
      case "fail":
        storage.fail(step_.call, step_.nth, step_.options);
        return storage;
      case "heal":
        storage.heal();
        return storage;
      case "turn":
        await new Promise(setImmediate);
        return storage;
      case "kill":
        return restart(storage.kill(), user);
      case "crash": {
        const { content, seed } = step_;
        return restart(storage.crash({ content, entries: "undone", random: seeded(seed) }), user);
      }
    }
  }

  test(
    "of appends, rotations, releases, faults and crashes keeps every promise",
    { timeout: SLOW_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const { storage: first, user } = begin();
          let storage = await restart(first, user);
          for (const next of steps) storage = await take(next, storage, user);
          storage = await restart(storage.kill(), user);
          user.append(1);
          await user.flush();
          expect(user.journal.isBroken).toBe(false);
          await restart(storage.crash(), user);
          await user.journal.close();
        }),
        { numRuns: 150 },
      );
    },
  );
});
