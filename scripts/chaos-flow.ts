/**
 * `node scripts/chaos-flow.ts [--seconds 200] [--rate 5000] [--seed S] [--report FILE]`: twenty nodes under
 * load, on a machine of its own (coordinator, daemon, log service), of which one is killed with -9
 * every few seconds. Then compares what all of them wrote down, and the telemetry with itself.
 *
 * `--rate` is of messages a second on all links together. Ends with 1 where a promise did not hold.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadavg } from "node:os";
import { machineLine } from "../bench/process-usage.ts";
import { Random } from "../bench/random.ts";
import { runCli } from "../test/cli-process.ts";
import type { TestMachine } from "../test/cli/machine.ts";
import { makeMachine } from "../test/cli/machine.ts";
import { FlowClient, readUse } from "./chaos/flow-watch.ts";
import type { Kill } from "./chaos/judge.ts";
import { judge } from "./chaos/judge.ts";
import type { ProcessLedger } from "./chaos/ledger.ts";
import { readLedgers } from "./chaos/ledger.ts";
import type { ChaosRun, Sample } from "./chaos/report.ts";
import { findFaults, writeReport } from "./chaos/report.ts";
import { readTelemetry } from "./chaos/telemetry-law.ts";
import { LINKS, NODES, SOURCES, writeFlow } from "./chaos/topology.ts";

const PROGRAM = fileURLToPath(new URL("chaos/node.ts", import.meta.url));
/** Between two kills. */
const KILL_MS = { min: 1500, max: 4500 };
const SAMPLE_MS = 1000;
/** Until all nodes run again after the last kill, and until the flow has ended. */
const SETTLE_TIMEOUT_MS = 30_000;
/** So often the daemon exports its metrics here: its last word must be in the store at the end. */
const METRICS_MS = 2000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "200" },
    rate: { type: "string", default: "5000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    report: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const rate = Number(values.rate);
const seed = Number(values.seed);

const machine = await makeMachine();
const env = { ...machine.env, OTEL_METRIC_EXPORT_INTERVAL: String(METRICS_MS) };
const ledgerFolder = join(machine.folder, "ledgers");
mkdirSync(ledgerFolder);
try {
  const run = await runChaos();
  const faults = findFaults(run);
  const report = writeReport(run, faults);
  console.log(report);
  if (values.report !== undefined) writeFileSync(values.report, report);
  if (faults.length > 0) process.exitCode = 1;
} finally {
  await machine.close();
}

async function runChaos(): Promise<ChaosRun> {
  const flow = writeFlow({ program: PROGRAM, ledgers: ledgerFolder, rate });
  await dora("up");
  await dora("start", machine.file("chaos.yml", flow));
  const client = new FlowClient(machine.env["DORA_COORDINATOR"] ?? "");
  const isRunning = await isSoon(async () => (await countRunning(client)).running === NODES.length);
  if (!isRunning) throw new Error("the nodes did not start in time");
  const startedMs = performance.now();
  const stop = new AbortController();
  const samples: Sample[] = [];
  const watching = watch(client, samples, startedMs, stop.signal);
  const killed = await killNodes(client, startedMs + seconds * 1000);
  const isAllRunning = await isSoon(async () => {
    const { running, restarts } = await countRunning(client);
    return running === NODES.length && restarts === killed.length;
  });
  stop.abort();
  await watching;
  for (const source of SOURCES) await client.setParameter(source, { is_ending: true });
  let state = "";
  await isSoon(async () => {
    ({ state } = await client.view());
    return state === "completed" || state === "failed";
  });
  const api = `http://${machine.env["DORA_API"] ?? ""}`;
  // What the daemon counted last is exported twice over: nothing is on its way then.
  await delay(2 * METRICS_MS + 1000);
  const telemetry = await readTelemetry(api);
  await dora("down");
  const ledgers = readLedgers(ledgerFolder);
  const kills = killed.map((kill) => withReturn(kill, ledgers));
  return {
    machine: `${machineLine()}, load ${loadavg()[0].toFixed(1)}`,
    commit: execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    seconds,
    rate,
    seed,
    samples,
    kills,
    judgement: judge(LINKS, ledgers, kills),
    deepest: new Map([...ledgers].map(([node, processes]) => [node, deepestOf(processes)])),
    telemetry,
    isAllRunning,
    state,
    processesLeft: processesLeft(machine),
  };
}

/** Kills a random running node every few seconds. */
async function killNodes(
  client: FlowClient,
  untilMs: number,
): Promise<readonly Omit<Kill, "backAtUnixMs">[]> {
  const random = new Random(seed);
  const kills: Omit<Kill, "backAtUnixMs">[] = [];
  for (;;) {
    const pauseMs = random.between(KILL_MS.min, KILL_MS.max);
    if (performance.now() + pauseMs > untilMs) break;
    await delay(pauseMs);
    const { nodes } = await client.view();
    const running = nodes.filter(({ state, pid }) => state === "running" && pid !== null);
    const { id, pid } = random.pick(running);
    if (pid === null) continue;
    try {
      process.kill(pid, "SIGKILL");
      kills.push({ node: id, atUnixMs: Date.now() });
    } catch {
      // The status is a second old: this process is gone already.
    }
  }
  return kills;
}

async function watch(
  client: FlowClient,
  samples: Sample[],
  startedMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { nodes } = await client.view();
    const use = await readUse(machine.env["DORA_STATE_DIR"] ?? "");
    samples.push({ atSeconds: (performance.now() - startedMs) / 1000, nodes, use });
    await delay(SAMPLE_MS);
  }
}

/** The node is back when its next process takes or sends its first message. */
function withReturn(
  { node, atUnixMs }: Omit<Kill, "backAtUnixMs">,
  ledgers: ReadonlyMap<string, readonly ProcessLedger[]>,
): Kill {
  const next = ledgers
    .get(node)
    ?.find(({ incarnation, entries }) => incarnation > atUnixMs && entries.length > 0);
  return { node, atUnixMs, backAtUnixMs: next?.entries[0]?.atUnixMs ?? Infinity };
}

function deepestOf(processes: readonly ProcessLedger[]): number {
  let deepest = 0;
  for (const { entries } of processes) {
    for (const { queued } of entries) deepest = Math.max(deepest, queued);
  }
  return deepest;
}

async function countRunning(
  client: FlowClient,
): Promise<{ readonly running: number; readonly restarts: number }> {
  const { nodes } = await client.view();
  return {
    running: nodes.filter(({ state }) => state === "running").length,
    restarts: nodes.reduce((total, { restarts }) => total + restarts, 0),
  };
}

/** Whether it becomes true in time. */
async function isSoon(isTrue: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (await isTrue()) return true;
    await delay(100);
  }
  return false;
}

async function dora(...words: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCli(words, { env });
  if (code !== 0) throw new Error(`dora ${words.join(" ")}: ${code}\n${stdout}${stderr}`);
}

/** Processes that have the machine's state folder in their environment: ours, and nobody else's. */
function processesLeft({ env: { DORA_STATE_DIR: folder } }: TestMachine): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`DORA_STATE_DIR=${folder}`);
    } catch {
      return false;
    }
  });
}
