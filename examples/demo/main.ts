/**
 * The demo: `npm run demo`.
 *
 * 1. Starts log service, coordinator and daemon on free ports, with folders of their own.
 * 2. Starts the dataflow of `dataflow.yaml`: a camera, a detector and a planner, the last in Python
 *    where there is one. None of them has a line of code for its telemetry.
 * 3. The detector's accelerator hangs for a while; a live search shows it.
 * 4. Counts by node and level, shows one failed picture's trace, exports the incident.
 * 5. Checks that nothing was lost, stops all, and asks the folder once more.
 *
 * Every step prints the command that does it and checks what it gave; exits 0 only if all is right.
 */
import { strictEqual as equal, ok } from "node:assert";
import { mkdir, mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { killAll, runDora, startDora } from "./dora-command.ts";
import { findFreePorts, hasPython } from "./machine.ts";

const DATAFLOW = fileURLToPath(new URL("dataflow.yaml", import.meta.url));
const NODES = ["Camera", "Detector", "Planner"] as const;
const FRAMES = 80;
const HANGING_FRAMES = 8;
const INCIDENT = "level>=warn";
const COUNT_BY_NODE = "* | count by node, level";
const TIME_LIMIT_MS = 58_000;

const startedMs = performance.now();
const timer = setTimeout(() => fail(new Error("the demo took too long")), TIME_LIMIT_MS);
let isUp = false;
process.on("exit", killAll);
process.on("SIGINT", () => void stop(130));
process.on("SIGTERM", () => void stop(143));

try {
  await run();
  clearTimeout(timer);
} catch (error) {
  fail(error);
}

async function run(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "dora-demo-"));
  const dataDirectory = join(directory, "store");
  const { api, coordinator } = await useOwnPlaces(directory, dataDirectory);

  title("Log service, coordinator and daemon, without any configuration");
  isUp = true;
  await showDora(["up"]);

  title("A dataflow, and a live search while it runs: warnings and errors");
  const tailArgs = ["logs", "tail", INCIDENT];
  show(tailArgs);
  const seen = new Set<string>();
  const live = startDora(tailArgs, {
    onLine: (line) => {
      for (const node of NODES) if (line.includes(`[${node}]`)) seen.add(node);
      print(`  ${line}`);
    },
  });
  await showDora(["start", DATAFLOW]);
  await waitFor("the dataflow's end", async () => (await stateOf(coordinator)) === "completed");
  await waitFor("the detector's errors and the planner's warnings", () =>
    Promise.resolve(seen.has("Detector") && seen.has("Planner")),
  );
  live.kill("SIGINT");
  await live.end();

  title("How many records, by node and level");
  await checkCount(api, "frame captured", FRAMES);
  await checkCount(api, "Inference timed out", HANGING_FRAMES);
  await checkCount(api, "objects detected", FRAMES - HANGING_FRAMES);
  await checkCount(api, "node:planner frame>0", FRAMES);
  const counts = await showDora(["logs", "query", COUNT_BY_NODE]);
  for (const node of NODES) ok(counts.includes(node), `no records of ${node}`);

  title("One picture that failed, from the camera to the planner");
  const { traceId, timestamp } = await findFirstError(api);
  await waitFor("the trace's spans", async () =>
    isWholeTrace(await runDora(["trace", "show", traceId])),
  );
  await showDora(["trace", "show", traceId]);

  title("The incident, for a spreadsheet");
  const file = join(directory, "incident.csv");
  await showDora(["logs", "export", INCIDENT, "--since", timestamp, "--file", file]);
  const rows = (await readFile(file, "utf8")).split("\r\n").slice(0, -1);
  ok(rows.length > HANGING_FRAMES, "the export is too short");
  for (const row of [...rows.slice(0, 4), "..."]) print(`  ${row.slice(0, 90)}`);
  print(`  ${rows.length - 1} records in ${file}`);

  title("Nothing was lost");
  await checkLaw(api);

  title("All is stopped; the folder still answers");
  await showDora(["down"]);
  isUp = false;
  const offline = ["--data-dir", dataDirectory];
  await showDora(["logs", "query", COUNT_BY_NODE, ...offline]);

  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  title(`Done in ${seconds} s. The data are in ${dataDirectory}`);
  print("  Ask them again, without a service:");
  show(["logs", "--filter", "error", "--tail", "10", ...offline]);
  show(["trace", "show", traceId, ...offline]);
  print("  or start the same on the usual ports, and leave it running:");
  show(["start", DATAFLOW]);
}

