/**
 * Measures how long the receiving thread pauses, and how soon a live search is told of a record:
 * `dora canary` at 100 records a second, first alone, then beside a full-speed load and a query
 * that begins again and again. Pauses are delays of the service's event loop, sampled each ms.
 *
 *     node bench/pauses.ts [--records N] [--connections N]
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { z } from "zod";
import { startServe, type ServeProcess } from "../test/serve-process.ts";
import { DEFAULT_LOAD } from "./load.ts";
import { openLoadFiles, readRequests } from "./load-file.ts";
import { ask } from "./our-answers.ts";
import { machineLine } from "./process-usage.ts";
import { HttpSender, sendAll } from "./senders.ts";

const PROBE = fileURLToPath(new URL("pause-probe.ts", import.meta.url));
const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const CANARY_SECONDS = 10;

const Latency = z.object({ p50: z.number(), p99: z.number(), max: z.number() });
const Report = z.looseObject({
  acknowledged: z.number(),
  missing: z.number(),
  not_pushed: z.number(),
  acknowledge_ms: Latency,
  acknowledged_to_pushed_ms: Latency,
});

const { values } = parseArgs({
  options: {
    records: { type: "string", default: String(DEFAULT_LOAD.recordCount) },
    connections: { type: "string", default: "8" },
  },
});
const load = { ...DEFAULT_LOAD, recordCount: Number(values.records) };
const files = await openLoadFiles(load);
console.log(machineLine());
await measure("alone", () => Promise.resolve());
await measure("at full load, with a query running", runLoad);

async function measure(what: string, run: (service: ServeProcess) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "dora-pauses-"));
  const probeFile = join(directory, "pauses.json");
  const service = await startServe({
    dataDirectory: join(directory, "store"),
    nodeArgs: ["--import", PROBE],
    env: { PAUSE_PROBE_FILE: probeFile },
  });
  try {
    const [report] = await Promise.all([runCanary(service), run(service)]);
    await service.close();
    const pauses = readFileSync(probeFile, "utf8");
    console.log(`${what}:`);
    console.log(
      `  acknowledged to pushed, ms  ${JSON.stringify(report.acknowledged_to_pushed_ms)}`,
    );
    console.log(`  sent to acknowledged, ms    ${JSON.stringify(report.acknowledge_ms)}`);
    console.log(`  pauses, ms                  ${pauses}`);
    const { acknowledged, missing, not_pushed: notPushed } = report;
    console.log(
      `  canary: ${acknowledged} acknowledged, ${missing} missing, ${notPushed} not pushed`,
    );
  } finally {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runCanary({ otlpHttp, api }: ServeProcess): Promise<z.output<typeof Report>> {
  const addresses = ["--endpoint", otlpHttp, "--api", api];
  const args = [
    MAIN,
    "canary",
    ...addresses,
    "--duration",
    `${CANARY_SECONDS}s`,
    "--output",
    "json",
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Report.parse(JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? ""));
}

async function runLoad(service: ServeProcess): Promise<void> {
  const connections = Number(values.connections);
  const sender = new HttpSender(service.otlpHttp, connections);
  const ended = new AbortController();
  const asking = askUntil(service, ended.signal);
  await sendAll(readRequests(files.otlp), sender, connections);
  ended.abort();
  await asking;
  sender.close();
}

async function askUntil(service: ServeProcess, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await ask(service.api, { route: "count", query: "message:connection" });
  }
}
