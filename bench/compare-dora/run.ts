/**
 * dora-rs and this runtime side by side: the same two nodes, by turns in one run.
 *
 *     npm run parts:build -- dora-rs
 *     node bench/compare-dora/run.ts [--quick] [--rounds 3] [--report docs/reports/dora-compare.md]
 *
 * Three systems: dora-rs with its Python API; the very same Python files beneath this runtime's daemon; and this
 * runtime's own nodes in TypeScript. The method is that of `dora bench` (docs/cli.md), after dora-rs's
 * dora-benchmark: of latency a message each 5 ms, of throughput one behind the other. Figures of a size are the
 * median of the rounds'. CPU and memory are of all processes of a system, its daemon included.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findPart } from "../../scripts/parts/part.ts";
import { type Mode, PLAN_VARIABLE, SIZES, StepResult } from "../../src/runtime/bench/method.ts";
import { runBenchmark } from "../../src/runtime/bench/run-benchmark.ts";
import {
  cpuSeconds,
  endedChildrenCpuSeconds,
  machineLine,
  processTreeBytes,
} from "../process-usage.ts";

const QUICK_SIZES = [8, 4096, 409_600, 4_096_000];
const SAMPLE_MS = 200;
const LATENCY_MESSAGES = 100;
/** So many bytes of each size, within these counts: what is measured of a few small messages is the compiler's work. */
const THROUGHPUT_BYTES = 400e6;
const THROUGHPUT_MESSAGES_MIN = 20;
const THROUGHPUT_MESSAGES_MAX = 10_000;
const SYSTEMS = ["dora-rs, Python", "ours, Python", "ours, TypeScript"] as const;
type System = (typeof SYSTEMS)[number];

type Row = Omit<StepResult, "step">;
interface Run {
  readonly rows: readonly Row[];
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    rounds: { type: "string" },
    report: { type: "string" },
  },
});
const sizes = values.quick ? QUICK_SIZES : SIZES;
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));

const doraRs = findDoraRs();
const environment = {
  ...process.env,
  PATH: `${dirname(doraRs)}${delimiter}${process.env["PATH"]}`,
};
const sender = fileURLToPath(new URL("sender.py", import.meta.url));
const receiver = fileURLToPath(new URL("receiver.py", import.meta.url));

const runs = new Map<string, Run[]>();
for (let round = 0; round < rounds; round++) {
  for (const mode of ["latency", "throughput"] as const) {
    for (const system of SYSTEMS) {
      const run = await measure(() =>
        system === "dora-rs, Python" ? runDoraRs(mode) : runOurs(system, mode),
      );
      runs.set(keyOf(system, mode), [...(runs.get(keyOf(system, mode)) ?? []), run]);
      console.error(
        `round ${round + 1}: ${system}, ${mode}: ${run.cpuSeconds.toFixed(1)} s of CPU`,
      );
    }
  }
}
const written = report();
console.log(written);
if (values.report !== undefined) writeFileSync(values.report, written);

function findDoraRs(): string {
  const { path, hint } = findPart("dora-rs");
  if (path === undefined) throw new Error(hint);
  return path;
}

async function measure(run: () => Promise<readonly Row[]>): Promise<Run> {
  const used = (): number => cpuSeconds(process.pid) + endedChildrenCpuSeconds();
  const before = used();
  let peakBytes = 0;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, processTreeBytes(process.pid));
  }, SAMPLE_MS);
  try {
    const rows = await run();
    return { rows, cpuSeconds: used() - before, peakBytes };
  } finally {
    clearInterval(timer);
  }
}

async function runOurs(system: System, mode: Mode): Promise<readonly Row[]> {
  return runBenchmark({
    mode,
    transport: "socket",
    sizesBytes: sizes,
    messages: (sizeBytes) => messagesOf(mode, sizeBytes),
    environment,
    ...(system === "ours, Python" ? { nodes: { sender, receiver } } : {}),
  });
}

