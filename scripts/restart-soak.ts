/**
 * Whether restarts leave anything behind: one node of three ends and is started again, 2,000 times.
 *
 *     node scripts/restart-soak.ts [--restarts 2000] [--every 200] [--report docs/reports/restarts.md]
 *
 *     source ──► victim ──► sink        the victim exits, throws or is killed at its 3rd message
 *
 * The daemon runs in this process, with telemetry to a `dora serve`. At each mark: memory after a collection,
 * open files, sockets and timers of this process, processes of the daemon, memory of the two nodes that stay.
 * Ends with 1 where anything but memory grew, or memory still grew over the second half.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Daemon } from "../src/runtime/daemon/daemon.ts";
import type { NodeStatus } from "../src/runtime/protocol/status.ts";
import { OtlpRunTelemetry } from "../src/runtime/telemetry/otlp-run-telemetry.ts";
import { silentLogger } from "../src/telemetry/logger.ts";
import { startServe } from "../test/serve-process.ts";

/** Of heap, over the second half: less is noise of the collector. */
const HEAP_SLOPE_MB_MAX = 2;
/** Of a node that stays. */
const NODE_SLOPE_MB_MAX = 8;
const MB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    restarts: { type: "string", default: "2000" },
    every: { type: "string", default: "200" },
    report: { type: "string" },
  },
});
const restartsMax = Number(values.restarts);
const every = Number(values.every);

const VICTIM = `
import { Node } from "dora-dataflow/node";
await using node = await Node.connect();
let seen = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  await node.sendOutput("out", event.bytes());
  seen += 1;
  if (seen < 3) continue;
  node.log.error("the end comes");
  const ways = [() => process.exit(1), () => { throw new Error("the end"); }, () => process.kill(process.pid, "SIGKILL")];
  ways[process.pid % 3]();
}
`;
const SOURCE = `
import { Node } from "dora-dataflow/node";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type === "input") await node.sendOutput("out", new Uint8Array(100_000));
}
`;
const SINK = `
import { Node } from "dora-dataflow/node";
await using node = await Node.connect();
let count = 0;
for await (const event of node) {
  if (event.type === "input" && ++count % 100 === 0) console.log("seen", count);
}
`;
const FLOW = `
nodes:
  - { id: source, path: source.mjs, inputs: { tick: dora/timer/millis/20 }, outputs: [out] }
  - id: victim
    path: victim.mjs
    inputs: { in: source/out }
    outputs: [out]
    restart_policy: on-failure
    restart_delay: 0
    max_restart_delay: 0
  - { id: sink, path: sink.mjs, inputs: { in: victim/out } }
`;

interface Mark {
  readonly restarts: number;
  readonly seconds: number;
  readonly rssMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
  readonly files: number;
  /** Sockets, timers, children and so on that this process waits for. */
  readonly resources: number;
  readonly processes: number;
  readonly sourceMb: number;
  readonly sinkMb: number;
}

setFlagsFromString("--expose-gc");

const base = mkdtempSync(join(tmpdir(), "dora-restarts-"));
const service = await startServe({ dataDirectory: join(base, "data") });
const telemetry = await OtlpRunTelemetry.start({
  endpoints: { grpc: `http://${service.otlpGrpc}`, http: service.otlpHttp },
  resource: { "service.name": "dora-daemon" },
  log: silentLogger,
});
const daemon = await Daemon.open({ telemetry, log: silentLogger, folder: join(base, "run") });
for (const [name, text] of Object.entries({
  "victim.mjs": VICTIM,
  "source.mjs": SOURCE,
  "sink.mjs": SINK,
})) {
  writeFileSync(join(base, name), text);
}
const dataflow = "01900000-0000-7000-8000-000000000001";
const began = performance.now();
await daemon.handle({
  method: "start",
  dataflow,
  name: "restarts",
  text: FLOW,
  file: join(base, "dataflow.yml"),
  environment: {},
  build: false,
});

const marks: Mark[] = [];
for (let target = 0; target <= restartsMax; target += every) {
  // The first mark is taken when all is warm.
  await reach(Math.max(target, Math.min(20, every)));
  const mark = await measure();
  marks.push(mark);
  console.log(line(mark));
}
await daemon.handle({ method: "stop", dataflow, force: false });
const ended = await daemon.ended(dataflow);
await daemon.close();
await telemetry.close(10_000);
await service.close();
rmSync(base, { recursive: true, force: true });

const findings = judge(marks);
for (const finding of findings) console.log(finding);
if (ended.state !== "stopped") console.log(`the dataflow ended as ${ended.state}`);
if (values.report !== undefined) writeFileSync(values.report, report(marks, findings));
process.exitCode = findings.length > 0 || ended.state !== "stopped" ? 1 : 0;

