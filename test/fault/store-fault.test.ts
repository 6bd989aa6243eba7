import { join } from "node:path";
import { expect, test } from "vitest";
import type { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import {
  lawHolds,
  logsRequest,
  messages,
  openStore,
  temporaryFolder,
} from "../log-store/store-user.ts";
import type { CrashOptions, FaultCall } from "./fault-storage.ts";
import { FAULT_KINDS, FaultStorage } from "./fault-storage.ts";

/** Small files, so that every commit begins one and every seal removes some. */
const FILE_BYTES_MAX = 300;

function open(storage: FaultStorage, complaints: string[] = []): Promise<EmbeddedStore> {
  const nowMs = 1_000_000;
  return openStore(join(storage.root, "store"), {
    storage,
    journalFileBytesMax: FILE_BYTES_MAX,
    // A crash takes the lock file away with everything else that was not synced.
    lock: () => ({ release: () => undefined }),
    clock: { nowUnixNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs },
    log: { info: () => undefined, warn: () => undefined, error: (text) => complaints.push(text) },
  });
}

interface Told {
  /** Requests that were acknowledged. */
  readonly acknowledged: Set<string>;
  /** Messages that were sent, whatever was answered. */
  readonly attempted: Set<string>;
  /** Records of retries that were acknowledged, and so must be counted as deduplicated. */
  repeatedCount: number;
}

/** Sends one request of two records; true where it was acknowledged. */
async function send(store: EmbeddedStore, name: string, told: Told): Promise<boolean> {
  const records = recordsOf(name);
  for (const record of records) told.attempted.add(record);
  const body = logsRequest(records.map((text) => ({ body: text })));
  const result = await store.append({ signal: "logs", body, principal: "" });
  if (result.status !== "stored") return false;
  if (told.acknowledged.has(name)) told.repeatedCount += records.length;
  told.acknowledged.add(name);
  return true;
}

function recordsOf(name: string): readonly string[] {
  return [`${name} one`, `${name} two`];
}

/** What a store does in its life: takes requests, seals, takes retries, seals again. */
async function live(store: EmbeddedStore, told: Told): Promise<void> {
  await send(store, "a", told);
  await Promise.all([send(store, "b", told), send(store, "c", told)]);
  await store.seal();
  await send(store, "d", told);
  await send(store, "a", told);
  await store.seal();
  await send(store, "e", told);
}

function newTold(): Told {
  return { acknowledged: new Set(), attempted: new Set(), repeatedCount: 0 };
}

/** Undefined where the store keeps its promises, else which one it broke. */
async function brokenPromise(storage: FaultStorage, told: Told): Promise<string | undefined> {
  const complaints: string[] = [];
  const store = await open(storage, complaints).catch((error: unknown) => String(error));
  if (typeof store === "string") return `it does not start: ${store}`;
  const found = await messages(store);
  const { stored, deduplicated } = store.counters().logs;
  // A sender that did not hear the answer sends again.
  for (const name of told.acknowledged) await send(store, name, newTold());
  const afterRetries = await messages(store);
  const isLawful = lawHolds(store);
  await store.close();
  if (complaints.length > 0) return complaints.join("; ");
  for (const message of [...told.acknowledged].flatMap(recordsOf)) {
    const count = found.filter((one) => one === message).length;
    if (count !== 1) return `${message} is there ${count} times`;
  }
  if (found.some((message) => !told.attempted.has(message))) return "a record was invented";
  if (afterRetries.length !== found.length) return "a retry was stored twice";
  if (!isLawful) return "the law does not hold";
  if (deduplicated < told.repeatedCount) return "an acknowledged retry is not counted";
  return stored === found.length ? undefined : `${stored} counted, ${found.length} found`;
}

/** Lives until the `halt`th call, cuts the power, and looks at what is left. */
async function crashAt(
  halt: number,
  crash: CrashOptions,
  ignoredSync?: number,
): Promise<string | undefined> {
  const storage = new FaultStorage(temporaryFolder());
  const told = newTold();
  storage.haltAt(halt);
  if (ignoredSync !== undefined) storage.ignoreSync(ignoredSync);
  const store = await open(storage).catch(() => undefined);
  if (store !== undefined) {
    await live(store, told).catch(() => undefined);
    await store.close().catch(() => undefined);
  }
  return brokenPromise(storage.crash(crash), told);
}

async function undisturbed(): Promise<FaultStorage> {
  const storage = new FaultStorage(temporaryFolder());
  const store = await open(storage);
  await live(store, newTold());
  await store.close();
  return storage;
}

const CRASHES: readonly CrashOptions[] = [
  { content: "lost", entries: "undone" },
  { content: "lost", entries: "kept" },
  { content: "torn", entries: "random" },
  { content: "pages", entries: "kept" },
];

test("the power cut at every call loses nothing acknowledged, twice nothing, invents nothing", async () => {
  const { length } = (await undisturbed()).trace;
  for (let halt = 1; halt <= length + 1; halt++) {
    for (const crash of CRASHES) {
      expect(await crashAt(halt, crash), `call ${halt}, ${JSON.stringify(crash)}`).toBeUndefined();
    }
  }
}, 120_000);

/** Crashes after which each unsynced change of a folder is there or not, in several ways. */
function reordered(): readonly CrashOptions[] {
  return Array.from({ length: 8 }, (_, pattern) => {
    let step = 0;
    const random = (): number => ((pattern >> (step++ % 3)) & 1) * 0.9;
    return { content: "lost", entries: "random", random };
  });
}

/**
 * The one sync whose loss breaks no promise: it makes a new store's manifest durable before there
 * is anything in the store. Everything else that syncs must be missed when it is gone.
 */
function isHarmless(index: number, syncs: readonly FaultCall[]): boolean {
  const firstFrame = syncs.findIndex(({ path }) => path.endsWith(".journal"));
  return index < firstFrame && syncs[index - 1]?.path.endsWith("manifest.json.tmp");
}

test("every sync that is left out is noticed: some crash behind it breaks a promise", async () => {
  const { trace } = await undisturbed();
  const syncs = trace.filter(({ kind }) => kind === "sync" || kind === "syncDirectory");
  const unnoticed: string[] = [];
  for (const [index, sync] of syncs.entries()) {
    if (isHarmless(index, syncs)) continue;
    const at = trace.indexOf(sync);
    let isNoticed = false;
    for (let halt = at + 2; halt <= trace.length + 1 && !isNoticed; halt++) {
      for (const crash of [...CRASHES.slice(0, 2), ...reordered()]) {
        isNoticed ||= (await crashAt(halt, crash, index + 1)) !== undefined;
      }
    }
    if (!isNoticed)
      unnoticed.push(`${index + 1}: ${sync.kind} ${sync.path.replace(/.*store/, "")}`);
  }
  expect(unnoticed).toEqual([]);
}, 240_000);

test.each(FAULT_KINDS)(
  "each %s that fails costs a refusal or a later seal, never a record",
  async (kind) => {
    const { trace } = await undisturbed();
    const count = trace.filter((call) => call.kind === kind).length;
    for (let nth = 1; nth <= count; nth++) {
      const storage = new FaultStorage(temporaryFolder());
      const told = newTold();
      storage.fail(kind, nth, { code: "EIO" });
      // A start that fails says so; the next one succeeds.
      const store = await open(storage).catch(() => open(storage));
      await live(store, told).catch(() => undefined);
      for (const name of ["a", "b", "c", "d", "e"]) {
        // A sender retries what was refused, with the same bytes.
        let isStored = false;
        for (let round = 0; round < 5 && !isStored; round++)
          isStored = await send(store, name, told);
        expect(isStored, `${kind} ${nth}: ${name} is never taken`).toBe(true);
      }
      await store.seal().catch(() => store.seal());
      expect(await messages(store)).toHaveLength(10);
      expect(lawHolds(store)).toBe(true);
      await store.close();
      expect(await brokenPromise(storage.crash(), told), `${kind} ${nth}`).toBeUndefined();
    }
  },
  120_000,
);

test("a full disk refuses requests with a retryable answer, loses nothing, and recovers", async () => {
  const storage = new FaultStorage(temporaryFolder());
  const told = newTold();
  const store = await open(storage);
  await send(store, "before", told);
  storage.fail("write", 1, { code: "ENOSPC", isLasting: true });
  storage.fail("create", 1, { code: "ENOSPC", isLasting: true });
  expect(await send(store, "during", told)).toBe(false);
  expect(await send(store, "during", told)).toBe(false);
  await expect(store.seal()).rejects.toThrow("ENOSPC");
  expect(await messages(store)).toEqual(["before one", "before two"]);
  expect(lawHolds(store)).toBe(true);
  storage.heal();
  expect(await send(store, "during", told)).toBe(true);
  await store.seal();
  expect(store.counters().logs).toMatchObject({ stored: 4, dropped: 4 });
  await store.close();
  expect(await brokenPromise(storage.crash(), told)).toBeUndefined();
});
