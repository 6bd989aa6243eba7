/**
 * Measures what becomes of a store under lasting load: OTLP over HTTP to a real `dora serve` as
 * fast as it takes it, beside two queries every ten seconds, until no merge is due.
 *
 *     node bench/merge.ts [--seconds N] [--connections N] [--rate ROWS] [--json FILE]
 *
 * The load file is sent again and again, its day squeezed so that times go on where the last pass
 * ended: all records are of one day, so of one partition. `--rate` limits the rows a second.
 * Read amplification is the number of segments that hold an instant, mean over the day so far.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { z } from "zod";
import { startServe } from "../test/serve-process.ts";
import { DEFAULT_LOAD, LOAD_DAY_UNIX_MS } from "./load.ts";
import { openLoadFiles, readRequests } from "./load-file.ts";
import { ask } from "./our-answers.ts";
import { cpuSeconds, folderBytes, machineLine, residentBytes } from "./process-usage.ts";
import { HttpSender, sendAll } from "./senders.ts";
import { waitUntilSettled } from "./service-status.ts";
import { changeTimes } from "./time-shift.ts";

const REPORT_MS = 10_000;
const SETTLE_MS = 600_000;
const DAY_NS = 86_400_000_000_000n;
const LOAD_DAY_UNIX_NS = BigInt(LOAD_DAY_UNIX_MS) * 1_000_000n;
/** Passes that fit into the day: more than a service takes in half an hour. */
const PASSES = 500n;

const Manifest = z.object({
  segments: z.array(z.object({ day: z.number(), minNs: z.number(), maxNs: z.number() })),
});

const QUERIES = [
  { route: "count", query: "message:connection" },
  { route: "search", query: "level>=error", limit: 100 },
] as const;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    connections: { type: "string", default: "8" },
    rate: { type: "string", default: "Infinity" },
    json: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const connections = Number(values.connections);
const rate = Number(values.rate);
const files = await openLoadFiles(DEFAULT_LOAD);
console.log(machineLine());
const dataDirectory = mkdtempSync(join(tmpdir(), "dora-merge-"));
const service = await startServe({ dataDirectory });
const startedMs = performance.now();
const endMs = startedMs + seconds * 1000;
let sentRows = 0;
let refusalCount = 0;

interface Report {
  readonly atSeconds: number;
  readonly rowsPerSecond: number;
  readonly segments: number;
  readonly readAmplification: number;
  readonly mergedRowsPerSecond: number;
  readonly queryMs: readonly number[];
  readonly residentBytes: number;
  readonly diskBytes: number;
}
const reports: Report[] = [];

