/**
 * The demo: `npm run demo`.
 *
 * 1. Starts `dora serve` on free ports with a data folder of its own.
 * 2. Starts a camera, a detector and a planner, three processes that pass pictures along and send
 *    their logs, traces and metrics with the official OpenTelemetry SDK and pino.
 * 3. The detector's accelerator hangs for a while; a live search shows it.
 * 4. Counts by node and level, shows one failed picture's trace, exports the incident.
 * 5. Checks that nothing was lost, stops the service, and asks the folder once more.
 *
 * Every step prints the command that does it and checks what it gave; exits 0 only if all is right.
 */
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strictEqual as equal, ok } from "node:assert";
import type { DemoProcess } from "./demo-process.ts";
import { killAll, runDora, startDora, startNode } from "./demo-process.ts";
import type { Emitted } from "./node-telemetry.ts";

const NODES = ["camera", "detector", "planner"] as const;
type NodeName = (typeof NODES)[number];

/** The SDK's protocol of each node: the service takes all three. */
const PROTOCOLS = {
  camera: "http/protobuf",
  detector: "grpc",
  planner: "http/json",
} as const satisfies Record<NodeName, string>;

const DATAFLOW = "pick-and-place";
const INCIDENT = "level>=warn";
const COUNT_BY_NODE = "* | count by node, level";
const TIME_LIMIT_MS = 58_000;

/** Where the service listens, from its first line. */
interface Service {
  readonly process: DemoProcess;
  readonly otlpGrpc: string;
  readonly otlpHttp: string;
  readonly api: string;
}

const startedMs = performance.now();
const timer = setTimeout(() => fail(new Error("the demo took too long")), TIME_LIMIT_MS);
process.on("exit", killAll);
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));

try {
  await run();
  clearTimeout(timer);
} catch (error) {
  fail(error);
}

async function run(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "dora-demo-"));
  const dataDirectory = join(directory, "store");
  // The demo starts a dozen processes: what one has compiled the next need not.
  process.env["NODE_COMPILE_CACHE"] = join(directory, "compiled");
  title("A service on free ports, without any configuration");
  const service = await startService(dataDirectory);
  const { api } = service;
  const url = ["--url", api];

  title(`Live search, while the three nodes of "${DATAFLOW}" run: warnings and errors`);
  const tailArgs = ["logs", "tail", INCIDENT, ...url];
  show(tailArgs);
  const live = startDora(tailArgs, { onLine: (line) => print(`  ${line}`) });
  const emitted = await runNodes(service);
  const seen = new Set<NodeName>();
  await live.waitFor((line) => {
    for (const node of NODES) if (line.includes(`[${node}]`)) seen.add(node);
    return seen.size === NODES.length ? seen : undefined;
  });
  live.kill("SIGINT");
  await live.end();
  for (const node of NODES) print(`  ${node} sent ${describe(emitted[node])}`);

  title("How many records, by node and level");
  const counts = countsOf(await showDora(["logs", "query", COUNT_BY_NODE, ...url]));
  for (const node of NODES) equal(counts.get(node), emitted[node].logs, `log records of ${node}`);

  title("One picture that failed, from the camera to the planner");
  const firstError = await findFirstError(api);
  checkTrace(await showDora(["trace", "show", firstError.traceId, ...url]));

  title("The incident, for a spreadsheet");
  const file = join(directory, "incident.csv");
  const since = ["--since", firstError.timestamp];
  await showDora(["logs", "export", INCIDENT, ...since, "--file", file, ...url]);
  const rows = (await readFile(file, "utf8")).split("\r\n").slice(0, -1);
  ok(rows.length > 1, "the export is empty");
  for (const row of [...rows.slice(0, 4), "..."]) print(`  ${row.slice(0, 90)}`);
  print(`  ${rows.length - 1} records in ${file}`);

  title("Nothing was lost");
  await checkLaw(api, emitted);

  title("The service is stopped; its folder still answers");
  service.process.kill("SIGTERM");
  await service.process.end();
  const offline = ["--data-dir", dataDirectory];
  const offlineCounts = countsOf(await showDora(["logs", "query", COUNT_BY_NODE, ...offline]));
  for (const node of NODES) equal(offlineCounts.get(node), counts.get(node), `${node}, offline`);

  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  title(`Done in ${seconds} s. The data are in ${dataDirectory}`);
  print("  Ask them again, without a service:");
  show(["logs", "--filter", "error", "--tail", "10", ...offline]);
  show(["trace", "show", firstError.traceId, ...offline]);
  print("  or start the service on them, which answers at http://127.0.0.1:6014 then:");
  show(["serve", ...offline]);
}

