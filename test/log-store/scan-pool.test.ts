import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { systemClock } from "../../src/core/clock.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { SearchRequest } from "../../src/log-store/log-store.ts";
import type { ScanWorkerData, ToScanWorker } from "../../src/log-store/scan-messages.ts";
import { ScanPool } from "../../src/log-store/scan-pool.ts";
import { startWorker } from "../../src/log-store/worker-thread.ts";
import { ALL, appendLogs, BUDGET, messages, temporaryFolder } from "./store-user.ts";

const RETENTION_MS = 3_600_000;

/** The machine's clock, which a test sets ahead. */
class SteppedClock implements Clock {
  aheadNs = 0n;

  nowUnixNs(): bigint {
    return systemClock.nowUnixNs() + this.aheadNs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }
}

const NEWEST: SearchRequest = {
  signal: "logs",
  filter: ALL,
  range: ALL_TIME,
  order: "newest",
  budget: BUDGET,
};

function startScanWorker(data: ScanWorkerData): Worker {
  return startWorker("scan-worker", data);
}

const LEFT = { status: "partial", reasons: [], scannedBytes: 0, scannedRows: 0 } as const;

/** A worker that fails at its first query, as one does that runs out of memory. */
function startFailing(): Worker {
  const code = `
    const { parentPort } = require("node:worker_threads");
    parentPort.on("message", () => { throw new Error("out of memory"); });
  `;
  return new Worker(code, { eval: true });
}

/** A store with a pool whose workers are counted, and all messages to them kept. */
async function openStore(
  start: (data: ScanWorkerData, count: number) => Worker = startScanWorker,
): Promise<{
  readonly store: EmbeddedStore;
  readonly workers: Worker[];
  readonly sent: ToScanWorker[];
  readonly clock: SteppedClock;
}> {
  const workers: Worker[] = [];
  const sent: ToScanWorker[] = [];
  const runner = new ScanPool({
    threadsMax: 2,
    start: (data) => {
      const worker = start(data, workers.length);
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: ToScanWorker) => {
        sent.push(message);
        post(message);
      };
      workers.push(worker);
      return worker;
    },
  });
  const directory = temporaryFolder();
  const clock = new SteppedClock();
  const store = await EmbeddedStore.open({ directory, clock, runner, retentionMs: RETENTION_MS });
  onTestFinished(() => store.close());
  return { store, workers, sent, clock };
}

test("a worker is told of each segment once, and when it goes", async () => {
  const { store, sent, clock } = await openStore();
  for (let index = 0; index < 3; index++) {
    await appendLogs(store, [{ body: `record ${index}` }]);
    await store.seal();
  }
  for (let index = 0; index < 5; index++) expect(await messages(store)).toHaveLength(3);
  await appendLogs(store, [{ body: "record 3" }]);
  await store.seal();
  expect(await messages(store)).toHaveLength(4);
  clock.aheadNs = 2n * BigInt(RETENTION_MS) * 1_000_000n;
  await store.expire();
  expect(await messages(store)).toEqual([]);
  const told = sent.filter((message) => message.kind === "segments");
  expect(told.map(({ added, removedFiles }) => [added.length, removedFiles.length])).toEqual([
    [3, 0],
    [1, 0],
    [0, 4],
  ]);
  for (const message of sent) {
    if (message.kind === "start") expect(message.snapshot).not.toHaveProperty("segments");
  }
});

test("one worker does for queries one after the other; those at once get a second one", async () => {
  const { store, workers } = await openStore();
  await appendLogs(store, [{ body: "record" }]);
  for (let index = 0; index < 3; index++) await messages(store);
  expect(workers).toHaveLength(1);
  await Promise.all(Array.from({ length: 20 }, () => messages(store)));
  expect(workers).toHaveLength(2);
  // Answers of either.
  const answers = await Promise.all(Array.from({ length: 20 }, () => messages(store)));
  for (const answer of answers) expect(answer).toEqual(["record"]);
  expect(workers).toHaveLength(2);
});

test("a query that kills its worker fails alone, and the next one has a new worker", async () => {
  const { store, workers } = await openStore((data, count) =>
    count === 0 ? startFailing() : startScanWorker(data),
  );
  await appendLogs(store, [{ body: "record" }]);
  await expect(messages(store)).rejects.toMatchObject({
    code: "INTERNAL",
    message: "the query worker failed: out of memory",
  });
  expect(await messages(store)).toEqual(["record"]);
  expect(workers).toHaveLength(2);
});

test("a search whose worker died between two batches is told so", async () => {
  const { store, workers } = await openStore();
  await appendLogs(
    store,
    Array.from({ length: 5000 }, (_, index) => ({ body: `record ${index}` })),
  );
  const batches = store.search(NEWEST, new AbortController().signal);
  expect((await batches.next()).done).toBe(false);
  workers[0]?.emit("error", new Error("out of memory"));
  await expect(batches.next()).rejects.toMatchObject({ code: "INTERNAL" });
});

test("a query that is cancelled before it begins never reaches a worker", async () => {
  const { store, sent } = await openStore();
  const stop = AbortSignal.abort(new Error("the client went away"));
  await expect(store.search(NEWEST, stop).next()).rejects.toThrow("the client went away");
  expect(sent).toEqual([]);
});

test("the worker is one batch ahead of its reader, and no more", async () => {
  const { store, sent } = await openStore();
  await appendLogs(
    store,
    Array.from({ length: 5000 }, (_, index) => ({ body: `record ${index}` })),
  );
  const batches = store.search(NEWEST, new AbortController().signal);
  expect((await batches.next()).done).toBe(false);
  const id = sent.find((message) => message.kind === "start")?.id ?? 0;
  const asked = (): number =>
    sent.filter((message) => message.kind === "next" && message.id === id).length;
  expect(asked()).toBe(1);
  // Meanwhile the next batch is made, and waits.
  expect(await messages(store, { limit: 1 })).toHaveLength(1);
  expect(asked()).toBe(1);
  expect((await batches.next()).done).toBe(false);
  expect(asked()).toBe(2);
  await batches.return(LEFT);
  expect(sent.at(-1)).toEqual({ kind: "cancel", id });
});