/** Free ports and folders of the demo's own, for this process and all that it starts. */
async function useOwnPlaces(
  directory: string,
  dataDirectory: string,
): Promise<{ readonly api: string; readonly coordinator: string }> {
  const [api, grpc, http, coordinator] = await findFreePorts(4);
  const runtimeDirectory = join(directory, "run");
  await mkdir(runtimeDirectory, { mode: 0o700 });
  const places = {
    DORA_DATA_DIR: dataDirectory,
    DORA_STATE_DIR: join(directory, "state"),
    XDG_RUNTIME_DIR: runtimeDirectory,
    DORA_API: `127.0.0.1:${api}`,
    DORA_URL: `http://127.0.0.1:${api}`,
    DORA_OTLP_GRPC: `127.0.0.1:${grpc}`,
    DORA_OTLP_HTTP: `127.0.0.1:${http}`,
    DORA_COORDINATOR: `http://127.0.0.1:${coordinator}`,
    // The demo starts a dozen processes: what one has compiled the next need not.
    NODE_COMPILE_CACHE: join(directory, "compiled"),
    // Every 10 s is what is usual; the demo is over sooner.
    OTEL_METRIC_EXPORT_INTERVAL: "1000",
    DEMO_PLANNER: hasPython() ? "planner.py" : "planner.ts",
  };
  Object.assign(process.env, places);
  return { api: places.DORA_URL, coordinator: places.DORA_COORDINATOR };
}

/** Asks again and again until it is so. */
async function waitFor(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`waited too long for ${what}`);
    await delay(200);
  }
}

/** Of the only dataflow. */
async function stateOf(coordinator: string): Promise<unknown> {
  const response = await fetch(`${coordinator}/api/v1/dataflows`);
  const answer: unknown = await response.json();
  const [dataflow] = asList(isObject(answer) ? answer["dataflows"] : undefined);
  const state = isObject(dataflow) ? dataflow["state"] : undefined;
  ok(state !== "failed", "the dataflow failed");
  return state;
}

/** Records arrive within a second of the dataflow's end. */
async function checkCount(api: string, query: string, expected: number): Promise<void> {
  let count: unknown;
  await waitFor(`${expected} records of ${query}`, async () => {
    const response = await fetch(`${api}/api/v1/logs/count?query=${encodeURIComponent(query)}`);
    const answer: unknown = await response.json();
    count = isObject(answer) ? answer["count"] : undefined;
    return typeof count === "number" && count >= expected;
  });
  equal(count, expected, `records of ${query}`);
}

interface FirstError {
  readonly timestamp: string;
  readonly traceId: string;
}

async function findFirstError(api: string): Promise<FirstError> {
  const query = "level>=error node:detector";
  const response = await fetch(`${api}/api/v1/logs/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, order: "oldest", limit: 1, format: "json" }),
  });
  const [first] = asList(await response.json());
  ok(isObject(first), "the detector reported no error");
  return { timestamp: String(first["timestamp"]), traceId: String(first["trace_id"]) };
}

/** A trace is there once it has the spans of both links, and a log record of each node. */
function isWholeTrace(text: string): boolean {
  const spans = ["send image", "handle image", "send objects", "handle objects"];
  const hasRecord = (node: string): boolean => text.includes(`] [${node}]`);
  return spans.every((span) => text.includes(span)) && NODES.every(hasRecord);
}

/** received = stored + rejected + filtered + deduplicated + dropped + pending, for each signal. */
async function checkLaw(api: string): Promise<void> {
  print(`  $ curl ${api}/api/v1/status`);
  for (const signal of ["logs", "traces", "metrics"] as const) {
    let counters: Readonly<Record<string, unknown>> = {};
    await waitFor(`${signal} to be stored`, async () => {
      counters = await countersOf(api, signal);
      return Number(counters["stored"]) > 0;
    });
    const count = (name: string): number => Number(counters[name]);
    const outcomes = ["stored", "rejected", "filtered", "deduplicated", "dropped", "pending"];
    const sum = outcomes.reduce((total, name) => total + count(name), 0);
    equal(count("received"), sum, `the law for ${signal}`);
    equal(count("rejected") + count("dropped"), 0, `${signal} rejected or dropped`);
    const parts = outcomes.map((name) => `${count(name)} ${name}`).join(" + ");
    print(`  ${signal}: ${count("received")} received = ${parts}`);
  }
}

async function countersOf(api: string, signal: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(`${api}/api/v1/status`);
  const status: unknown = await response.json();
  const signals = isObject(status) && isObject(status["signals"]) ? status["signals"] : {};
  const counters = signals[signal];
  ok(isObject(counters), `the status names no ${signal}`);
  return counters;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Prints a command and what it gives. */
async function showDora(args: readonly string[]): Promise<string> {
  show(args);
  const output = await runDora(args);
  if (output !== "") print(indent(output));
  return output;
}

function show(args: readonly string[]): void {
  const words = args.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  print(`  $ npx dora ${words.join(" ")}`);
}

function title(text: string): void {
  print(`\n${text}`);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^(?=.)/gm, "  ");
}

function print(text: string): void {
  console.log(text);
}

function fail(error: unknown): void {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  void stop(1);
}

/** Nothing that was started runs on. */
async function stop(exitCode: number): Promise<void> {
  if (isUp) await runDora(["down", "--force"]).catch(() => undefined);
  process.exit(exitCode);
}
