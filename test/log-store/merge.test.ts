import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ALL_TIME, DAY_NS } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { EmbeddedStoreOptions } from "../../src/log-store/embedded-store.ts";
import { NodeStorage } from "../../src/journal/node-storage.ts";
import type { MergeEnd, MergeRequest } from "../../src/log-store/merger.ts";
import { InlineMerger } from "../../src/log-store/merger.ts";
import type { MergeLimits } from "../../src/log-store/merge-plan.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import {
  ALL,
  aggregate,
  appendLogs,
  BUDGET,
  lawHolds,
  messages,
  openStore,
  parseLines,
  searchAll,
  temporaryFolder,
} from "./store-user.ts";

const NOON = 1_736_251_200_000_000_000n;
const CAMERA = { "service.name": "camera" };
const EAGER: MergeLimits = { ...MERGE_LIMITS, countMin: 2, growthMin: 1.5 };

/** A store that merges two neighbours of like sizes, when it is told to. */
function openEager(
  directory: string,
  options: Partial<EmbeddedStoreOptions> = {},
): Promise<EmbeddedStore> {
  return openStore(directory, { maintenance: { merge: EAGER, tickMs: 3_600_000 }, ...options });
}

let sealCount = 0;

/** Seals of two records each, whose times are those of the other seals; of one day or of several. */
async function sealTimes(store: EmbeddedStore, count: number, days = 1): Promise<void> {
  for (let index = 0; index < count; index++) {
    const day = BigInt(index % days) * BigInt(DAY_NS);
    sealCount += 1;
    await appendLogs(store, [
      { body: `${sealCount} before`, timeUnixNs: NOON + day - 1n },
      { body: `${sealCount} same`, timeUnixNs: NOON + day },
    ]);
    await store.seal();
  }
}

function segmentsIn(directory: string): readonly string[] {
  return readdirSync(join(directory, "segments"));
}

test("merged segments answer as their sources did, and keep every number", async () => {
  const directory = temporaryFolder();
  const store = await openEager(directory);
  await sealTimes(store, 9, 2);
  const before = await searchAll(store);
  const groups = { by: [], stats: [{ kind: "count", name: "count" }] } as const;
  const countBefore = await aggregate(store, groups);
  await store.merge();
  expect(store.stats()).toMatchObject({ segments: 2, merges: { isDue: false, givenUpCount: 0 } });
  expect((await searchAll(store)).entries).toEqual(before.entries);
  expect((await aggregate(store, groups)).rows).toEqual(countBefore.rows);
  expect(segmentsIn(directory)).toHaveLength(2);
  await store.close();
  const again = await openEager(directory);
  expect((await searchAll(again)).entries).toEqual(before.entries);
  expect(lawHolds(again)).toBe(true);
});

test("in a worker a merge gives the same bytes as in this thread", async () => {
  const folders = [temporaryFolder(), temporaryFolder()];
  const clock = { nowUnixNs: () => NOON, monotonicMs: () => 0 };
  const inline = await openEager(folders[0] ?? "", { clock });
  const worker = await EmbeddedStore.open({
    directory: folders[1] ?? "",
    clock,
    maintenance: { merge: EAGER, tickMs: 3_600_000 },
  });
  onTestFinished(() => worker.close());
  const texts = Array.from({ length: 4 }, (_, index) => `frame ${index} late`);
  for (const store of [inline, worker]) {
    for (const body of texts) {
      await appendLogs(store, [{ body }]);
      await store.seal();
    }
    await store.merge();
  }
  // The footer has the store's own id.
  const sectionsOf = (folder: string): Buffer => {
    const [file = ""] = segmentsIn(folder);
    const bytes = readFileSync(join(folder, "segments", file));
    return bytes.subarray(0, bytes.length - 16 - bytes.readUInt32LE(bytes.length - 16));
  };
  const [first = "", second = ""] = folders;
  expect(segmentsIn(first)).toEqual(segmentsIn(second));
  expect(sectionsOf(first)).toEqual(sectionsOf(second));
});

test("a search goes on in the files that it began with; they go when it ends", async () => {
  const directory = temporaryFolder();
  const store = await openEager(directory);
  await appendLogs(
    store,
    Array.from({ length: 3000 }, (_, index) => ({ body: `first ${index}` })),
  );
  await store.seal();
  await appendLogs(
    store,
    Array.from({ length: 3000 }, (_, index) => ({ body: `second ${index}` })),
  );
  await store.seal();
  const request = { signal: "logs", filter: ALL, range: ALL_TIME, order: "oldest" } as const;
  const search = store.search({ ...request, budget: BUDGET }, new AbortController().signal);
  const first = await search.next();
  await store.merge();
  expect(segmentsIn(directory)).toHaveLength(3);
  const found = first.done === true ? [] : [...parseLines(first.value.lines)];
  for await (const batch of search) found.push(...parseLines(batch.lines));
  expect(found).toHaveLength(6000);
  expect(new Set(found.map(({ seq }) => seq)).size).toBe(6000);
  await store.expire();
  expect(segmentsIn(directory)).toHaveLength(1);
});

