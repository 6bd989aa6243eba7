import { join } from "node:path";
import type { EmbeddedStore, EmbeddedStoreOptions } from "../../src/log-store/embedded-store.ts";
import {
  lawHolds,
  logsRequest,
  messages,
  openStore,
  temporaryFolder,
} from "../log-store/store-user.ts";
import { runs } from "../run-size.ts";
import type { CrashOptions, FaultCall } from "./fault-storage.ts";
import { FaultStorage } from "./fault-storage.ts";

/** Small files, so that every commit begins one and every seal removes some. */
const FILE_BYTES_MAX = 300;

export const START_MS = 1_000_000;

/** What a store does, until the power is cut, and how the store is set up for it. */
export interface Life {
  readonly options?: Partial<EmbeddedStoreOptions>;
  live(store: EmbeddedStore, told: Told): Promise<void>;
}

/** What was asked of a store, and what it answered. */
export class Told {
  /** Requests that were acknowledged. */
  readonly acknowledged = new Set<string>();
  /** Messages that were sent, whatever was answered. */
  readonly attempted = new Set<string>();
  /** Requests whose records retention may have removed, or must have. */
  readonly mayBeGone = new Set<string>();
  readonly mustBeGone = new Set<string>();
  /** Records of retries that were acknowledged, and so must be counted as deduplicated. */
  repeatedCount = 0;
  nowMs = START_MS;
}

export function openForFaults(
  storage: FaultStorage,
  life: Life,
  told: Told,
  complaints: string[] = [],
): Promise<EmbeddedStore> {
  return openStore(join(storage.root, "store"), {
    storage,
    journalFileBytesMax: FILE_BYTES_MAX,
    // A crash takes the lock file away with everything else that was not synced.
    lock: () => ({ release: () => undefined }),
    clock: {
      nowUnixNs: () => BigInt(told.nowMs) * 1_000_000n,
      monotonicMs: () => told.nowMs,
    },
    log: { info: () => undefined, warn: () => undefined, error: (text) => complaints.push(text) },
    ...life.options,
  });
}

