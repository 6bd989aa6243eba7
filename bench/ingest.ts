/**
 * Measures ingest: the load over OTLP to a real `dora serve`, every request acknowledged after its
 * sync, until nothing is unsealed.
 *
 *     node bench/ingest.ts [--records N] [--protocol http|grpc|both] [--connections N] [--json FILE]
 *
 * CPU seconds are those of the whole service process, all threads, from listening to its exit; the
 * client's own are not in them. Rows a second are wall time, with the client on the same cores.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { startServe } from "../test/serve-process.ts";
import { DEFAULT_LOAD } from "./load.ts";
import { openLoadFiles, readRequests } from "./load-file.ts";
import {
  cpuSeconds,
  endedChildrenCpuSeconds,
  folderBytes,
  machineLine,
  peakResidentBytes,
} from "./process-usage.ts";
import { GrpcSender, HttpSender, sendAll } from "./senders.ts";
import { waitUntilSealed } from "./service-status.ts";

type Protocol = "http" | "grpc";

interface IngestResult {
  readonly protocol: Protocol;
  readonly rows: number;
  readonly sentBytes: number;
  /** From the first request to the last acknowledgement. */
  readonly wallSeconds: number;
  readonly rowsPerSecond: number;
  readonly cpuSeconds: number;
  readonly rowsPerCpuSecond: number;
  readonly peakResidentBytes: number;
  readonly sealSeconds: number;
  /** Rows that were still unsealed after the store's promise ran out: none, or the rest is moot. */
  readonly unsealedRows: number;
  /** Answers that the service is too busy, after which the client sent again. */
  readonly refusals: { readonly [message: string]: number };
  readonly diskBytes: { readonly [entry: string]: number };
}

const { values } = parseArgs({
  options: {
    records: { type: "string", default: String(DEFAULT_LOAD.recordCount) },
    protocol: { type: "string", default: "both" },
    connections: { type: "string", default: "8" },
    json: { type: "string" },
  },
});
const load = { ...DEFAULT_LOAD, recordCount: Number(values.records) };
const files = await openLoadFiles(load);
const protocols: readonly Protocol[] =
  values.protocol === "both" ? ["http", "grpc"] : [values.protocol === "grpc" ? "grpc" : "http"];
console.log(machineLine());
const results: IngestResult[] = [];
for (const protocol of protocols) {
  const result = await measure(protocol, Number(values.connections));
  results.push(result);
  print(result);
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ machine: machineLine(), results }, null, 2)}\n`);
}

async function measure(protocol: Protocol, connectionCount: number): Promise<IngestResult> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "dora-ingest-"));
  const childrenBefore = endedChildrenCpuSeconds();
  const service = await startServe({ dataDirectory });
  try {
    const startCpu = cpuSeconds(service.pid);
    const sender =
      protocol === "http"
        ? new HttpSender(service.otlpHttp, connectionCount)
        : new GrpcSender(service.otlpGrpc, connectionCount);
    let sentBytes = 0;
    const startedMs = performance.now();
    const { refusals } = await sendAll(
      counted(readRequests(files.otlp), (bytes) => (sentBytes += bytes)),
      sender,
      connectionCount,
    );
    const wallSeconds = (performance.now() - startedMs) / 1000;
    sender.close();
    console.log(`OTLP/${protocol}: sent in ${wallSeconds.toFixed(1)} s, waiting for the seal`);
    const sealStartedMs = performance.now();
    const unsealedRows = await waitUntilSealed(service.api);
    const sealSeconds = (performance.now() - sealStartedMs) / 1000;
    const peak = peakResidentBytes(service.pid);
    const diskBytes = Object.fromEntries(await folderBytes(dataDirectory));
    await service.close();
    const usedCpu = endedChildrenCpuSeconds() - childrenBefore - startCpu;
    return {
      protocol,
      rows: load.recordCount,
      sentBytes,
      wallSeconds,
      rowsPerSecond: load.recordCount / wallSeconds,
      cpuSeconds: usedCpu,
      rowsPerCpuSecond: load.recordCount / usedCpu,
      peakResidentBytes: peak,
      sealSeconds,
      unsealedRows,
      refusals: Object.fromEntries(refusals),
      diskBytes,
    };
  } finally {
    await service.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}

async function* counted(
  requests: AsyncIterable<Uint8Array>,
  count: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void> {
  for await (const request of requests) {
    count(request.length);
    yield request;
  }
}

function print(result: IngestResult): void {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const disk = Object.entries(result.diskBytes)
    .map(([entry, bytes]) => `${entry} ${megabytes(bytes)}`)
    .join(", ");
  const refused = Object.entries(result.refusals).map(
    ([message, count]) => `${count} x ${message}`,
  );
  console.log(
    [
      `OTLP/${result.protocol}: ${result.rows.toLocaleString("en")} rows, ${megabytes(result.sentBytes)}`,
      `  wall          ${result.wallSeconds.toFixed(1)} s, ${Math.round(result.rowsPerSecond).toLocaleString("en")} rows/s`,
      `  CPU           ${result.cpuSeconds.toFixed(1)} s, ${Math.round(result.rowsPerCpuSecond).toLocaleString("en")} rows per CPU second`,
      `  sealed after  ${result.sealSeconds.toFixed(1)} s, ${result.unsealedRows} rows unsealed`,
      `  peak resident ${megabytes(result.peakResidentBytes)}`,
      `  on disk       ${disk}`,
      ...refused.map((line) => `  refused       ${line}`),
    ].join("\n"),
  );
}
