/** Against a real `dora serve`: what arrives there, also when it was away. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Hop } from "../../../src/runtime/protocol/hops.ts";
import { OtlpRunTelemetry } from "../../../src/runtime/telemetry/otlp-run-telemetry.ts";
import type { RunTelemetryOptions } from "../../../src/runtime/telemetry/otlp-run-telemetry.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { runCli } from "../../cli-process.ts";
import type { ServeProcess } from "../../serve-process.ts";
import { startServe } from "../../serve-process.ts";
import { frameOf, handledHop, sentHop, spanIdOf, traceIdOf } from "./made-hops.ts";

const DATAFLOW = { id: "019a0000-0000-7000-8000-000000000001", name: "vision" };
const CAMERA = {
  dataflow: DATAFLOW,
  node: { id: "camera", name: "Camera 1" },
  inputs: [],
  outputs: ["image"],
};
const DETECTOR = {
  dataflow: DATAFLOW,
  node: { id: "detector", name: "Detector" },
  inputs: ["image"],
  outputs: [],
};

let dataDirectory = "";
const open: ServeProcess[] = [];
beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), "dora-telemetry-"));
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((service) => service.close()));
  await rm(dataDirectory, { recursive: true, force: true });
});

async function serve(addresses?: { otlpGrpc: string; otlpHttp: string; api: string }) {
  const service = await startServe({
    dataDirectory,
    ...(addresses === undefined ? {} : { addresses }),
  });
  open.push(service);
  return service;
}

function addressesOf({ otlpGrpc, otlpHttp, api }: ServeProcess) {
  const bare = (url: string) => url.replace(/^https?:\/\//, "");
  return { otlpGrpc, otlpHttp: bare(otlpHttp), api: bare(api) };
}

async function startTelemetry(service: ServeProcess, more: Partial<RunTelemetryOptions> = {}) {
  const told: string[] = [];
  const log = createLogger({
    level: "debug",
    sinks: [{ emit: (record) => void told.push(record.message) }],
  });
  const telemetry = await OtlpRunTelemetry.start({
    endpoints: { grpc: `http://${service.otlpGrpc}`, http: service.otlpHttp },
    resource: { "service.name": "dora-daemon", "host.name": "robot-1" },
    log,
    ...more,
  });
  return { telemetry, told };
}

type Entry = Readonly<Record<string, unknown>>;

async function search(
  service: ServeProcess,
  table: string,
  query: string,
): Promise<readonly Entry[]> {
  const url = `${service.api}/api/v1/${table}/search?limit=10000&query=${encodeURIComponent(query)}`;
  const response = await fetch(url);
  const lines = (await response.text()).split("\n").filter((line) => line !== "");
  const entries = lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
  return entries.filter((entry) => !("end" in entry));
}

const Status = z.object({
  signals: z.object({ logs: z.record(z.string(), z.number()) }),
});

async function logCounts(service: ServeProcess) {
  const response = await fetch(`${service.api}/api/v1/status`);
  return Status.parse(await response.json()).signals.logs;
}

/** A message from the camera to the detector, sent now and handled 5 ms later for 20 ms. */
function sendAndHandle(number: number, more: Partial<Hop> = {}): readonly [Hop, Hop] {
  const sent = BigInt(Date.now()) * 1_000_000n;
  const traceId = traceIdOf(number);
  const spanId = spanIdOf(number * 2);
  return [
    sentHop({ traceId, spanId, startUnixNs: sent, endUnixNs: sent + 50_000n }),
    handledHop({
      traceId,
      spanId: spanIdOf(number * 2 + 1),
      parentSpanId: spanId,
      sentUnixNs: sent,
      receivedUnixNs: sent + 1_000_000n,
      startUnixNs: sent + 5_000_000n,
      endUnixNs: sent + 25_000_000n,
      ...more,
    }),
  ];
}

