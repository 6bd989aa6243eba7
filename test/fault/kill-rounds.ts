/**
 * Rounds of kill -9 against the real service: several clients send and retry all the time, the
 * service dies at random moments and comes back at its addresses on the same folder, and in the end
 * the store is held to what the clients were told.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Random } from "../../bench/random.ts";
import { freeAddresses } from "../free-addresses.ts";
import type { ServeOptions, ServeProcess } from "../serve-process.ts";
import { ServeFailedError, startServe } from "../serve-process.ts";
import { AcknowledgedClient } from "./acknowledged-client.ts";
import type { Comparison } from "./service-account.ts";
import { brokenLaw, compareWithStore, countLogs, readCounts } from "./service-account.ts";

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly onRound?: (line: string) => void;
}

/** What the rounds did, and what was found after the last one. */
export interface KillReport extends Comparison {
  readonly kills: { readonly underLoad: number; readonly whileStarting: number };
  readonly retries: number;
  /** Segments at the end: seals happened between and under the kills. */
  readonly segments: number;
  readonly deduplicated: number;
  /** Log records by the service's count, and by looking: the clients' and the service's own. */
  readonly storedByCount: number;
  readonly storedByLooking: number;
  /** Signals, with the round, whose counts did not add up, or fell. */
  readonly broken: readonly string[];
}

/** A kill comes this long after the service said that it listens, or after it was started. */
const LOAD_MS_MAX = 700;
/** In some rounds so long that seals come through, and the next kill meets what they left. */
const LONG_LOAD_MS_MAX = 3000;
const LONG_LOAD_SHARE = 0.2;
const SEAL_MS_MAX = 40_000;
const SEAL_LOOK_MS = 50;
const START_MS_MAX = 1500;
const START_KILL_SHARE = 0.2;
const CLIENTS = [
  { clientId: "camera", recordsPerRequestMax: 50 },
  { clientId: "detector", recordsPerRequestMax: 5 },
  { clientId: "planner", recordsPerRequestMax: 200 },
  // Brings 40 MB together every few rounds, at which the store seals.
  { clientId: "recorder", recordsPerRequestMax: 40, fillerChars: 16_000 },
];

export async function runKillRounds(options: KillOptions): Promise<KillReport> {
  const random = new Random(options.seed);
  const dataDirectory = await mkdtemp(join(tmpdir(), "dora-kill-"));
  const addresses = await freeAddresses(random);
  const clients = CLIENTS.map(
    (client, index) =>
      new AcknowledgedClient({
        ...client,
        seed: options.seed + index,
        endpoint: () => `http://${addresses.otlpHttp}`,
      }),
  );
  const stop = new AbortController();
  const sending = Promise.all(clients.map((client) => client.run(stop.signal)));
  // A client that gives up ends the rounds at once.
  const failure = sending.then(() => undefined);
  failure.catch(() => undefined);
  const broken: string[] = [];
  const kills = { underLoad: 0, whileStarting: 0 };
  const start: ServeOptions = { dataDirectory, addresses };
  try {
    let storedBefore = 0;
    let hasSealed = false;
    for (let round = 1; round <= options.rounds; round++) {
      if (random.chance(START_KILL_SHARE)) {
        await killWhileStarting(start, random.between(0, START_MS_MAX));
        kills.whileStarting++;
        continue;
      }
      const service = await startServe(start);
      await check(service, round);
      const loadMsMax = random.chance(LONG_LOAD_SHARE) ? LONG_LOAD_MS_MAX : LOAD_MS_MAX;
      // However slow the machine is: one seal at least has the time to come through.
      if (loadMsMax === LONG_LOAD_MS_MAX && !hasSealed) {
        hasSealed = await Promise.race([untilSealed(service), failure.then(() => false)]);
      }
      await Promise.race([delay(random.between(0, loadMsMax)), failure]);
      service.kill("SIGKILL");
      await service.exit;
      kills.underLoad++;
      const acknowledged = clients.reduce((sum, client) => sum + client.acknowledged.size, 0);
      options.onRound?.(`round ${round}: ${acknowledged} records acknowledged`);
    }
    const service = await startServe(start);
    await check(service, options.rounds + 1);
    stop.abort();
    await sending;
    const patience = AbortSignal.timeout(60_000);
    await Promise.all(clients.map((client) => client.settle(patience)));
    const report = await account(service, clients);
    await service.close();
    return { ...report, kills, broken };

    /** After a restart: the law holds, and what was stored is still counted. */
    async function check({ api }: ServeProcess, round: number): Promise<void> {
      const signals = await readCounts(api);
      broken.push(...brokenLaw(signals).map((text) => `round ${round}: ${text}`));
      const stored = signals["logs"]?.stored ?? 0;
      if (stored < storedBefore) broken.push(`round ${round}: stored ${stored} < ${storedBefore}`);
      storedBefore = stored;
    }
  } finally {
    stop.abort();
    await sending.catch(() => undefined);
    for (const client of clients) client.close();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}

/** True once there is a segment; false where that takes too long, so that the rounds go on. */
async function untilSealed({ api }: ServeProcess): Promise<boolean> {
  for (const untilMs = performance.now() + SEAL_MS_MAX; performance.now() < untilMs;) {
    if ((await countSegments(api)) > 0) return true;
    await delay(SEAL_LOOK_MS);
  }
  return false;
}

async function countSegments(api: string): Promise<number> {
  const metrics = await (await fetch(`${api}/metrics`)).text();
  return Number(/^dora_store_segments (\d+)$/m.exec(metrics)?.[1]);
}

async function account(
  { api }: ServeProcess,
  clients: readonly AcknowledgedClient[],
): Promise<Omit<KillReport, "kills" | "broken">> {
  const comparison = await compareWithStore(api, clients);
  // The service may write a record of its own meanwhile: look until the count stands still.
  for (;;) {
    const before = (await readCounts(api))["logs"];
    const own = await countLogs(api, "node:dora-serve");
    const after = (await readCounts(api))["logs"];
    if (before === undefined || after === undefined) throw new Error("no counts of logs");
    if (before.stored !== after.stored) continue;
    return {
      ...comparison,
      retries: clients.reduce((sum, client) => sum + client.retryCount, 0),
      segments: await countSegments(api),
      deduplicated: after.deduplicated,
      storedByCount: after.stored,
      storedByLooking: comparison.found + comparison.twice.length + own,
    };
  }
}

/**
 * Starts the service with its killer beside it. A shell becomes node, after it left a child behind
 * that kills this very process: so the moment is exact, whether or not the service listens by then.
 */
async function killWhileStarting(start: ServeOptions, afterMs: number): Promise<void> {
  const seconds = (afterMs / 1000).toFixed(3);
  const script = `(sleep ${seconds}; kill -9 $$) >/dev/null 2>&1 & exec "$@"`;
  try {
    const service = await startServe({ ...start, runUnder: ["sh", "-c", script, "sh"] });
    await service.exit;
  } catch (error) {
    if (!(error instanceof ServeFailedError) || error.exit.signal !== "SIGKILL") throw error;
  }
}
