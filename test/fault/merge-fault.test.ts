import { expect, test } from "vitest";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import { lawHolds, messages, temporaryFolder } from "../log-store/store-user.ts";
import { LONG_TEST_MS, sampleOf } from "../run-size.ts";
import type { FaultCall } from "./fault-storage.ts";
import { FAULT_KINDS, FaultStorage } from "./fault-storage.ts";
import type { Life } from "./store-life.ts";
import {
  brokenPromise,
  crashAt,
  countUpTo,
  crashesAt,
  needlessSyncs,
  openForFaults,
  send,
  START_MS,
  Told,
  undisturbed,
} from "./store-life.ts";

const RETENTION_MS = 100_000;

/** Seals and merges, merges what was merged before, and has retention take the oldest away. */
const LIFE: Life = {
  options: {
    retentionMs: RETENTION_MS,
    maintenance: { merge: { ...MERGE_LIMITS, countMin: 2, growthMin: 1.9 }, tickMs: 3_600_000 },
  },
  async live(store: EmbeddedStore, told: Told): Promise<void> {
    await sealed(store, told, ["a", "b"]);
    await store.merge();
    await sealed(store, told, ["c", "d"]);
    await store.merge();
    told.nowMs = START_MS + RETENTION_MS / 2;
    await sealed(store, told, ["e", "f"]);
    await store.merge();
    told.nowMs = START_MS + RETENTION_MS + 1;
    const oldest = ["a", "b", "c", "d"];
    for (const name of oldest) told.mayBeGone.add(name);
    await store.expire();
    // Else some were not even taken.
    if (store.counters().logs.expired === 8) for (const name of oldest) told.mustBeGone.add(name);
    await send(store, "g", told);
  },
};

async function sealed(store: EmbeddedStore, told: Told, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await send(store, name, told);
    await store.seal();
  }
}

test("the life of these tests merges twice over, and what it merges expires", async () => {
  const told = new Told();
  const store = await openForFaults(new FaultStorage(temporaryFolder()), LIFE, told);
  await LIFE.live(store, told);
  expect(store.stats()).toMatchObject({ segments: 1, merges: { doneCount: 3, rows: 16 } });
  expect(store.counters().logs).toMatchObject({ stored: 14, expired: 8 });
});

test.each(["kept", "lost"] as const)(
  "the power cut at every call of merges and retention breaks no promise, the manifest %s",
  async (manifest) => {
    const { length } = (await undisturbed(LIFE)).trace;
    for (const halt of sampleOf(countUpTo(length + 1), 6)) {
      for (const crash of crashesAt(halt)) {
        const broken = await crashAt(LIFE, halt, { ...crash, manifest });
        expect(broken, `call ${halt}, ${JSON.stringify(crash)}`).toBeUndefined();
      }
    }
  },
  LONG_TEST_MS,
);

/** The syncs of each merge, and of retention: its file, the folder, the manifest, its folder. */
function syncsOfMerges(syncs: readonly FaultCall[]): ReadonlySet<FaultCall> {
  const merges = syncs.flatMap(({ path }, index) =>
    /-\d{12}-\d{12}\.seg\.tmp$/.test(path) ? syncs.slice(index, index + 4) : [],
  );
  const last = syncs.findLastIndex(({ path }) => path.endsWith("manifest.json.tmp"));
  return new Set([...merges, ...syncs.slice(last, last + 2)]);
}

test(
  "every sync of a merge and of retention that is left out is noticed",
  async () => {
    const { trace } = await undisturbed(LIFE);
    const syncs = trace.filter(({ kind }) => kind === "sync" || kind === "syncDirectory");
    expect(syncsOfMerges(syncs).size).toBe(14);
    const choose = (all: readonly FaultCall[]): ReadonlySet<FaultCall> =>
      new Set(sampleOf([...syncsOfMerges(all)], 7));
    expect(await needlessSyncs(LIFE, choose)).toEqual([]);
  },
  LONG_TEST_MS,
);

test.each(FAULT_KINDS)(
  "each %s that fails costs a merge that is done again, never a record",
  async (kind) => {
    const { trace } = await undisturbed(LIFE);
    const count = trace.filter((call) => call.kind === kind).length;
    for (const nth of sampleOf(countUpTo(count), 6)) {
      for (const takesEffect of [false, true]) {
        const storage = new FaultStorage(temporaryFolder());
        const told = new Told();
        storage.fail(kind, nth, { takesEffect });
        const store = await openForFaults(storage, LIFE, told).catch(() =>
          openForFaults(storage, LIFE, told),
        );
        await LIFE.live(store, told).catch(() => undefined);
        for (const name of ["a", "b", "c", "d", "e", "f", "g"]) await send(store, name, told);
        await store.seal().catch(() => store.seal());
        await store.merge().catch(() => store.merge());
        expect(lawHolds(store), `${kind} ${nth}`).toBe(true);
        expect(new Set(await messages(store)).size).toBe((await messages(store)).length);
        expect(
          await brokenPromise(storage.crash(), told),
          `${kind} ${nth}, ${takesEffect}`,
        ).toBeUndefined();
      }
    }
  },
  LONG_TEST_MS,
);

/** Calls behind a failed commit at which the power is cut: until the next commit is through. */
const CALLS_BEHIND = 16;

test(
  "a manifest that may be on disk or not is not built upon, whenever the power is cut",
  async () => {
    const { trace } = await undisturbed(LIFE);
    const commits = trace.filter(
      ({ kind, path }, index) =>
        kind === "syncDirectory" && path === "store" && trace[index - 1]?.kind === "rename",
    );
    expect(commits.length).toBeGreaterThan(8);
    for (const commit of commits) {
      const at = trace.indexOf(commit);
      const nth = trace.slice(0, at + 1).filter(({ kind }) => kind === "syncDirectory").length;
      for (const behind of sampleOf(countUpTo(CALLS_BEHIND), 8)) {
        const storage = new FaultStorage(temporaryFolder());
        const told = new Told();
        // The disk has the new manifest, and the store is told that it has not.
        storage.fail("syncDirectory", nth, { takesEffect: true });
        storage.haltAt(at + 1 + behind);
        const store = await openForFaults(storage, LIFE, told).catch(() => undefined);
        if (store === undefined) continue;
        await LIFE.live(store, told).catch(() => undefined);
        await send(store, "more", told);
        await store.seal().catch(() => undefined);
        await store.merge().catch(() => undefined);
        await store.close().catch(() => undefined);
        const broken = await brokenPromise(storage.crash({ entries: "kept" }), told);
        expect(broken, `commit ${nth}, ${behind} calls later`).toBeUndefined();
      }
    }
  },
  LONG_TEST_MS,
);