test("records, spans and metrics of nodes arrive, tied together, under their display names", async () => {
  const service = await serve();
  const { telemetry } = await startTelemetry(service);
  const camera = telemetry.nodeStarted(CAMERA, 4001);
  const detector = telemetry.nodeStarted(DETECTOR, 4002);
  const [sent, handled] = sendAndHandle(7);
  const writtenAt = new Date(Number(handled.startUnixNs / 1_000_000n) + 10).toISOString();
  detector.output("stderr", Buffer.from(`${writtenAt} ERROR app.boxes: no boxes\n`));
  camera.log([{ time: String(sent.startUnixNs), level: "info", message: "taken", logger: "cam" }]);
  camera.hops(frameOf(sent));
  camera.gauges({
    connections: 1,
    inputs: [],
    outputs: [{ output: "image", unconfirmed: 6 }],
  });
  detector.hops(frameOf(handled));
  detector.gauges({
    connections: 1,
    eventLoopUtilization: 0.25,
    inputs: [{ input: "image", queued: 3, received: 4, dropped: 2 }],
  });
  detector.usage(0.5, 50_000_000);
  telemetry.log("warn", "High latency detected (5ms).", {
    "dora.dataflow.id": DATAFLOW.id,
    "dora.dataflow.name": DATAFLOW.name,
    "dora.node.id": "detector",
    "dora.node.name": "Detector",
    latency_ms: 5,
  });
  expect(detector.rates()).toMatchObject({ queued: 3, dropped: 2 });
  await telemetry.exportMetrics();
  camera.ended(0);
  detector.ended(0);
  expect(detector.rates().errors).toBe(1);
  await telemetry.close(10_000);
  expect(telemetry.losses).toEqual({
    logs: 0,
    spans: 0,
    metrics: 0,
    unsampledSpans: 0,
    cutLines: 0,
  });

  expect(await search(service, "logs", "node:detector level>=error")).toMatchObject([
    {
      node: "Detector",
      dataflow: "vision",
      level: "ERROR",
      logger: "app.boxes",
      message: "no boxes",
      timestamp: writtenAt.replace("Z", "000Z"),
      trace_id: handled.traceId,
      span_id: handled.spanId,
      attributes: { "dora.stream": "stderr" },
      resource: { "dora.node.id": "detector", "host.name": "robot-1" },
    },
  ]);
  expect(await search(service, "logs", 'node:detector "High latency"')).toMatchObject([
    { node: "Detector", level: "WARN", attributes: { latency_ms: 5 } },
  ]);
  expect(await search(service, "logs", "taken")).toMatchObject([{ node: "Camera 1" }]);

  const shown = await runCli(["trace", "show", handled.traceId, "--url", service.api]);
  expect(shown.stdout).toMatch(/send image[^]*handle image[^]*no boxes/);
  expect(await search(service, "traces", "kind:consumer")).toMatchObject([
    {
      name: "handle image",
      node: "Detector",
      parent_span_id: sent.spanId,
      duration_ns: 20_000_000,
      attributes: {
        "dora.transport_ms": 1,
        "dora.queue_wait_ms": 4,
        "messaging.message.body.size": 100,
      },
    },
  ]);

  const points = await search(service, "metrics", "node:detector");
  const values = new Map(points.map(({ name, value, sum }) => [name, value ?? sum]));
  expect(values.get("dora.node.messages")).toBe(1);
  expect(values.get("dora.node.message.bytes")).toBe(100);
  expect(values.get("dora.node.messages.dropped")).toBe(2);
  expect(values.get("dora.link.latency")).toBeCloseTo(0.005, 9);
  expect(values.get("dora.node.queue.wait")).toBeCloseTo(0.004, 9);
  expect(values.get("dora.node.handling.duration")).toBeCloseTo(0.02, 9);
  const unconfirmed = "node:camera name:dora.node.messages.unconfirmed";
  const [lastTold] = await search(service, "metrics", unconfirmed);
  expect(lastTold).toMatchObject({ value: 6, attributes: { "dora.output": "image" } });
  const gauges = points.filter(({ name }) => name === "process.cpu.utilization");
  expect(gauges).toMatchObject([{ value: 0.5 }]);
  expect([...values.keys()].filter((name) => typeof name === "string").sort()).toEqual([
    "dora.link.latency",
    "dora.node.connections",
    "dora.node.errors",
    "dora.node.handling.duration",
    "dora.node.message.bytes",
    "dora.node.messages",
    "dora.node.messages.dropped",
    "dora.node.queue.depth",
    "dora.node.queue.wait",
    "dora.node.restarts",
    "nodejs.eventloop.utilization",
    "process.cpu.utilization",
    "process.memory.usage",
  ]);
});