test("pages go on behind a merge, without a gap and without a repetition", async () => {
  const store = await openEager(temporaryFolder());
  await sealTimes(store, 8);
  const whole = await messages(store, { order: "newest" });
  const paged: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await searchAll(store, {
      order: "newest",
      limit: 3,
      ...(after === undefined ? {} : { after }),
    });
    paged.push(...page.entries.map(({ message }) => message));
    after = page.end.cursor;
    if (after === undefined) break;
    await store.merge();
    await appendLogs(store, [{ body: "later", timeUnixNs: NOON - 1000n }]);
    await store.seal();
  }
  expect(paged).toEqual(whole);
});

test("a live search has no gap and no duplicate across a merge", async () => {
  const store = await openEager(temporaryFolder());
  await sealTimes(store, 4);
  const stop = new AbortController();
  const live = store.follow(
    { signal: "logs", filter: ALL, backlog: 100, bufferBytesMax: 1e6 },
    stop.signal,
  );
  const backlog = await live.next();
  await store.merge();
  await appendLogs(store, [{ body: "live" }]);
  await store.seal();
  await store.merge();
  const pushed = await live.next();
  const seqs = [backlog, pushed].flatMap(({ value }) =>
    value === undefined ? [] : parseLines(value.lines).map(({ seq }) => seq),
  );
  expect(seqs).toEqual([...new Set(seqs)]);
  expect(seqs).toHaveLength(9);
  stop.abort();
});

test("a damaged source ends the merge, is told once, and stays for what is good in it", async () => {
  const directory = temporaryFolder();
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(text);
  const log = { info: () => undefined, warn: complain, error: complain };
  const store = await openEager(directory, { log });
  await sealTimes(store, 3);
  const [, file = ""] = segmentsIn(directory).toSorted();
  const path = join(directory, "segments", file);
  const bytes = readFileSync(path);
  bytes[12] ^= 0xff;
  writeFileSync(path, bytes);
  await store.merge();
  await store.merge();
  expect(store.stats()).toMatchObject({ segments: 3, merges: { isDue: false, givenUpCount: 1 } });
  expect(complaints).toHaveLength(1);
  expect(complaints[0]).toContain(file);
  expect(segmentsIn(directory)).toHaveLength(3);
  expect(store.counters().logs.damaged).toBe(0);
});

