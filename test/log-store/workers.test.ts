import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import {
  ALL,
  aggregate,
  appendLogs,
  BUDGET,
  messages,
  temporaryFolder,
  word,
} from "./store-user.ts";

/** A store as `dora serve` opens it: seals and queries in workers. */
async function openWithWorkers(): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open({ directory: temporaryFolder(), clock: systemClock });
  onTestFinished(() => store.close());
  return store;
}

test("seals and queries run in workers, one after the other and side by side", async () => {
  const store = await openWithWorkers();
  for (let round = 0; round < 3; round++) {
    await appendLogs(store, [{ body: `round ${round}` }]);
    await store.seal();
  }
  await appendLogs(store, [{ body: "round open" }]);
  expect(store.stats()).toMatchObject({ segments: 3, unsealedRows: 1 });
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => messages(store, { filter: word("round") })),
  );
  for (const answer of answers) {
    expect(answer).toEqual(["round 0", "round 1", "round 2", "round open"]);
  }
  const { rows } = await aggregate(store, { by: [], stats: [{ kind: "count", name: "count" }] });
  expect(rows).toEqual([{ count: 4 }]);
});

test("a search that its reader leaves, or cancels, frees its place in the worker", async () => {
  const store = await openWithWorkers();
  const records = Array.from({ length: 5000 }, (_, index) => ({ body: `record ${index}` }));
  await appendLogs(store, records);
  const request = {
    signal: "logs",
    filter: ALL,
    range: ALL_TIME,
    order: "newest",
    budget: BUDGET,
  } as const;
  const left = store.search(request, new AbortController().signal);
  await left.next();
  await left.return({ status: "partial", reasons: [], scannedBytes: 0, scannedRows: 0 });
  const stop = new AbortController();
  const cancelled = store.search(request, stop.signal);
  await cancelled.next();
  stop.abort(new Error("the client went away"));
  await expect(cancelled.next()).rejects.toThrow("the client went away");
  expect(await messages(store, { limit: 1, order: "newest" })).toEqual(["record 4999"]);
});

test("a query after the store was closed is refused", async () => {
  const store = await openWithWorkers();
  await store.close();
  await expect(messages(store)).rejects.toMatchObject({ code: "STORE_CLOSED" });
});