test("records below a node's min_log_level are not kept, the daemon's about it included", async () => {
  const service = await serve();
  const { telemetry } = await startTelemetry(service);
  const camera = telemetry.nodeStarted({ ...CAMERA, minLogLevel: "warn" }, 4001);
  const plain = telemetry.nodeStarted({ ...DETECTOR }, 4002);
  camera.output("stdout", Buffer.from("INFO app: printed\nERROR app: failed\n"));
  const time = String(BigInt(Date.now()) * 1_000_000n);
  camera.log([
    { time, level: "info", message: "said", logger: "cam" },
    { time, level: "warn", message: "warned", logger: "cam" },
  ]);
  camera.ended(0);
  plain.ended(0);
  await telemetry.close(10_000);
  const messagesOf = async (node: string): Promise<readonly unknown[]> =>
    (await search(service, "logs", `node:${node}`)).map(({ message }) => message);
  expect(new Set(await messagesOf("camera"))).toEqual(new Set(["app: failed", "warned"]));
  expect(await messagesOf("detector")).toEqual(["node's process started"]);
});

test("a start is a span of the node's, below what it was started for", async () => {
  const service = await serve();
  const { telemetry } = await startTelemetry(service);
  const startUnixNs = BigInt(Date.now()) * 1_000_000n;
  const camera = telemetry.nodeStarted(CAMERA, 4001);
  camera.started({
    traceId: traceIdOf(9),
    spanId: spanIdOf(9),
    parentSpanId: spanIdOf(8),
    startUnixNs,
    endUnixNs: startUnixNs + 70_000_000n,
    isFailed: true,
    restarts: 2,
  });
  camera.ended(0);
  await telemetry.close(10_000);
  expect(await search(service, "traces", "name:start")).toMatchObject([
    {
      name: "start",
      node: "Camera 1",
      trace_id: traceIdOf(9),
      span_id: spanIdOf(9),
      parent_span_id: spanIdOf(8),
      duration_ns: 70_000_000,
      attributes: { "dora.node.restarts": 2 },
    },
  ]);
});

test("the daemon's own records come by its logger, under its own name", async () => {
  const service = await serve();
  const { telemetry } = await startTelemetry(service);
  const log = createLogger({ level: "info", sinks: [telemetry.sink] });
  log.error("a node cannot be started", { path: "camera.py", tries: 3 });
  await telemetry.close(10_000);
  expect(await search(service, "logs", "node:dora-daemon level:error")).toMatchObject([
    { node: "dora-daemon", logger: "dora.daemon", attributes: { path: "camera.py", tries: 3 } },
  ]);
});