/** Sends one request of two records; true where it was acknowledged. */
export async function send(store: EmbeddedStore, name: string, told: Told): Promise<boolean> {
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

/** Undefined where the store keeps its promises, else which one it broke. */
export async function brokenPromise(
  storage: FaultStorage,
  told: Told,
  manifest: "kept" | "lost" = "kept",
): Promise<string | undefined> {
  const complaints: string[] = [];
  const store = await openForFaults(storage, NO_LIFE, told, complaints).catch((error: unknown) =>
    String(error),
  );
  if (typeof store === "string") return `it does not start: ${store}`;
  const found = await messages(store);
  const { stored, deduplicated, expired, damaged } = store.counters().logs;
  // A sender that did not hear the answer sends again.
  for (const name of told.acknowledged) await send(store, name, new Told());
  const afterRetries = await messages(store);
  const isLawful = lawHolds(store);
  await store.checkSegments();
  await store.close();
  const other = complaints.filter((one) => manifest === "kept" || !/manifest\.json/.test(one));
  if (other.length > 0) return other.join("; ");
  for (const name of told.acknowledged) {
    for (const message of recordsOf(name)) {
      const count = found.filter((one) => one === message).length;
      const isAllowed = count === 1 || (count === 0 && told.mayBeGone.has(name));
      if (!isAllowed) return `${message} is there ${count} times`;
    }
  }
  if (found.some((message) => !told.attempted.has(message))) return "a record was invented";
  if (afterRetries.length !== found.length) return "a retry was stored twice";
  if (!isLawful) return "the law does not hold";
  if (deduplicated < told.repeatedCount) return "an acknowledged retry is not counted";
  if (damaged > 0) return `${damaged} records are counted as damaged`;
  // What retention removed may come back with the files, once the manifest is lost.
  if (manifest === "lost") return undefined;
  if ([...told.mustBeGone].some((name) => recordsOf(name).some((one) => found.includes(one)))) {
    return "a record came back that retention had removed";
  }
  return stored - expired === found.length
    ? undefined
    : `${stored} counted, ${expired} expired, ${found.length} found`;
}

const NO_LIFE: Life = { live: async () => undefined };

export interface Crash extends CrashOptions {
  /** The manifest is removed after the crash. */
  readonly manifest?: "kept" | "lost";
}

/** Lives until the `halt`th call, cuts the power, and looks at what is left. */
export async function crashAt(
  life: Life,
  halt: number,
  crash: Crash,
  ignoredSync?: number,
): Promise<string | undefined> {
  const storage = new FaultStorage(temporaryFolder());
  const told = new Told();
  storage.haltAt(halt);
  if (ignoredSync !== undefined) storage.ignoreSync(ignoredSync);
  const store = await openForFaults(storage, life, told).catch(() => undefined);
  if (store !== undefined) {
    await life.live(store, told).catch(() => undefined);
    await store.close().catch(() => undefined);
  }
  const left = storage.crash(crash);
  if (crash.manifest === "lost") await left.remove(join(left.root, "store", "manifest.json"));
  return brokenPromise(left, told, crash.manifest);
}

export async function undisturbed(life: Life): Promise<FaultStorage> {
  const storage = new FaultStorage(temporaryFolder());
  const told = new Told();
  const store = await openForFaults(storage, life, told);
  await life.live(store, told);
  await store.close();
  return storage;
}

const CRASHES: readonly Crash[] = [
  { content: "lost", entries: "undone" },
  { content: "lost", entries: "kept" },
  { content: "torn", entries: "random" },
  { content: "pages", entries: "kept" },
];

/** From 1 to `last`. */
export function countUpTo(last: number): readonly number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Those to try at the `halt`th call; in `npm test` one of them, another at each call. */
export function crashesAt(halt: number): readonly Crash[] {
  const count = runs({ part: 1, full: CRASHES.length });
  return CRASHES.filter((_, index) => (halt + index) % CRASHES.length < count);
}

/** Crashes after which each unsynced change of a folder is there or not, in several ways. */
function reordered(): readonly Crash[] {
  return Array.from({ length: 8 }, (_, pattern) => {
    let step = 0;
    const random = (): number => ((pattern >> (step++ % 3)) & 1) * 0.9;
    return { content: "lost", entries: "random", random };
  });
}

/**
 * The syncs of a life that can be left out, and no crash behind them breaks a promise. Empty is
 * right, but for the one that makes a new store's manifest durable before there is anything in it.
 * `choose` says which of them to try.
 */
export async function needlessSyncs(
  life: Life,
  choose: (syncs: readonly FaultCall[]) => ReadonlySet<FaultCall>,
): Promise<readonly string[]> {
  const { trace } = await undisturbed(life);
  const syncs = trace.filter(({ kind }) => kind === "sync" || kind === "syncDirectory");
  const chosen = choose(syncs);
  const firstFrame = syncs.findIndex(({ path }) => path.endsWith(".journal"));
  const unnoticed: string[] = [];
  for (const [index, sync] of syncs.entries()) {
    const isHarmless = index < firstFrame && syncs[index - 1]?.path.endsWith("manifest.json.tmp");
    if (isHarmless || !chosen.has(sync)) continue;
    const at = trace.indexOf(sync);
    let isNoticed = false;
    for (let halt = at + 2; halt <= trace.length + 1 && !isNoticed; halt++) {
      for (const crash of [...CRASHES.slice(0, 2), ...reordered()]) {
        isNoticed ||= (await crashAt(life, halt, crash, index + 1)) !== undefined;
      }
    }
    if (!isNoticed) {
      unnoticed.push(`${index + 1}: ${sync.kind} ${sync.path.replace(/.*store/, "")}`);
    }
  }
  return unnoticed;
}
