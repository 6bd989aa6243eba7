/**
 * Measures queries over the sealed load: ours at the HTTP client, DuckDB in this process, in turn,
 * with the answers checked equal. No result is cached by either; the operating system's file cache
 * is warm for both.
 *
 *     node bench/query.ts [--records N] [--runs N] [--json FILE]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServe } from "../test/serve-process.ts";
import { DuckDbPeer } from "./duckdb-peer.ts";
import { DEFAULT_LOAD } from "./load.ts";
import { openLoadFiles, readRequests } from "./load-file.ts";
import { findNeedles } from "./needles.ts";
import { ask, readAnswer } from "./our-answers.ts";
import { cpuSeconds, folderBytes, machineLine, peakResidentBytes } from "./process-usage.ts";
import { makeQueryClasses, type QueryClass } from "./query-classes.ts";
import { HttpSender, sendAll } from "./senders.ts";
import { waitUntilSealed } from "./service-status.ts";

interface Timing {
  readonly minMs: number;
  readonly medianMs: number;
  readonly cpuMs: number;
}

interface ClassResult {
  readonly name: string;
  readonly answer: string;
  readonly ours: Timing;
  readonly duckdb: Timing;
}

const CONNECTIONS = 4;

const { values } = parseArgs({
  options: {
    records: { type: "string", default: String(DEFAULT_LOAD.recordCount) },
    runs: { type: "string", default: "7" },
    json: { type: "string" },
  },
});
const runCount = Number(values.runs);
const files = await openLoadFiles({ ...DEFAULT_LOAD, recordCount: Number(values.records) });
const directory = mkdtempSync(join(tmpdir(), "dora-query-"));
const service = await startServe({ dataDirectory: join(directory, "store") });
try {
  console.log(`${machineLine()}, DuckDB ${DuckDbPeer.version}`);
  const sender = new HttpSender(service.otlpHttp, CONNECTIONS);
  await sendAll(readRequests(files.otlp), sender, CONNECTIONS);
  sender.close();
  const unsealed = await waitUntilSealed(service.api);
  if (unsealed > 0) throw new Error(`${unsealed} records are not sealed`);
  const peer = await timedLoad();
  const results: ClassResult[] = [];
  for (const queryClass of makeQueryClasses(
    await findNeedles(files.table, Number(values.records)),
  )) {
    const result = await measure(queryClass, peer);
    results.push(result);
    printResult(result);
  }
  const disk = await folderBytes(join(directory, "store"));
  const segmentBytes = disk.get("segments") ?? 0;
  console.log(
    `on disk: segments ${megabytes(segmentBytes)}, DuckDB ${megabytes(peer.diskBytes)}; ` +
      `peak resident: service ${megabytes(peakResidentBytes(service.pid))} (ingest included), ` +
      `DuckDB with the client ${megabytes(peakResidentBytes(process.pid))}`,
  );
  peer.close();
  if (values.json !== undefined) {
    const machine = `${machineLine()}, DuckDB ${DuckDbPeer.version}`;
    writeFileSync(values.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
  }
} finally {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
}

async function timedLoad(): Promise<DuckDbPeer> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const peer = await DuckDbPeer.load(files.table, directory);
  const used = process.cpuUsage(before);
  const seconds = (performance.now() - startedMs) / 1000;
  const cpu = (used.user + used.system) / 1e6;
  console.log(
    `DuckDB loaded the rows from a file in ${seconds.toFixed(1)} s, ${cpu.toFixed(1)} CPU s`,
  );
  return peer;
}

/** Runs one class in turn on either side. Errors: answers that differ. */
async function measure(queryClass: QueryClass, peer: DuckDbPeer): Promise<ClassResult> {
  const { name, ours, sql } = queryClass;
  const ourAnswer = readAnswer(ours, await ask(service.api, ours));
  const theirAnswer = peer.readAnswer(queryClass, await peer.ask(sql));
  checkEqual(name, ourAnswer, theirAnswer);
  const ourTimes: number[] = [];
  const theirTimes: number[] = [];
  let ourCpu = 0;
  let theirCpu = 0;
  for (let run = 0; run < runCount; run++) {
    const cpuBefore = cpuSeconds(service.pid);
    ourTimes.push(await timed(() => ask(service.api, ours)));
    ourCpu += cpuSeconds(service.pid) - cpuBefore;
    const ownBefore = process.cpuUsage();
    theirTimes.push(await timed(() => peer.ask(sql)));
    const used = process.cpuUsage(ownBefore);
    theirCpu += (used.user + used.system) / 1e6;
  }
  const answer = ourAnswer.length === 1 ? (ourAnswer[0] ?? "") : `${ourAnswer.length} rows`;
  return {
    name,
    answer,
    ours: summarise(ourTimes, ourCpu),
    duckdb: summarise(theirTimes, theirCpu),
  };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

function summarise(times: readonly number[], cpuTotalSeconds: number): Timing {
  const ordered = times.toSorted((left, right) => left - right);
  return {
    minMs: ordered[0] ?? 0,
    medianMs: ordered[Math.floor(ordered.length / 2)] ?? 0,
    cpuMs: (cpuTotalSeconds * 1000) / times.length,
  };
}

function checkEqual(name: string, ours: readonly string[], theirs: readonly string[]): void {
  const index = ours.findIndex((row, position) => row !== theirs[position]);
  if (index < 0 && ours.length === theirs.length) return;
  throw new Error(
    `${name}: ${ours.length} rows, DuckDB has ${theirs.length}; ` +
      `row ${index}: ${ours[index]}, DuckDB has ${theirs[index]}`,
  );
}

function printResult({ name, answer, ours, duckdb }: ClassResult): void {
  const text = ({ minMs, medianMs, cpuMs }: Timing): string =>
    `${minMs.toFixed(1)} / ${medianMs.toFixed(1)} / ${cpuMs.toFixed(0)}`;
  console.log(`| ${name} | ${answer} | ${text(ours)} | ${text(duckdb)} |`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
