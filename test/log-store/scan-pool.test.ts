import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { systemClock } from "../../src/core/clock.ts";
import type { Filter } from "../../src/core/filter.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import type { SearchRequest } from "../../src/log-store/log-store.ts";
import type {
  FromScanWorker,
  ScanWorkerData,
  ToScanWorker,
} from "../../src/log-store/scan-messages.ts";
import { ScanPool } from "../../src/log-store/scan-pool.ts";
import { startWorker } from "../../src/log-store/worker-thread.ts";
import { ALL, appendLogs, BUDGET, messages, searchAll, temporaryFolder } from "./store-user.ts";

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

/** A message, and to which worker. */
type Sent = ToScanWorker & { readonly worker: number };

/** A store with a pool whose workers are counted, and all messages to them kept. */
async function openStore(
  start: (data: ScanWorkerData, count: number) => Worker = startScanWorker,
  threadsMax = 2,
): Promise<{
  readonly store: EmbeddedStore;
  readonly workers: Worker[];
  readonly sent: Sent[];
  readonly replies: FromScanWorker[];
  readonly clock: SteppedClock;
}> {
  const workers: Worker[] = [];
  const sent: Sent[] = [];
  const replies: FromScanWorker[] = [];
  const runner = new ScanPool({
    threadsMax,
    start: (data) => {
      const index = workers.length;
      const worker = start(data, index);
      worker.on("message", (reply: FromScanWorker) => replies.push(reply));
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: ToScanWorker) => {
        sent.push({ ...message, worker: index });
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
  return { store, workers, sent, replies, clock };
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
  expect(await searchAll(store)).toMatchObject({ entries: [], end: { status: "complete" } });
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
  const { store, workers, sent, replies } = await openStore();
  await appendLogs(store, [{ body: "record" }]);
  // Those that come while the first worker is being started wait for it.
  await Promise.all(Array.from({ length: 5 }, () => messages(store)));
  for (let index = 0; index < 3; index++) await messages(store);
  expect(workers).toHaveLength(1);
  await Promise.all(Array.from({ length: 20 }, () => messages(store)));
  expect(workers).toHaveLength(2);
  await expect.poll(() => replies.filter(({ kind }) => kind === "ready")).toHaveLength(2);
  const answers = await Promise.all(Array.from({ length: 20 }, () => messages(store)));
  for (const answer of answers) expect(answer).toEqual(["record"]);
  expect(workers).toHaveLength(2);
  const starts = sent.filter(({ kind }) => kind === "start").slice(-20);
  expect(starts.slice(0, 4).map(({ worker }) => worker)).toEqual([0, 1, 0, 1]);
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
  const { store, workers, replies } = await openStore();
  await appendLogs(
    store,
    Array.from({ length: 5000 }, (_, index) => ({ body: `record ${index}` })),
  );
  const batches = store.search(NEWEST, new AbortController().signal);
  expect((await batches.next()).done).toBe(false);
  await expect.poll(() => replies.filter(({ kind }) => kind === "batch")).toHaveLength(2);
  await workers[0]?.terminate();
  const readOn = async (): Promise<void> => {
    while ((await batches.next()).done !== true);
  };
  await expect(readOn()).rejects.toMatchObject({
    code: "INTERNAL",
    message: "the query worker ended",
  });
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
  expect(sent.at(-1)).toEqual({ kind: "cancel", id, worker: 0 });
});

test("a query that is cancelled has no more turns", async () => {
  const { store, sent, replies } = await openStore(startScanWorker, 1);
  await appendLogs(store, [{ body: "record" }]);
  const stop = new AbortController();
  // Its worker is only being started, so that it hears of both at once.
  const cancelled = store.search(NEWEST, stop.signal).next();
  stop.abort(new Error("the client went away"));
  await expect(cancelled).rejects.toThrow("the client went away");
  expect(await messages(store)).toEqual(["record"]);
  const [first, second] = sent.filter((message) => message.kind === "start");
  const answered = replies.flatMap((reply) => (reply.kind === "ready" ? [] : reply.id));
  expect(answered).not.toContain(first?.id);
  expect(answered).toContain(second?.id);
});

test("a search that is cancelled while its reader is at a batch fails nowhere else", async () => {
  const { store } = await openStore();
  await appendLogs(
    store,
    Array.from({ length: 5000 }, (_, index) => ({ body: `record ${index}` })),
  );
  const stop = new AbortController();
  const batches = store.search(NEWEST, stop.signal);
  await batches.next();
  stop.abort(new Error("the client went away"));
  // An error that nobody waits for would end the process in this turn.
  await nextTurn();
  await expect(batches.next()).rejects.toThrow("the client went away");
});

test("a long query lets others have their turns before its end", async () => {
  const { store, sent, replies } = await openStore(startScanWorker, 1);
  const records = Array.from({ length: 2000 }, (_, index) => ({ body: `record ${index} of many` }));
  for (let index = 0; index < 30; index++) {
    await appendLogs(store, records, { "service.name": `node ${index}` });
    await store.seal();
  }
  const regex: Filter = {
    kind: "text",
    match: { kind: "regex", source: "(1|2|3)[0-9]*4 .*x", anyCase: false },
  };
  const long = searchAll(store, { filter: regex });
  const short = searchAll(store, { limit: 3000 });
  await Promise.all([long, short]);
  const [longId, shortId] = sent.flatMap((message) =>
    message.kind === "start" ? [message.id] : [],
  );
  // Which of the two ends first is for the machine to say: between its batches the short one waits
  // for this thread.
  const inOrder = replies.flatMap((reply) => (reply.kind === "ready" ? [] : [reply]));
  const shortBegins = inOrder.findIndex(({ id }) => id === shortId);
  const longEnds = inOrder.findIndex(({ id, kind }) => id === longId && kind === "found");
  expect(shortBegins).toBeGreaterThanOrEqual(0);
  expect(longEnds).toBeGreaterThan(shortBegins);
});