try {
  const reporting = report();
  const sender = new HttpSender(service.otlpHttp, connections);
  const { refusals } = await sendAll(load(), sender, connections);
  sender.close();
  refusalCount = [...refusals.values()].reduce((sum, count) => sum + count, 0);
  await reporting;
  const settleStartedMs = performance.now();
  const isSettled = await waitUntilSettled(service.api, SETTLE_MS);
  const settleSeconds = (performance.now() - settleStartedMs) / 1000;
  console.log(
    `sent ${sentRows.toLocaleString("en")} rows, ${refusalCount} refusals; ${isSettled ? "settled" : "NOT settled"} after ${settleSeconds.toFixed(1)} s`,
  );
  show(await measure({ rows: 0, mergedRows: 0, atMs: performance.now() }));
  console.log(`CPU ${cpuSeconds(service.pid).toFixed(1)} s; ${await mergeFigures()}`);
} finally {
  await service.close();
  rmSync(dataDirectory, { recursive: true, force: true });
}
if (values.json !== undefined) {
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine: machineLine(), seconds, refusalCount, reports }, null, 2)}\n`,
  );
}

/** Requests until the time is over, each pass with times behind those of the pass before. */
async function* load(): AsyncGenerator<Uint8Array, void> {
  for (let pass = 0n; ; pass++) {
    const start = LOAD_DAY_UNIX_NS + (pass * DAY_NS) / PASSES;
    for await (const body of readRequests(files.otlp)) {
      if (performance.now() > endMs) return;
      changeTimes(body, (timeUnixNs) => start + (timeUnixNs - LOAD_DAY_UNIX_NS) / PASSES);
      const dueMs = startedMs + (sentRows / rate) * 1000;
      if (dueMs > performance.now()) await delay(dueMs - performance.now());
      yield body;
      sentRows += DEFAULT_LOAD.recordsPerRequest;
    }
  }
}

interface Before {
  readonly rows: number;
  readonly mergedRows: number;
  readonly atMs: number;
}

async function report(): Promise<void> {
  console.log(
    "    s    rows/s  segments  per instant  merged/s   count ms  newest ms   RSS MB  disk MB",
  );
  let before: Before = { rows: 0, mergedRows: 0, atMs: startedMs };
  for (let nextMs = startedMs + REPORT_MS; nextMs <= endMs; nextMs += REPORT_MS) {
    await delay(Math.max(0, nextMs - performance.now()));
    const mergedRows = await metric("dora_store_merged_records_total");
    const now = { rows: sentRows, mergedRows, atMs: performance.now() };
    show(await measure(before));
    before = now;
  }
}

async function measure(before: Before): Promise<Report> {
  const atMs = performance.now();
  const elapsed = (atMs - before.atMs) / 1000;
  const rows = sentRows - before.rows;
  const mergedRows = (await metric("dora_store_merged_records_total")) - before.mergedRows;
  const queryMs: number[] = [];
  for (const query of QUERIES) {
    const begunMs = performance.now();
    await ask(service.api, query);
    queryMs.push(performance.now() - begunMs);
  }
  const segments = await readSegments();
  return {
    atSeconds: (atMs - startedMs) / 1000,
    rowsPerSecond: rows / elapsed,
    segments: segments.length,
    readAmplification: amplification(segments),
    mergedRowsPerSecond: mergedRows / elapsed,
    queryMs,
    residentBytes: residentBytes(service.pid),
    diskBytes: [...(await folderBytes(dataDirectory)).values()].reduce(
      (sum, size) => sum + size,
      0,
    ),
  };
}

function show(now: Report): void {
  reports.push(now);
  const columns: readonly (readonly [number, number, number])[] = [
    [now.atSeconds, 5, 0],
    [now.rowsPerSecond, 10, 0],
    [now.segments, 10, 0],
    [now.readAmplification, 13, 2],
    [now.mergedRowsPerSecond, 10, 0],
    [now.queryMs[0] ?? 0, 11, 1],
    [now.queryMs[1] ?? 0, 11, 1],
    [now.residentBytes / 1e6, 9, 0],
    [now.diskBytes / 1e6, 9, 0],
  ];
  console.log(
    columns.map(([value, width, digits]) => value.toFixed(digits).padStart(width)).join(""),
  );
}

interface Segment {
  readonly minNs: number;
  readonly maxNs: number;
}

/** What the manifest says of the load's day; docs/format.md. */
async function readSegments(): Promise<readonly Segment[]> {
  const [json = ""] = readFileSync(join(dataDirectory, "manifest.json"), "utf8").split("\n");
  const { segments } = Manifest.parse(JSON.parse(json));
  return segments.filter(({ day }) => day === LOAD_DAY_UNIX_MS / 86_400_000);
}

function amplification(segments: readonly Segment[]): number {
  const from = Math.min(...segments.map(({ minNs }) => minNs));
  const to = Math.max(...segments.map(({ maxNs }) => maxNs));
  const covered = segments.reduce((sum, { minNs, maxNs }) => sum + maxNs - minNs, 0);
  return segments.length === 0 ? 0 : covered / (to - from);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.api}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

async function mergeFigures(): Promise<string> {
  const [count, rows, bytes, mergeSeconds] = await Promise.all([
    metric("dora_store_merges_total"),
    metric("dora_store_merged_records_total"),
    metric("dora_store_merged_bytes_total"),
    metric("dora_store_merge_seconds_total"),
  ]);
  return `${count} merges of ${rows.toLocaleString("en")} rows to ${(bytes / 1e6).toFixed(0)} MB in ${mergeSeconds.toFixed(1)} s, ${Math.round(rows / mergeSeconds).toLocaleString("en")} rows/s`;
}