/** By `dora run`, in a process of its own. What the receiver prints would pass through its log: a file does not. */
async function runDoraRs(mode: Mode): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "dora-compare-"));
  const results = join(folder, "results");
  const plan = {
    mode,
    steps: sizes.map((sizeBytes) => ({ sizeBytes, messages: messagesOf(mode, sizeBytes) })),
  };
  // Beneath dora-rs a full queue drops its oldest; this runtime's nodes wait for room.
  const queue_size = THROUGHPUT_MESSAGES_MAX;
  const flow = {
    nodes: [
      {
        id: "sender",
        path: sender,
        inputs: { arrived: { source: "receiver/arrived", queue_size } },
        outputs: ["data"],
      },
      {
        id: "receiver",
        path: receiver,
        inputs: { data: { source: "sender/data", queue_size } },
        outputs: ["arrived"],
      },
    ],
  };
  try {
    writeFileSync(join(folder, "flow.yml"), JSON.stringify(flow));
    const env = {
      ...environment,
      [PLAN_VARIABLE]: JSON.stringify(plan),
      DORA_BENCH_RESULTS: results,
    };
    const child = spawn(doraRs, ["run", "flow.yml"], { cwd: folder, env, stdio: "ignore" });
    await once(child, "close");
    if (child.exitCode !== 0) throw new Error(`dora-rs ended with ${child.exitCode}`);
    const found = readFileSync(results, "utf8").trim().split("\n");
    return found.map((line) => StepResult.parse(JSON.parse(line)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function messagesOf(mode: Mode, sizeBytes: number): number {
  if (mode === "latency") return LATENCY_MESSAGES;
  const messages = Math.round(THROUGHPUT_BYTES / sizeBytes);
  return Math.max(THROUGHPUT_MESSAGES_MIN, Math.min(messages, THROUGHPUT_MESSAGES_MAX));
}

function keyOf(system: System, mode: Mode): string {
  return `${system}, ${mode}`;
}

/** Of all rounds, the median of one figure of one size. */
function figure(system: System, mode: Mode, size: number, pick: (row: Row) => number): number {
  const found = (runs.get(keyOf(system, mode)) ?? []).map(({ rows }) => pick(rows[size]));
  return median(found);
}

function median(figures: readonly number[]): number {
  return figures.toSorted((left, right) => left - right)[figures.length >> 1];
}

function report(): string {
  return `# dora-rs side by side

\`node bench/compare-dora/run.ts${values.quick ? " --quick" : ""} --rounds ${rounds}\`: ${machineLine()}; dora-rs 1.1.0. Rounds by turns; each figure is the median of the rounds. The same two Python files run beneath
dora-rs and beneath this runtime; the nodes in TypeScript do the same. Links are each system's default on one machine: shared memory by zenoh, and a socket with a file in memory.

## Latency, a message each 5 ms, ${LATENCY_MESSAGES} of each size: p50 (p99) in microseconds

${table((system, size) => {
  const p50 = figure(system, "latency", size, ({ p50Us }) => p50Us);
  const p99 = figure(system, "latency", size, ({ p99Us }) => p99Us);
  return { shown: `${p50.toFixed(0)} (${p99.toFixed(0)})`, rank: p50 };
})}
## Throughput, one behind the other, 20 to 10,000 of a size: messages a second

${table((system, size) => {
  const perSecond = figure(
    system,
    "throughput",
    size,
    ({ received, seconds }) => received / seconds,
  );
  return { shown: perSecond.toFixed(0), rank: -perSecond };
})}
## All processes of a run

| | ${SYSTEMS.join(" | ")} |
| --- | ${SYSTEMS.map(() => "---:").join(" | ")} |
${(["latency", "throughput"] as const)
  .map((mode) => {
    const of = SYSTEMS.map((system) => {
      const found = runs.get(keyOf(system, mode)) ?? [];
      const cpu = median(found.map((run) => run.cpuSeconds));
      const peak = median(found.map(({ peakBytes }) => peakBytes));
      return `${cpu.toFixed(1)} s CPU, ${(peak / 1e6).toFixed(0)} MB`;
    });
    return `| ${mode} | ${of.join(" | ")} |\n`;
  })
  .join("")}
Messages that were lost, of all rounds: ${SYSTEMS.map((system) => `${system} ${lostOf(system)}`).join("; ")}.
`;
}

function table(
  cell: (system: System, size: number) => { readonly shown: string; readonly rank: number },
): string {
  const rows = sizes.map((bytes, size) => {
    const cells = SYSTEMS.map((system) => cell(system, size));
    const best = Math.min(...cells.map(({ rank }) => rank));
    const shown = cells.map(({ shown: text, rank }) => (rank === best ? `**${text}**` : text));
    return `| ${bytes.toLocaleString("en")} | ${shown.join(" | ")} |\n`;
  });
  return `| bytes | ${SYSTEMS.join(" | ")} |\n| ---: | ${SYSTEMS.map(() => "---:").join(" | ")} |\n${rows.join("")}`;
}

function lostOf(system: System): number {
  let lost = 0;
  for (const mode of ["latency", "throughput"] as const) {
    for (const { rows } of runs.get(keyOf(system, mode)) ?? []) {
      for (const [size, { received }] of rows.entries())
        lost += messagesOf(mode, sizes[size]) - received;
    }
  }
  return lost;
}
