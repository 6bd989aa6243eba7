import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { type ServeProcess, startServe } from "../serve-process.ts";
import { runProgram } from "./part-process.ts";
import { readCounters, readLogs } from "./stored.ts";

const COUNT = 5_000;
/** It drops spans of its own once more than 2,048 wait; it makes two a trace. */
const TRACE_COUNT = 1_000;
const telemetrygen = findPart("telemetrygen");

describe.skipIf(telemetrygen.path === undefined)(`telemetrygen (${telemetrygen.hint})`, () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), "dora-telemetrygen-"));
  let service: ServeProcess;

  beforeAll(async () => {
    service = await startServe({ dataDirectory });
  });
  afterAll(async () => {
    await service.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });

  function generate(signal: "logs" | "traces" | "metrics", protocol: "grpc" | "http") {
    const http = new URL(service.otlpHttp).host;
    return runProgram(telemetrygen.path ?? "", [
      signal,
      "--otlp-insecure",
      ...(protocol === "http"
        ? ["--otlp-http", "--otlp-endpoint", http]
        : ["--otlp-endpoint", service.otlpGrpc]),
      "--rate=0",
      `--${signal}=${signal === "traces" ? TRACE_COUNT : COUNT}`,
      `--service=generated-${protocol}`,
    ]);
  }

  for (const protocol of ["grpc", "http"] as const) {
    test(`logs over ${protocol} are all stored (CONF-003)`, async () => {
      await generate("logs", protocol);
      const logs = await readLogs(service, `node:generated-${protocol}`);
      expect(logs).toHaveLength(COUNT);
      expect(logs[0]).toMatchObject({
        level: "INFO",
        message: "the message",
        attributes: { app: "server" },
      });
    });

    test(`spans over ${protocol} are all stored (CONF-003)`, async () => {
      const before = await readCounters(service);
      await generate("traces", protocol);
      const after = await readCounters(service);
      expect(after.traces.stored - before.traces.stored).toBe(2 * TRACE_COUNT);
      expect(after.traces.rejected).toBe(0);
    });

    test(`metrics over ${protocol} are all stored (CONF-003)`, async () => {
      const before = await readCounters(service);
      await generate("metrics", protocol);
      const after = await readCounters(service);
      expect(after.metrics.stored - before.metrics.stored).toBe(COUNT);
      expect(after.metrics.rejected).toBe(0);
    });
  }
});