async function startService(dataDirectory: string): Promise<Service> {
  const free = "127.0.0.1:0";
  const args = ["serve", "--data-dir", dataDirectory];
  show(args);
  const serve = startDora([...args, "--otlp-grpc", free, "--otlp-http", free, "--api", free]);
  return serve.waitFor((line) => {
    const found =
      /^dora listens: OTLP\/gRPC (?<grpc>\S+), OTLP\/HTTP (?<http>\S+), query API (?<api>\S+),/.exec(
        line,
      )?.groups;
    if (found === undefined) return undefined;
    print(`  ${line}`);
    const { grpc = "", http = "", api = "" } = found;
    return { process: serve, otlpGrpc: `http://${grpc}`, otlpHttp: `http://${http}`, api };
  });
}

/** Runs the three nodes to their end; gives what each has sent. */
async function runNodes(service: Service): Promise<Record<NodeName, Emitted>> {
  const nodes = {
    camera: startTelemetryNode("camera", service),
    detector: startTelemetryNode("detector", service),
    planner: startTelemetryNode("planner", service),
  };
  nodes.detector.writeLine(await nodes.planner.waitFor(readListening));
  nodes.camera.writeLine(await nodes.detector.waitFor(readListening));
  const camera = await nodes.camera.waitFor(readEmitted);
  nodes.detector.writeLine("stop");
  const detector = await nodes.detector.waitFor(readEmitted);
  nodes.planner.writeLine("stop");
  const planner = await nodes.planner.waitFor(readEmitted);
  await Promise.all(NODES.map((name) => nodes[name].end()));
  return { camera, detector, planner };
}

function startTelemetryNode(name: NodeName, service: Service): DemoProcess {
  const protocol = PROTOCOLS[name];
  return startNode(name, {
    env: {
      OTEL_SERVICE_NAME: name,
      OTEL_RESOURCE_ATTRIBUTES: `dora.dataflow.name=${DATAFLOW}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === "grpc" ? service.otlpGrpc : service.otlpHttp,
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "otlp",
      // Logs go through pino's transport, and would be sent twice by the SDK.
      OTEL_LOGS_EXPORTER: "none",
      OTEL_METRIC_EXPORT_INTERVAL: "2000",
      OTEL_METRIC_EXPORT_TIMEOUT: "2000",
      OTEL_BSP_SCHEDULE_DELAY: "500",
    },
  });
}

function readListening(line: string): string | undefined {
  return /^\{"listening":"([^"]+)"\}$/.exec(line)?.[1];
}

function readEmitted(line: string): Emitted | undefined {
  const found = /^\{"emitted":\{"logs":(\d+),"spans":(\d+)\}\}$/.exec(line);
  return found === null ? undefined : { logs: Number(found[1]), spans: Number(found[2]) };
}

/** Log records by node, from the rows `| camera | INFO | 102 |` of the table. */
function countsOf(table: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, node = "", count] of table.matchAll(/^\| (\S+) +\| \S+ +\| +(\d+) \|$/gm)) {
    counts.set(node, (counts.get(node) ?? 0) + Number(count));
  }
  return counts;
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

/** The trace must hold a span (`[camera] capture 231.1 ms`) and a log record of each node. */
function checkTrace(text: string): void {
  for (const node of NODES) {
    const span = new RegExp(String.raw`[^\]] \[${node}\] \w+ [\d.]+ (?:us|ms|s)\b`);
    const log = new RegExp(String.raw`\[(?:DEBUG|INFO|WARN|ERROR)\] \[${node}\]`);
    ok(span.test(text), `the trace has no span of ${node}`);
    ok(log.test(text), `the trace has no log record of ${node}`);
  }
}

/** received = stored + rejected + filtered + deduplicated + dropped + pending, for each signal. */
async function checkLaw(api: string, emitted: Record<NodeName, Emitted>): Promise<void> {
  print(`  $ curl ${api}/api/v1/status`);
  const response = await fetch(`${api}/api/v1/status`);
  const status: unknown = await response.json();
  const signals = isObject(status) && isObject(status["signals"]) ? status["signals"] : {};
  for (const signal of ["logs", "traces", "metrics"] as const) {
    const counters = signals[signal];
    ok(isObject(counters), `the status names no ${signal}`);
    const count = (name: string): number => Number(counters[name]);
    const outcomes = ["stored", "rejected", "filtered", "deduplicated", "dropped", "pending"];
    const sum = outcomes.reduce((total, name) => total + count(name), 0);
    equal(count("received"), sum, `the law for ${signal}`);
    ok(count("stored") > 0, `no ${signal} were stored`);
    equal(count("rejected") + count("dropped"), 0, `${signal} rejected or dropped`);
    const parts = outcomes.map((name) => `${count(name)} ${name}`).join(" + ");
    print(`  ${signal}: ${count("received")} received = ${parts}`);
    if (signal === "traces") {
      const sent = NODES.reduce((total, node) => total + emitted[node].spans, 0);
      equal(count("stored"), sent, "spans stored and spans sent");
    }
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function describe({ logs, spans }: Emitted): string {
  return `${logs} log records and ${spans} spans`;
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
  return text.trimEnd().replaceAll(/^/gm, "  ");
}

function print(text: string): void {
  console.log(text);
}

function fail(error: unknown): void {
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
