/** The real Collector sends to us and to its own file exporter at once; both must hold the same. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { generateLoad, type LoadOptions } from "../../bench/load.ts";
import { HttpSender, sendAll } from "../../bench/senders.ts";
import { findPart } from "../../scripts/parts/part.ts";
import { type ServeProcess, startServe } from "../serve-process.ts";
import {
  type CollectorFile,
  readCollectorFile,
  sortComparable,
  toComparable,
} from "./collector-file.ts";
import { type CollectorProcess, runProgram, startCollector } from "./part-process.ts";
import { readCounters, readLogs, readSpans } from "./stored.ts";

const LOAD = { seed: 7, recordCount: 20_000, recordsPerRequest: 500 };
const TRACE_COUNT = 50;
const METRIC_COUNT = 500;
const otelcol = findPart("otelcol");
const telemetrygen = findPart("telemetrygen");
const isMissing = otelcol.path === undefined || telemetrygen.path === undefined;

describe.skipIf(isMissing)(`the Collector (${otelcol.hint}, ${telemetrygen.hint})`, () => {
  const directory = mkdtempSync(join(tmpdir(), "dora-collected-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  for (const protocol of ["grpc", "http"] as const) {
    test(`what it sends over ${protocol} equals its own file, record by record (CONF-003)`, async () => {
      await using service = await startServe({ dataDirectory: join(directory, protocol) });
      const collector = await startCollector(
        otelcol.path ?? "",
        join(directory, `collector-${protocol}`),
        exporterTo(service, protocol),
      );
      onTestFinished(async () => void (await collector.close()));
      const sender = new HttpSender(`http://${collector.otlpHttp}`, 2);
      await sendAll(bodies(LOAD), sender, 2);
      sender.close();
      await generate("traces", TRACE_COUNT, collector.otlpGrpc);
      await generate("metrics", METRIC_COUNT, collector.otlpGrpc);
      // Its file lags behind what it acknowledged, and a stop may cost it what is not yet written.
      await vi.waitUntil(() => isWhole(readFile(collector)), { timeout: 30_000, interval: 100 });
      const log = await collector.close();
      expect(log).not.toContain("Exporting failed");
      const expected = readFile(collector);

      const stored = (await readLogs(service, "")).filter((entry) => !isOwn(entry.resource));
      expect(expected.logs).toHaveLength(LOAD.recordCount);
      expect(sortComparable(stored.map(toComparable))).toEqual(sortComparable(expected.logs));

      const traceIds = new Set(expected.spans.map((span) => span.traceId));
      expect(traceIds.size).toBe(TRACE_COUNT);
      for (const traceId of traceIds) {
        const spans = await readSpans(service, traceId);
        const ours = spans.map((span) => `${span.span_id} in ${span.parent_span_id}: ${span.name}`);
        const theirs = expected.spans
          .filter((span) => span.traceId === traceId)
          .map((span) => `${span.spanId} in ${span.parentSpanId}: ${span.name}`);
        expect(ours.sort()).toEqual(theirs.sort());
      }
      const counters = await readCounters(service);
      expect(expected.metricPointCount).toBe(METRIC_COUNT);
      expect(counters.metrics.stored).toBe(METRIC_COUNT);
    });
  }
});

function readFile({ outputFile }: CollectorProcess): CollectorFile {
  const text = existsSync(outputFile) ? readFileSync(outputFile, "utf8") : "";
  return readCollectorFile(text.slice(0, text.lastIndexOf("\n") + 1));
}

function isWhole({ logs, spans, metricPointCount }: CollectorFile): boolean {
  return (
    logs.length >= LOAD.recordCount &&
    spans.length >= 2 * TRACE_COUNT &&
    metricPointCount >= METRIC_COUNT
  );
}

function exporterTo(service: ServeProcess, protocol: "grpc" | "http") {
  return protocol === "grpc"
    ? { name: "otlp_grpc", config: { endpoint: service.otlpGrpc, tls: { insecure: true } } }
    : { name: "otlp_http", config: { endpoint: service.otlpHttp } };
}

async function* bodies(options: LoadOptions): AsyncGenerator<Uint8Array, void> {
  for (const request of generateLoad(options)) yield request.body;
}

function generate(signal: "traces" | "metrics", count: number, endpoint: string): Promise<string> {
  return runProgram(telemetrygen.path ?? "", [
    signal,
    "--otlp-insecure",
    `--otlp-endpoint=${endpoint}`,
    "--rate=0",
    `--${signal}=${count}`,
  ]);
}

/** The service logs into its own store. */
function isOwn(resource: Readonly<Record<string, unknown>>): boolean {
  return String(resource["service.name"]).startsWith("dora");
}