function node(id: string): NodeStatus {
  const found = daemon.status()[0]?.nodes.find((each) => each.id === id);
  if (found === undefined) throw new Error(`no node ${id}`);
  return found;
}

async function reach(restarts: number): Promise<void> {
  while (node("victim").restarts < restarts) {
    const state = daemon.status()[0]?.state;
    if (state !== "running" && state !== "starting") throw new Error(`the dataflow is ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function measure(): Promise<Mark> {
  // A running victim, so that each mark counts the same processes and connections.
  while (node("victim").state !== "running") {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  runInNewContext("gc()");
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    restarts: node("victim").restarts,
    seconds: (performance.now() - began) / 1000,
    rssMb: rss / MB,
    heapMb: heapUsed / MB,
    externalMb: external / MB,
    files: openFiles(),
    resources: process.getActiveResourcesInfo().length,
    processes: descendants(process.pid).length,
    sourceMb: rssOf(node("source").pid),
    sinkMb: rssOf(node("sink").pid),
  };
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

function descendants(root: number): readonly number[] {
  const table = execFileSync("ps", ["-eo", "pid=,ppid=,comm="], { encoding: "utf8" })
    .split("\n")
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , command]) => command !== "ps");
  const found: number[] = [];
  let parents = [root];
  while (parents.length > 0) {
    parents = table
      .filter(([, parent]) => parents.includes(Number(parent)))
      .map(([pid]) => Number(pid));
    found.push(...parents);
  }
  return found;
}

function rssOf(pid: number | null): number {
  const text = readFileSync(`/proc/${pid ?? 0}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024;
}

function judge(all: readonly Mark[]): readonly string[] {
  const half = all.slice(Math.floor(all.length / 2));
  const [first] = half;
  const last = half.at(-1);
  if (first === undefined || last === undefined) return ["there are no marks"];
  const found: string[] = [];
  // One connection, timer or process may come and go at the moment of a mark.
  for (const key of ["files", "resources", "processes"] as const) {
    const [low, high] = [Math.min(...half.map((mark) => mark[key])), last[key]];
    if (high > low + 6) found.push(`${key} grew from ${low} to ${high}`);
  }
  const heap = slope(half, (mark) => mark.heapMb + mark.externalMb);
  if (heap > HEAP_SLOPE_MB_MAX) found.push(`the heap grew by ${heap.toFixed(1)} MB`);
  for (const key of ["sourceMb", "sinkMb"] as const) {
    const grown = slope(half, (mark) => mark[key]);
    if (grown > NODE_SLOPE_MB_MAX) found.push(`${key} grew by ${grown.toFixed(1)} MB`);
  }
  return found;
}

/** Growth over the marks by the line of least squares. */
function slope(all: readonly Mark[], of: (mark: Mark) => number): number {
  const meanX = mean(all.map(({ restarts }) => restarts));
  const meanY = mean(all.map(of));
  const above = all.reduce((sum, mark) => sum + (mark.restarts - meanX) * (of(mark) - meanY), 0);
  const below = all.reduce((sum, mark) => sum + (mark.restarts - meanX) ** 2, 0);
  const span = (all.at(-1)?.restarts ?? 0) - (all[0]?.restarts ?? 0);
  return below === 0 ? 0 : (above / below) * span;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);
}

function line(mark: Mark): string {
  const { restarts, seconds, rssMb, heapMb, externalMb, files, resources, processes } = mark;
  const cells = [
    restarts,
    seconds.toFixed(0),
    rssMb.toFixed(0),
    heapMb.toFixed(1),
    externalMb.toFixed(1),
    files,
    resources,
    processes,
    mark.sourceMb.toFixed(0),
    mark.sinkMb.toFixed(0),
  ];
  return `| ${cells.join(" | ")} |`;
}

function report(all: readonly Mark[], found: readonly string[]): string {
  const [cpu] = cpus();
  const machine = `${cpus().length} x ${cpu?.model ?? "?"}, ${Math.round(totalmem() / 1e9)} GB, Linux ${release()}, Node ${process.version}`;
  return `# ${restartsMax} restarts

\`node scripts/restart-soak.ts --report docs/reports/restarts.md\` writes this file. A node between two others exits, throws or is killed at its third message, and is started again at once (\`restart_delay: 0\`). Memory, files and handles are the daemon's, after a collection; processes are all below it.

${new Date().toISOString().slice(0, 10)}, ${machine}.

| restarts | seconds | RSS MB | heap MB | external MB | open files | handles | processes | source RSS MB | sink RSS MB |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${all.map(line).join("\n")}

${found.length === 0 ? "No slope: open files, handles and processes are as at the start, and the heap does not grow over the second half." : found.join("; ")}
`;
}