describe("while the service is away", () => {
  test("all that fits waits, arrives once, and in order; the law of the service holds", async () => {
    const first = await serve();
    const addresses = addressesOf(first);
    const { telemetry, told } = await startTelemetry(first);
    const camera = telemetry.nodeStarted(CAMERA, 1);
    const write = (from: number, count: number) => {
      for (let line = from; line < from + count; line++) {
        camera.output("stdout", Buffer.from(`INFO:cam:line ${line}\n`));
      }
    };
    write(0, 100);
    await expect.poll(async () => (await search(first, "logs", "line")).length).toBeGreaterThan(90);
    first.kill("SIGKILL");
    await first.exit;
    write(100, 5000);
    await expect.poll(() => told).toContain("the log service takes no telemetry");
    write(5100, 400);
    const second = await serve(addresses);
    await expect.poll(() => told).toContain("the log service takes telemetry again");
    camera.ended(0);
    await telemetry.close(20_000);
    expect(telemetry.losses.logs).toBe(0);
    const found = await search(second, "logs", "node:camera line");
    const messages = found.map(({ message }) => message);
    expect(messages.toReversed()).toEqual(
      Array.from({ length: 5500 }, (_, line) => `line ${line}`),
    );
    const { received, stored, rejected, filtered, deduplicated, dropped, pending } =
      await logCounts(second);
    const parts = [stored, rejected, filtered, deduplicated, dropped, pending];
    expect(received).toBe(parts.reduce((sum, part) => sum + part, 0));
  });

  test("what the queue cannot hold is dropped, counted, and the count arrives", async () => {
    const first = await serve();
    const addresses = addressesOf(first);
    const { telemetry, told } = await startTelemetry(first, { queue: { recordsMax: 1000 } });
    const camera = telemetry.nodeStarted(CAMERA, 1);
    await expect.poll(async () => (await search(first, "logs", "process started")).length).toBe(1);
    first.kill("SIGKILL");
    await first.exit;
    for (let line = 0; line < 1500; line++) {
      camera.output("stdout", Buffer.from(`INFO:cam:line ${line}\n`));
    }
    camera.ended(0);
    expect(telemetry.losses.logs).toBe(500);
    const second = await serve(addresses);
    await expect.poll(() => told).toContain("the log service takes telemetry again");
    await telemetry.exportMetrics();
    await telemetry.close(20_000);
    const found = await search(second, "logs", "node:camera line");
    expect(found).toHaveLength(1000);
    const drops = await search(second, "metrics", "name:dora.telemetry.dropped");
    expect(drops.filter(({ value }) => value === 500)).not.toEqual([]);
  });

  test("closing ends at its deadline, and says what was lost", async () => {
    const first = await serve();
    const { telemetry, told } = await startTelemetry(first);
    await first.close();
    telemetry.log("info", "lost", {});
    const startedMs = performance.now();
    await telemetry.close(500);
    expect(performance.now() - startedMs).toBeLessThan(3000);
    expect(telemetry.losses.logs).toBe(1);
    expect(told).toContain("telemetry was dropped");
  });
});

test("the standard variables say where to, before the options do", async () => {
  const service = await serve();
  process.env["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] = `http://${service.otlpGrpc}`;
  process.env["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] = `${service.otlpHttp}/v1/metrics`;
  const nowhere = { grpc: "http://127.0.0.1:1", http: "http://127.0.0.1:1" };
  const { telemetry } = await startTelemetry(service, { endpoints: nowhere });
  telemetry.log("info", "found its way", {});
  await telemetry.exportMetrics();
  await telemetry.close(10_000);
  delete process.env["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"];
  delete process.env["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"];
  expect(telemetry.losses).toMatchObject({ logs: 0, metrics: 0 });
  expect(await search(service, "logs", '"found its way"')).toHaveLength(1);
});

test("a signal is switched off by its standard variable", async () => {
  const service = await serve();
  process.env["OTEL_LOGS_EXPORTER"] = "none";
  const { telemetry } = await startTelemetry(service);
  delete process.env["OTEL_LOGS_EXPORTER"];
  telemetry.log("info", "not told", {});
  const camera = telemetry.nodeStarted(CAMERA, 1);
  camera.hops(frameOf(...sendAndHandle(3).slice(0, 1)));
  await telemetry.close(10_000);
  expect(await search(service, "logs", "node:camera")).toEqual([]);
  expect(await search(service, "traces", "node:camera")).toHaveLength(1);
});
