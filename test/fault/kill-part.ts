/**
 * Rounds of kill -9 against one store that grows, seals, merges and expires all the time: fast, so
 * that there can be many. The store alone runs in the process that is killed; `kill-rounds.ts` does
 * the same to the whole service.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../bench/random.ts";
import type { KillFindings } from "./kill-account.ts";
import { KillAccount } from "./kill-account.ts";
import type { DeathPoint, Found, KillPhase } from "./kill-messages.ts";
import { KILL_PHASES } from "./kill-messages.ts";
import { KillProcess } from "./kill-process.ts";
import { MERGED_FILE } from "./kill-storage.ts";
import { KillWriter } from "./kill-writer.ts";

export interface KillPartOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Ends the part early, as a whole: what was done is checked and counted. */
  readonly signal: AbortSignal;
  /** After each check of everything. */
  readonly onChecked?: (report: KillPartReport) => Promise<void>;
}

/** What a part did, and what it found. */
export interface KillPartReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly retried: number;
  /** Where the kills fell: one may be in several at once, or in none. */
  readonly kills: Readonly<Record<KillPhase, number>>;
  /** Comparisons of everything that the store holds with everything that it acknowledged. */
  readonly fullChecks: number;
  readonly expired: number;
  /** Segment files that a kill found there for the first time, by what made them. */
  readonly sealed: number;
  readonly merged: number;
  /** Segments at the end. */
  readonly segments: number;
  readonly findings: KillFindings;
  readonly seconds: number;
}

/** Long enough for a merge of some rounds: its sources are a tenth of this apart at the most. */
const RETENTION_MS = 20_000;
const FULL_CHECK_ROUNDS = 100;
/** Each start is held to what was acknowledged in so many rounds before it. */
const RECENT_ROUNDS = 3;

/** A kill comes at a random moment up to here after the store is open, or after it was asked to. */
const LOAD_MS_MAX = 120;
const AIMED_MS_MAX = 300;
const START_MS_MAX = 60;
const START_KILL_SHARE = 0.1;
/** So many rounds end at a call that is chosen, as long as it comes in time. */
const AIMED_SHARE = 0.5;
/** Of a phase, so that the calls of one seal, merge or removal are all met. */
const AIMED_CALL_MAX = 16;
/** In so many rounds all that is due is done first: merges take longer than most rounds. */
const TIDY_SHARE = 0.15;
const WORKERS_SHARE = 0.15;

const WRITERS = [
  { name: "camera", signal: "logs", recordsMax: 40, fillerChars: 64 },
  { name: "planner", signal: "logs", recordsMax: 5, fillerChars: 400 },
  { name: "detector", signal: "traces", recordsMax: 30, fillerChars: 64 },
] as const;

/**
 * Runs one part. A store that does not start, or ends by anything but a kill, ends it early and is
 * among its findings.
 */
export async function runKillPart(options: KillPartOptions): Promise<KillPartReport> {
  const directory = await mkdtemp(join(tmpdir(), "dora-kill-"));
  const part = new KillPart(options, directory);
  try {
    await part.run();
    return part.report();
  } finally {
    part.close();
    await rm(directory, { recursive: true, force: true });
  }
}

