/**
 * Measures whether a store stays as it is while it grows: records go over OTLP/HTTP to a real
 * `dora serve` until it holds so many millions, and at each size, with nothing unsealed and no merge
 * due, the same questions are asked. In the end its segments are copied until the store has so many
 * gigabytes, and the time is taken from starting the service to the first answer of a search.
 *
 *     node bench/growth.ts [--millions 2,20,100] [--start-gigabytes 20] [--json FILE]
 *
 * Each pass of the load file gets other times, ten passes a day. One record alone has the rare word.
 */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NodeStorage } from "../src/journal/node-storage.ts";
import { readManifest, writeManifest } from "../src/log-store/manifest.ts";
import type { SegmentEntry } from "../src/log-store/segment-format.ts";
import { startServe, type ServeProcess } from "../test/serve-process.ts";
import { DEFAULT_LOAD, LOAD_DAY_UNIX_MS } from "./load.ts";
import { openLoadFiles, readRequests } from "./load-file.ts";
import { cpuSeconds, folderBytes, machineLine, residentBytes } from "./process-usage.ts";
import { HttpSender, sendAll } from "./senders.ts";
import { waitUntilSettled } from "./service-status.ts";
import { changeTimes } from "./time-shift.ts";

const CONNECTIONS = 8;
const PASSES_PER_DAY = 10n;
const DAY_NS = 86_400_000_000_000n;
const LOAD_DAY_UNIX_NS = BigInt(LOAD_DAY_UNIX_MS) * 1_000_000n;
const SETTLE_MS = 1_800_000;
const RUNS = 7;
const RARE_WORD = "growth_483920175";
const RARE_TRACE = "5b8efff798038103d269b633813fc60c";

const QUESTIONS = [
  ["rare word", "count", { query: `message:${RARE_WORD}` }],
  ["absent word", "count", { query: "message:zyzzyva" }],
  ["absent digits", "count", { query: "message:zyzzyva_7731904" }],
  ["one trace", "search", { query: `trace_id:${RARE_TRACE}` }],
  ["newest 100", "search", { query: "", limit: "100" }],
  ["newest 100 errors", "search", { query: "level>=error", limit: "100" }],
  ["count of a word", "count", { query: "message:connection" }],
  ["count by level and node", "groups", { query: "", by: "level, node" }],
] as const;

const { values } = parseArgs({
  options: {
    millions: { type: "string", default: "2,20,100" },
    "start-gigabytes": { type: "string", default: "20" },
    json: { type: "string" },
  },
});
const sizes = values.millions.split(",").map((text) => Number(text) * 1_000_000);
const startBytes = Number(values["start-gigabytes"]) * 1e9;
const files = await openLoadFiles(DEFAULT_LOAD);
const directory = mkdtempSync(join(tmpdir(), "dora-growth-"));
const report: object[] = [];
console.log(machineLine());
let service = await startServe({ dataDirectory: directory });
try {
  await sendRareRecord();
  let pass = 0n;
  let rows = 0;
  for (const size of sizes) {
    const startedMs = performance.now();
    const cpuBefore = cpuSeconds(service.pid);
    const rowsBefore = rows;
    for (; rows < size; pass++) rows += await sendPass(pass);
    const sentSeconds = (performance.now() - startedMs) / 1000;
    const isSettled = await waitUntilSettled(service.api, SETTLE_MS);
    const cpu = cpuSeconds(service.pid) - cpuBefore;
    show(`${(rows / 1e6).toFixed(0)}M records${isSettled ? "" : ", NOT settled"}`, {
      rowsPerSecond: Math.round((rows - rowsBefore) / sentSeconds),
      cpuMicrosecondsPerRow: (cpu * 1e6) / (rows - rowsBefore),
      bytesPerRow: (await segmentBytes()) / rows,
      residentMegabytes: residentBytes(service.pid) / 1e6,
      ...(await askAll(service)),
    });
  }
  await service.close();
  await growTo(startBytes);
  const startedMs = performance.now();
  service = await startServe({ dataDirectory: directory });
  const listeningMs = performance.now() - startedMs;
  await ask(service, "search", { query: "level>=error", limit: "100" });
  show(`start with ${((await segmentBytes()) / 1e9).toFixed(1)} GB`, {
    listeningMs,
    searchedMs: performance.now() - startedMs,
    residentMegabytes: residentBytes(service.pid) / 1e6,
  });
} finally {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ machine: machineLine(), report }, null, 2)}\n`);
}

function show(what: string, figures: { readonly [name: string]: number }): void {
  report.push({ what, ...figures });
  console.log(what);
  for (const [name, value] of Object.entries(figures)) {
    console.log(`  ${name.padEnd(26)}${value.toFixed(value < 1000 ? 2 : 0).padStart(12)}`);
  }
}

/** Sends the load file once, with the times of the given pass; returns the number of records. */
async function sendPass(pass: bigint): Promise<number> {
  const start = LOAD_DAY_UNIX_NS + (pass * DAY_NS) / PASSES_PER_DAY;
  const sender = new HttpSender(service.otlpHttp, CONNECTIONS);
  await sendAll(shifted(start), sender, CONNECTIONS);
  sender.close();
  return DEFAULT_LOAD.recordCount;
}

async function* shifted(start: bigint): AsyncGenerator<Uint8Array, void> {
  for await (const body of readRequests(files.otlp)) {
    changeTimes(body, (timeUnixNs) => start + (timeUnixNs - LOAD_DAY_UNIX_NS) / PASSES_PER_DAY);
    yield body;
  }
}

async function sendRareRecord(): Promise<void> {
  const record = {
    timeUnixNano: String(LOAD_DAY_UNIX_NS),
    severityNumber: 9,
    body: { stringValue: `the one with ${RARE_WORD}` },
    traceId: RARE_TRACE,
  };
  const response = await fetch(`${service.otlpHttp}/v1/logs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] }),
  });
  if (!response.ok) throw new Error(`the rare record was answered ${response.status}`);
}