test("what retention removes while it is being merged does not come back", async () => {
  const directory = temporaryFolder();
  let nowMs = 1_000_000;
  const clock = { nowUnixNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };
  const storage = new NodeStorage();
  const create = storage.create.bind(storage);
  let onMerge = async (): Promise<void> => undefined;
  storage.create = async (path) => {
    if (/\d{12}-\d{12}\.seg\.tmp$/.test(path)) await onMerge();
    return create(path);
  };
  const store = await openEager(directory, { clock, storage, retentionMs: 100_000 });
  await sealTimes(store, 2);
  onMerge = async () => {
    nowMs += 200_000;
    await store.expire();
  };
  await store.merge();
  expect(await messages(store)).toEqual([]);
  expect(store.counters().logs).toMatchObject({ stored: 4, expired: 4 });
  expect(store.stats()).toMatchObject({ segments: 0, merges: { doneCount: 0, givenUpCount: 1 } });
  expect(segmentsIn(directory).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("a merged segment goes with its newest row", async () => {
  const directory = temporaryFolder();
  let nowMs = 1_000_000;
  const clock = { nowUnixNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };
  const store = await openEager(directory, { clock, retentionMs: 100_000 });
  await sealTimes(store, 1);
  nowMs += 9000;
  await sealTimes(store, 1);
  nowMs += 11_000;
  await sealTimes(store, 1);
  await store.merge();
  // The first two are within a tenth of the retention.
  expect(store.stats().segments).toBe(2);
  nowMs += 88_000;
  await store.expire();
  expect(await messages(store)).toHaveLength(6);
  nowMs += 2000;
  await store.expire();
  expect(await messages(store)).toHaveLength(2);
});

test("a disk without room for the result is told once, and the merge waits", async () => {
  const complaints: string[] = [];
  const complain = (text: string): void => void complaints.push(text);
  const log = { info: () => undefined, warn: complain, error: complain };
  const storage = new NodeStorage();
  let free = 10;
  storage.freeBytes = async () => free;
  const store = await openEager(temporaryFolder(), { storage, log });
  await sealTimes(store, 2);
  await store.merge();
  await store.merge();
  expect(complaints).toEqual(["the disk is too full to merge segments"]);
  expect(store.stats()).toMatchObject({ segments: 2, merges: { isDue: true, givenUpCount: 1 } });
  free = 1e9;
  await store.merge();
  expect(store.stats().segments).toBe(1);
});

test("a store that closes leaves its merge, and the next start leaves no trace of it", async () => {
  const directory = temporaryFolder();
  const store = await EmbeddedStore.open({
    directory,
    clock: systemClock,
    maintenance: { merge: EAGER, tickMs: 3_600_000 },
  });
  await sealTimes(store, 6);
  const merging = store.merge().catch((error: unknown) => String(error));
  await store.close();
  await merging;
  const again = await openEager(directory);
  expect(await messages(again)).toHaveLength(12);
  expect(segmentsIn(directory).every((name) => name.endsWith(".seg"))).toBe(true);
});

test("merges begin by themselves when eight segments are there", async () => {
  const store = await openStore(temporaryFolder(), {
    maintenance: { tickMs: 5 },
  });
  await sealTimes(store, 8);
  await expect.poll(() => store.stats().segments).toBe(1);
  await expect
    .poll(() => store.stats().merges)
    .toMatchObject({ doneCount: 1, rows: 16, isUnderWay: false, isDue: false });
});

test("seals wait for a merge that is far behind, so that segments have a bound", async () => {
  const gate = Promise.withResolvers<void>();
  class HeldMerger extends InlineMerger {
    override async merge(request: MergeRequest): Promise<MergeEnd> {
      await gate.promise;
      return super.merge(request);
    }
  }
  const store = await openStore(temporaryFolder(), {
    merger: new HeldMerger(),
    maintenance: { sealBytes: 1, tickMs: 5, merge: { ...EAGER, pressingCount: 2 } },
  });
  await store.checkSegments();
  for (let index = 0; index < 30; index++) {
    await appendLogs(store, [{ body: `frame ${index}` }]);
    // Behind whatever maintenance began with these rows.
    await store.expire();
  }
  expect(store.stats().segments).toBe(5);
  expect(store.stats().unsealedRows).toBeGreaterThan(0);
  gate.resolve();
  await expect.poll(() => store.stats()).toMatchObject({ unsealedRows: 0 });
  await expect.poll(() => store.stats().segments).toBeLessThan(5);
  expect(await messages(store)).toHaveLength(30);
});

test("a manifest that is lost at any time of a merge's life is made anew as it was", async () => {
  const directory = temporaryFolder();
  const segments = join(directory, "segments");
  let store = await openEager(directory);
  await sealTimes(store, 3, 2);
  // Files as they were before the merges, which a crash may bring back.
  const kept = new Map<string, Buffer>();
  const keep = (): void => {
    for (const name of segmentsIn(directory)) kept.set(name, readFileSync(join(segments, name)));
  };
  keep();
  for (let round = 0; round < 4; round++) {
    await store.merge();
    keep();
    const expected = await searchAll(store);
    const counters = store.counters();
    await store.close();
    for (const bringBack of [() => false, () => true, (index: number) => index % 2 === round % 2]) {
      for (const [index, [name, bytes]] of [...kept].entries()) {
        if (bringBack(index)) writeFileSync(join(segments, name), bytes);
      }
      rmSync(join(directory, "manifest.json"));
      const again = await openEager(directory);
      expect((await searchAll(again)).entries).toEqual(expected.entries);
      expect(again.counters()).toEqual(counters);
      await again.close();
    }
    store = await openEager(directory);
    await appendLogs(store, [{ body: `round ${round}` }], CAMERA);
    await store.seal();
    keep();
  }
});

test("a damaged footer behind the start is found in the background and set aside", async () => {
  const directory = temporaryFolder();
  const store = await openEager(directory);
  await sealTimes(store, 3);
  await store.close();
  const [file = ""] = segmentsIn(directory).toSorted();
  const path = join(directory, "segments", file);
  const bytes = readFileSync(path);
  bytes[bytes.length - 20] ^= 0xff;
  writeFileSync(path, bytes);
  const again = await openEager(directory);
  const { end, entries } = await searchAll(again);
  expect(end.status).toBe("partial");
  expect(entries).toHaveLength(4);
  await again.checkSegments();
  expect(again.counters().logs).toMatchObject({ stored: 6, damaged: 2 });
  expect(readdirSync(join(directory, "damaged"))).toEqual([file]);
  expect((await searchAll(again)).end.status).toBe("complete");
  await again.close();
  const third = await openEager(directory);
  expect(third.counters().logs).toMatchObject({ stored: 6, damaged: 2 });
});
