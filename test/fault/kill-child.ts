/**
 * The process that is killed: an embedded store and nothing else, driven over IPC. It seals, merges
 * and expires all the time, because its limits are small.
 */
import { openSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "../../src/core/clock.ts";
import type { Filter } from "../../src/core/filter.ts";
import { ALL_TIME } from "../../src/core/time.ts";
import { EmbeddedStore } from "../../src/log-store/embedded-store.ts";
import { MERGE_LIMITS } from "../../src/log-store/merge-plan.ts";
import { InlineMerger, WorkerMerger } from "../../src/log-store/merger.ts";
import { InlineScanRunner } from "../../src/log-store/scan-inline.ts";
import { InlineSealer, WorkerSealer } from "../../src/log-store/sealer.ts";
import type {
  Found,
  KillAnswer,
  KillCommand,
  KillPhase,
  KillSignal,
  Numbered,
} from "./kill-messages.ts";
import { KillStorage } from "./kill-storage.ts";

/** A seal every few hundred records, and a merge every few seals. */
const MAINTENANCE = {
  sealBytes: 96 * 1024,
  sealAgeMs: 60,
  tickMs: 20,
  merge: {
    ...MERGE_LIMITS,
    countMin: 2,
    countMax: 8,
    growthMin: 1.5,
    pressingCount: 16,
    coldAgeMs: 1000,
    receivedSpanMaxMs: 60_000,
  },
};
/** A new file every few requests, so that many are removed. */
const JOURNAL_FILE_BYTES_MAX = 128 * 1024;
/** Merges come behind the check of footers, which the first look at ages begins. */
const FIRST_TICK_MS = 2 * MAINTENANCE.tickMs;
const DRIVE_PERIOD_MS = 10;
const EVERYTHING: Filter = { kind: "all" };
const BUDGET = { timeMs: 60_000, scanBytes: 2 ** 40, memoryBytes: 2 ** 30 };
const RECORD = /"(?:message|name)":"record (\d+) took \d+ ms"/;

let store: EmbeddedStore | undefined;

async function handle(command: KillCommand): Promise<KillAnswer> {
  switch (command.kind) {
    case "open": {
      const storage = new KillStorage(openSync(command.phaseFile, "w"), command.death);
      const complaints: string[] = [];
      store = await EmbeddedStore.open({
        directory: command.directory,
        clock: systemClock,
        retentionMs: command.retentionMs,
        journalFileBytesMax: JOURNAL_FILE_BYTES_MAX,
        maintenance: MAINTENANCE,
        storage,
        sealer: storage.watchSealer(command.usesWorkers ? new WorkerSealer() : new InlineSealer()),
        merger: storage.watchMerger(command.usesWorkers ? new WorkerMerger() : new InlineMerger()),
        runner: new InlineScanRunner(),
        log: {
          info: () => undefined,
          warn: () => undefined,
          error: (text, fields) => complaints.push(`${text} ${JSON.stringify(fields ?? {})}`),
        },
      });
      storage.start();
      if (command.death !== undefined) void drive(store, command.death.phase);
      return { kind: "opened", counters: store.counters(), complaints };
    }
    case "append": {
      const { signal, body } = command;
      const { status } = await opened().append({ signal, body, principal: "" });
      return { kind: "appended", status };
    }
    case "tidy":
      await delay(FIRST_TICK_MS);
      await opened().seal();
      await opened().merge();
      await opened().expire();
      return { kind: "tidied" };
    case "read":
      return read(opened(), command.fromUnixMs);
  }
}

/** Has the store do what it is to die of as often as there is something to do. */
async function drive(living: EmbeddedStore, phase: KillPhase): Promise<void> {
  if (phase === "merge") await delay(FIRST_TICK_MS);
  for (;;) {
    if (phase === "seal") await living.seal();
    if (phase === "merge") await living.merge();
    if (phase === "retention") await living.expire();
    await delay(DRIVE_PERIOD_MS);
  }
}

function opened(): EmbeddedStore {
  if (store === undefined) throw new Error("the store is not open");
  return store;
}

/** What is there, and the counts of the same moment: again, where something expired meanwhile. */
async function read(from: EmbeddedStore, fromUnixMs: number): Promise<Found> {
  for (;;) {
    const expiredBefore = expiredCount(from);
    const found = await readOnce(from, fromUnixMs);
    if (expiredCount(from) === expiredBefore) return found;
  }
}

function expiredCount(from: EmbeddedStore): number {
  return Object.values(from.counters()).reduce((sum, { expired }) => sum + expired, 0);
}

async function readOnce(from: EmbeddedStore, fromUnixMs: number): Promise<Found> {
  const numbers: number[] = [];
  const strangers: string[] = [];
  for (const signal of ["logs", "traces"] as const) {
    for await (const line of linesOf(from, signal, fromUnixMs)) {
      const number = RECORD.exec(line)?.[1];
      if (number === undefined) strangers.push(line.slice(0, 200));
      else numbers.push(Number(number));
    }
  }
  return {
    kind: "found",
    numbers: Float64Array.from(numbers),
    strangers,
    counters: from.counters(),
    segments: from.stats().segments,
  };
}

async function* linesOf(
  from: EmbeddedStore,
  signal: KillSignal,
  fromUnixMs: number,
): AsyncGenerator<string, void> {
  const range = { ...ALL_TIME, fromUnixNs: BigInt(fromUnixMs) * 1_000_000n };
  const request = { signal, filter: EVERYTHING, range, order: "oldest", budget: BUDGET } as const;
  const batches = from.search(request, new AbortController().signal);
  for (;;) {
    const step = await batches.next();
    if (step.done === true) {
      if (step.value.status === "complete") return;
      throw new Error(`the answer is partial: ${step.value.reasons.join("; ")}`);
    }
    yield* Buffer.from(step.value.lines).toString("utf8").split("\n").slice(0, -1);
  }
}

process.on("message", (command: Numbered<KillCommand>) => {
  void (async () => {
    const answer = await handle(command).catch((error: unknown): KillAnswer => {
      const stack = error instanceof Error ? error.stack : undefined;
      return { kind: "failed", message: stack ?? String(error) };
    });
    process.send?.({ ...answer, id: command.id });
  })();
});
// A process that is killed leaves no compiled code behind for the next one, unless it is told to.
flushCompileCache();
process.send?.({ kind: "loaded", id: 0 });
// Nobody to be told anything: the rounds were stopped.
process.on("disconnect", () => process.exit());