async function askAll(from: ServeProcess): Promise<{ readonly [name: string]: number }> {
  const figures: { [name: string]: number } = {};
  for (const [name, route, parameters] of QUESTIONS) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await ask(from, route, parameters));
    const [first = 0] = times;
    figures[`${name}, first ms`] = first;
    figures[`${name}, fastest ms`] = Math.min(...times);
  }
  return figures;
}

/** Asks and reads the whole answer; milliseconds. Errors: an answer that is not complete. */
async function ask(
  { api }: ServeProcess,
  route: string,
  parameters: { readonly [name: string]: string },
): Promise<number> {
  const search = new URLSearchParams({
    since: new Date(LOAD_DAY_UNIX_MS).toISOString(),
    until: new Date(LOAD_DAY_UNIX_MS + 60 * 86_400_000).toISOString(),
    ...parameters,
  });
  const startedMs = performance.now();
  const response = await fetch(`${api}/api/v1/logs/${route}?${search.toString()}`);
  const text = await response.text();
  const took = performance.now() - startedMs;
  if (!response.ok || text.includes('"status":"partial"')) {
    throw new Error(`${route} answered ${response.status}: ${text.slice(0, 300)}`);
  }
  return took;
}

async function segmentBytes(): Promise<number> {
  return (await folderBytes(directory)).get("segments") ?? 0;
}

/** Copies segments under other names, and names them in the manifest, until there are so many bytes. */
async function growTo(bytes: number): Promise<void> {
  const storage = new NodeStorage();
  const path = join(directory, "manifest.json");
  const read = readManifest(path, await storage.read(path));
  if (read.status !== "ok") throw new Error(`the manifest is damaged: ${read.reason}`);
  const { manifest } = read;
  const originals = manifest.segments.filter(({ sizeBytes }) => sizeBytes > 1e6);
  const segments: SegmentEntry[] = [...manifest.segments];
  let total = await segmentBytes();
  for (let copy = 0; total < bytes && originals.length > 0; copy++) {
    const original = originals[copy % originals.length];
    const prefix = original.file.replace(/-\d+\.seg$/, "");
    const file = `${prefix}-${String(900_000_000_000 + copy)}.seg`;
    copyFileSync(join(directory, "segments", original.file), join(directory, "segments", file));
    segments.push({ ...original, file });
    total += original.sizeBytes;
  }
  await writeManifest(storage, directory, { ...manifest, segments });
}
