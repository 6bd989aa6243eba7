/**
 * Measures spans and metrics: OTLP/HTTP into a real `dora serve` until all is sealed, then questions
 * of them, DuckDB in this process beside it, in turn, with the answers checked equal.
 *
 *     node bench/signals.ts [--signal traces|metrics] [--spans N] [--moments N] [--numbers] [--runs N]
 *
 * `--numbers` leaves out histograms. CPU seconds of ingest are those of the whole service process,
 * all threads, until nothing is unsealed. Times of questions: least / median in ms, then CPU ms.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ServeProcess, startServe } from "../test/serve-process.ts";
import { DuckDbPeer, type PeerTable } from "./duckdb-peer.ts";
import { openFiles, type LoadFiles, readRequests } from "./load-file.ts";
import { DEFAULT_METRIC_LOAD, generateMetricLoad, type PointRow } from "./metric-load.ts";
import { cpuSeconds, folderBytes, machineLine, peakResidentBytes } from "./process-usage.ts";
import { HttpSender, sendAll } from "./senders.ts";
import { askSignal, readPeerAnswer, readSignalAnswer } from "./signal-answers.ts";
import { makePointQuestions, makeSpanQuestions, type SignalQuestion } from "./signal-questions.ts";
import { waitUntilSealed } from "./service-status.ts";
import { TimedUsage } from "./timed-usage.ts";
import { DEFAULT_TRACE_LOAD, generateTraceLoad, type SpanRow } from "./trace-load.ts";

interface SignalLoad {
  readonly signal: "traces" | "metrics";
  readonly files: LoadFiles;
  readonly table: PeerTable;
  questions(peer: DuckDbPeer): Promise<readonly SignalQuestion[]>;
}

const CONNECTIONS = 4;

const { values } = parseArgs({
  options: {
    signal: { type: "string" },
    spans: { type: "string", default: String(DEFAULT_TRACE_LOAD.spanCount) },
    moments: { type: "string", default: String(DEFAULT_METRIC_LOAD.momentCount) },
    numbers: { type: "boolean", default: false },
    runs: { type: "string", default: "7" },
  },
});
const runCount = Number(values.runs);
console.log(`${machineLine()}, DuckDB ${DuckDbPeer.version}`);
if (values.signal !== "metrics") await measureLoad(await openSpans(Number(values.spans)));
if (values.signal !== "traces") await measureLoad(await openPoints(Number(values.moments)));

async function openSpans(spanCount: number): Promise<SignalLoad> {
  const options = { ...DEFAULT_TRACE_LOAD, spanCount };
  const generate = (): ReturnType<typeof generateTraceLoad> => generateTraceLoad(options);
  return {
    signal: "traces",
    files: await openFiles(`spans-${spanCount}-seed${options.seed}`, generate, toSpanLine),
    table: {
      name: "spans",
      columns: `{
        time_unix_ns: 'BIGINT', span_id: 'VARCHAR', duration_ns: 'BIGINT', service: 'VARCHAR',
        name: 'VARCHAR', kind: 'UTINYINT', status_code: 'UTINYINT', trace_id: 'VARCHAR',
        parent_span_id: 'VARCHAR', attributes: 'JSON'
      }`,
    },
    questions: async (peer) => {
      const [row] = await peer.ask(`SELECT trace_id FROM spans OFFSET ${spanCount >> 1} LIMIT 1`);
      return makeSpanQuestions(String(row?.[0]));
    },
  };
}

async function openPoints(momentCount: number): Promise<SignalLoad> {
  const options = { ...DEFAULT_METRIC_LOAD, momentCount, hasHistograms: !values.numbers };
  const generate = (): ReturnType<typeof generateMetricLoad> => generateMetricLoad(options);
  const kinds = options.hasHistograms ? "points" : "numbers";
  const name = `${kinds}-${options.instanceCount}x${momentCount}-seed${options.seed}`;
  return {
    signal: "metrics",
    files: await openFiles(name, generate, toPointLine),
    table: {
      name: "points",
      columns: `{
        time_unix_ns: 'BIGINT', service: 'VARCHAR', metric: 'VARCHAR', value: 'DOUBLE',
        sum: 'DOUBLE', bucket_counts: 'BIGINT[]', attributes: 'JSON'
      }`,
    },
    questions: async () => makePointQuestions(),
  };
}

async function measureLoad(load: SignalLoad): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "dora-signals-"));
  const service = await startServe({ dataDirectory: join(directory, "store") });
  try {
    const ingest = await sendLoad(load, service);
    const peer = await DuckDbPeer.load(load.files.table, directory, load.table);
    const [counted] = await peer.ask(`SELECT count(*) FROM ${load.table.name}`);
    const rowCount = Number(counted?.[0]);
    const disk = await folderBytes(join(directory, "store"));
    const perRow = (bytes: number): string => (bytes / rowCount).toFixed(1);
    console.log(
      [
        `${load.signal}: ${rowCount.toLocaleString("en")} rows`,
        `  sent in       ${ingest.wallSeconds.toFixed(1)} s, ${perSecond(rowCount, ingest.wallSeconds)} rows/s`,
        `  CPU           ${ingest.cpuSeconds.toFixed(1)} s, ${perSecond(rowCount, ingest.cpuSeconds)} rows per CPU second`,
        `  bytes per row ${perRow(ingest.sentBytes)} as OTLP, ${perRow(disk.get("segments") ?? 0)} in segments, ${perRow(peer.diskBytes)} in DuckDB`,
        `  peak resident ${(peakResidentBytes(service.pid) / 1e6).toFixed(0)} MB`,
      ].join("\n"),
    );
    for (const question of await load.questions(peer)) await measure(question, service, peer);
    peer.close();
  } finally {
    await service.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Ingest {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly sentBytes: number;
}

async function sendLoad({ signal, files }: SignalLoad, service: ServeProcess): Promise<Ingest> {
  const sender = new HttpSender(service.otlpHttp, CONNECTIONS, signal);
  const cpuBefore = cpuSeconds(service.pid);
  const startedMs = performance.now();
  let sentBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void> {
    for await (const request of readRequests(files.otlp)) {
      sentBytes += request.length;
      yield request;
    }
  }
  await sendAll(counted(), sender, CONNECTIONS);
  const wallSeconds = (performance.now() - startedMs) / 1000;
  sender.close();
  const unsealed = await waitUntilSealed(service.api);
  if (unsealed > 0) throw new Error(`${unsealed} records are not sealed`);
  return { wallSeconds, cpuSeconds: cpuSeconds(service.pid) - cpuBefore, sentBytes };
}

/** Asks either side in turn. Errors: answers that differ. */
async function measure(
  question: SignalQuestion,
  service: ServeProcess,
  peer: DuckDbPeer,
): Promise<void> {
  const ours = readSignalAnswer(question, await askSignal(service.api, question));
  const theirs = readPeerAnswer(question, await peer.ask(question.sql));
  const differs = ours.findIndex((row, index) => row !== theirs[index]);
  if (differs >= 0 || ours.length !== theirs.length) {
    throw new Error(
      `${question.name}: ${ours.length} rows, DuckDB has ${theirs.length}; ` +
        `row ${differs}: ${ours[differs]}, DuckDB has ${theirs[differs]}`,
    );
  }
  const ourUse = new TimedUsage(() => cpuSeconds(service.pid));
  const theirUse = new TimedUsage(
    () => process.cpuUsage().user / 1e6 + process.cpuUsage().system / 1e6,
  );
  for (let run = 0; run < runCount; run++) {
    await ourUse.time(() => askSignal(service.api, question));
    await theirUse.time(() => peer.ask(question.sql));
  }
  const answer = ours.length === 1 ? ours[0] : `${ours.length} rows`;
  console.log(`| ${question.name} | ${answer} | ${ourUse.text()} | ${theirUse.text()} |`);
}

function perSecond(rows: number, seconds: number): string {
  return Math.round(rows / seconds).toLocaleString("en");
}

function toSpanLine(row: SpanRow): string {
  const record = {
    time_unix_ns: row.startUnixNs.toString(),
    span_id: row.spanId,
    duration_ns: (row.endUnixNs - row.startUnixNs).toString(),
    service: row.service,
    name: row.name,
    kind: row.kind,
    status_code: row.statusCode,
    trace_id: row.traceId,
    parent_span_id: row.parentSpanId,
    attributes: Object.fromEntries(row.attributes),
  };
  return `${JSON.stringify(record)}\n`;
}

function toPointLine(row: PointRow): string {
  const record = {
    time_unix_ns: row.timeUnixNs.toString(),
    service: row.service,
    metric: row.metric,
    value: row.histogram === undefined ? row.value : null,
    sum: row.histogram?.sum ?? null,
    bucket_counts: row.histogram?.bucketCounts ?? null,
    attributes: Object.fromEntries(row.attributes),
  };
  return `${JSON.stringify(record)}\n`;
}