class KillPart {
  readonly #options: KillPartOptions;
  readonly #directory: string;
  readonly #startedMs = performance.now();
  readonly #random: Random;
  readonly #account = new KillAccount();
  readonly #writers: readonly KillWriter[];
  readonly #kills: Record<KillPhase, number> = {
    start: 0,
    seal: 0,
    merge: 0,
    retention: 0,
    journal: 0,
  };
  readonly #files = { sealed: new Set<string>(), merged: new Set<string>() };
  /** When the last rounds began. */
  readonly #begunUnixMs: number[] = [];
  #rounds = 0;
  #fullChecks = 0;
  #last: Found | undefined;
  /** The next process loads while this one lives. */
  #next = new KillProcess();
  #current: KillProcess | undefined;

  constructor(options: KillPartOptions, directory: string) {
    this.#options = options;
    this.#directory = directory;
    this.#random = new Random(options.seed);
    const account = this.#account;
    this.#writers = WRITERS.map((writer, index) => {
      return new KillWriter({ ...writer, account, random: new Random(options.seed + index + 1) });
    });
  }

  async run(): Promise<void> {
    try {
      await this.#runRounds();
    } catch (error) {
      this.#account.complain(
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    }
  }

  async #runRounds(): Promise<void> {
    const { rounds, signal, onChecked } = this.#options;
    while (this.#rounds < rounds && !signal.aborted) {
      await this.#round();
      if (this.#rounds % FULL_CHECK_ROUNDS !== 0 || this.#rounds === rounds) continue;
      await this.#checkAll();
      await onChecked?.(this.report());
    }
    await this.#checkAll();
  }

  report(): KillPartReport {
    const counters = Object.values(this.#last?.counters ?? {});
    return {
      rounds: this.#rounds,
      acknowledged: this.#account.acknowledged,
      retried: this.#writers.reduce((sum, { retryCount }) => sum + retryCount, 0),
      kills: { ...this.#kills },
      fullChecks: this.#fullChecks,
      expired: counters.reduce((sum, { expired }) => sum + expired, 0),
      sealed: this.#files.sealed.size,
      merged: this.#files.merged.size,
      segments: this.#last?.segments ?? 0,
      findings: this.#account.findings,
      seconds: (performance.now() - this.#startedMs) / 1000,
    };
  }

  close(): void {
    this.#current?.kill();
    this.#next.kill();
  }

  async #round(): Promise<void> {
    const random = this.#random;
    this.#begunUnixMs.push(Date.now());
    if (this.#begunUnixMs.length > RECENT_ROUNDS) this.#begunUnixMs.shift();
    const killAfterMs = random.chance(START_KILL_SHARE)
      ? { start: random.unit() * START_MS_MAX }
      : { load: random.unit() * LOAD_MS_MAX };
    const isAimed = killAfterMs.load !== undefined && random.chance(AIMED_SHARE);
    const death = isAimed ? aim(random) : undefined;
    const store = this.#takeProcess();
    await store.loaded();
    const timers: NodeJS.Timeout[] = [];
    const killAfter = (afterMs: number): void => {
      timers.push(setTimeout(() => store.kill(), afterMs));
    };
    if (killAfterMs.start !== undefined) killAfter(killAfterMs.start);
    if ((await this.#open(store, death)) && (await this.#checkRecent(store))) {
      if (random.chance(TIDY_SHARE)) await store.tidy();
      if (killAfterMs.load !== undefined) killAfter(isAimed ? AIMED_MS_MAX : killAfterMs.load);
      await Promise.all(this.#writers.map((writer) => writer.run(store, { isSettling: false })));
    }
    for (const phase of await store.death()) this.#kills[phase] += 1;
    for (const timer of timers) clearTimeout(timer);
    await this.#lookAtFiles();
    this.#rounds += 1;
  }

  async #lookAtFiles(): Promise<void> {
    const folder = join(this.#directory, "store", "segments");
    // The first kill may come before there is a folder.
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((file) => file.endsWith(".seg"))) {
      this.#files[MERGED_FILE.test(name) ? "merged" : "sealed"].add(name);
    }
  }

  #takeProcess(): KillProcess {
    const store = this.#next;
    this.#current = store;
    this.#next = new KillProcess();
    return store;
  }

  /** False where the process died before the store was open. */
  async #open(store: KillProcess, death: DeathPoint | undefined): Promise<boolean> {
    const opened = await store.open({
      directory: join(this.#directory, "store"),
      phaseFile: join(this.#directory, "phase"),
      retentionMs: RETENTION_MS,
      usesWorkers: this.#random.chance(WORKERS_SHARE),
      death,
    });
    if (opened === undefined) return false;
    for (const complaint of opened.complaints) this.#account.complain(complaint);
    this.#account.checkCounters(opened.counters);
    return true;
  }

  /** Compares what the last rounds brought; false where the process died meanwhile. */
  async #checkRecent(store: KillProcess): Promise<boolean> {
    const fromUnixMs = Math.max(this.#begunUnixMs[0], Date.now() - RETENTION_MS / 2);
    const found = await store.read(fromUnixMs);
    if (found === undefined) return false;
    for (const stranger of found.strangers) this.#account.invent(stranger);
    this.#account.compare(found.numbers, { fromUnixMs, dueUnixMs: fromUnixMs });
    return true;
  }

  /** Has everything acknowledged, and compares all of it; the process is then killed as well. */
  async #checkAll(): Promise<void> {
    const store = this.#takeProcess();
    await this.#open(store, undefined);
    await Promise.all(this.#writers.map((writer) => writer.run(store, { isSettling: true })));
    const dueUnixMs = (): number => Date.now() - RETENTION_MS;
    const found = await this.#readAll(store);
    for (const stranger of found.strangers) this.#account.invent(stranger);
    this.#account.compare(found.numbers, { fromUnixMs: 0, dueUnixMs: dueUnixMs() });
    this.#account.checkTotals(found.counters, found.numbers.length);
    this.#account.checkCounters(found.counters);
    this.#last = found;
    this.#fullChecks += 1;
    store.kill();
    await store.death();
  }

  /** Reads until nothing expired meanwhile, so that the counts are those of what was found. */
  async #readAll(store: KillProcess): Promise<Found> {
    for (let expiredBefore = -1; ;) {
      const found = await store.read(0);
      if (found === undefined) throw new Error("the store died while everything was checked");
      const expired = Object.values(found.counters).reduce((sum, one) => sum + one.expired, 0);
      const total = found.numbers.length + found.strangers.length + expired;
      if (total === this.#account.acknowledged || expired === expiredBefore) return found;
      expiredBefore = expired;
    }
  }
}

function aim(random: Random): DeathPoint {
  return {
    phase: random.pick(KILL_PHASES),
    nth: random.between(1, AIMED_CALL_MAX),
    when: random.pick(["before", "during", "after"] as const),
  };
}
