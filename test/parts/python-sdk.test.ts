import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { type ServeProcess, startServe } from "../serve-process.ts";
import { runProgram } from "./part-process.ts";
import { readCounters, readLogs, readSpans } from "./stored.ts";

const CLIENT = fileURLToPath(new URL("otlp_client.py", import.meta.url));
const RECORD_COUNT = 2_000;
const python = findPart("python");

describe.skipIf(python.path === undefined)(`the Python SDK (${python.hint})`, () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "dora-python-"));
  let service: ServeProcess;

  beforeAll(async () => {
    service = await startServe({ dataDirectory });
  });
  afterAll(async () => {
    await service.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });

  for (const protocol of ["grpc", "http"] as const) {
    test(`logs, spans and metrics over ${protocol} arrive whole (CONF-003)`, async () => {
      const endpoint = protocol === "grpc" ? service.otlpGrpc : service.otlpHttp;
      const before = await readCounters(service);
      const output = await runProgram(python.path ?? "", [
        CLIENT,
        protocol,
        endpoint,
        String(RECORD_COUNT),
      ]);
      const traceId = /^trace ([0-9a-f]{32})$/m.exec(output)?.[1] ?? "";

      const logs = await readLogs(service, `node:python-${protocol}`);
      expect(logs.map((log) => log.message)).toEqual(
        Array.from({ length: RECORD_COUNT }, (_, index) => `frame ${index}: größer als erwartet`),
      );
      expect(logs[10]).toMatchObject({
        timestamp: "2026-05-28T20:26:40.000000010Z",
        level: "WARN",
        severity_number: 13,
        severity_text: "WARNING",
        logger: "python.worker",
        attributes: { frame: 10, ratio: 0.5, tags: ["a", "b"], late: true },
        resource: { "service.name": `python-${protocol}`, robot: "r2" },
      });
      expect(logs[0]?.trace_id).toBe(traceId);

      const spans = await readSpans(service, traceId);
      expect(spans.map((span) => [span.name, span.span_id])).toEqual([
        ["detect", logs[0]?.span_id],
      ]);
      const after = await readCounters(service);
      expect(after.traces.stored - before.traces.stored).toBe(RECORD_COUNT);
      expect(after.metrics.stored - before.metrics.stored).toBeGreaterThan(0);
    });
  }
});
