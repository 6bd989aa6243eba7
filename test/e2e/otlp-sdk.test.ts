import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ChannelOptions } from "@grpc/grpc-js";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { logs, metrics, SeverityNumber, trace } from "@opentelemetry/api";
import { OTLPLogExporter as GrpcLogs } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as JsonLogs } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as ProtobufLogs } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as GrpcMetrics } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as JsonMetrics } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as ProtobufMetrics } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as GrpcTraces } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { generate } from "selfsigned";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { TokenAuthenticator } from "../../src/collector/authentication.ts";
import { OtlpGrpcReceiver } from "../../src/collector/otlp-grpc.ts";
import { OtlpHttpReceiver } from "../../src/collector/otlp-http.ts";
import type { OtlpReceiverOptions, ReceiverTls } from "../../src/collector/otlp-receiver.ts";
import type { Signal } from "../../src/core/record.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { LOGS_PATH } from "../collector/grpc-client.ts";
import { receiverOptions } from "../collector/receiver-set-up.ts";
import type { RecordingIngest } from "../collector/recording-ingest.ts";
import { openStore, searchAll, temporaryFolder } from "../log-store/store-user.ts";

/** The official exporters of one protocol; they are configured by the environment alone. */
const PROTOCOLS = {
  grpc: () => ({ logs: new GrpcLogs(), traces: new GrpcTraces(), metrics: new GrpcMetrics() }),
  "http/protobuf": () => ({
    logs: new ProtobufLogs(),
    traces: new ProtobufTraces(),
    metrics: new ProtobufMetrics(),
  }),
  "http/json": () => ({
    logs: new JsonLogs(),
    traces: new JsonTraces(),
    metrics: new JsonMetrics(),
  }),
} as const;
type Protocol = keyof typeof PROTOCOLS;
const PROTOCOL_NAMES = [
  "grpc",
  "http/protobuf",
  "http/json",
] as const satisfies readonly Protocol[];

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(closers.splice(0).map((close) => close()));
});

let directory = "";
let certPath = "";
let tls: ReceiverTls = { cert: "", key: "" };
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "dora-tls-"));
  certPath = join(directory, "cert.pem");
  const altNames = [{ type: 7 as const, ip: "127.0.0.1" }];
  const pems = await generate([{ name: "commonName", value: "dora" }], {
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames },
    ],
  });
  tls = { cert: pems.cert, key: pems.private };
  await writeFile(certPath, pems.cert);
});
afterAll(() => rm(directory, { recursive: true }));

/** Starts the protocol's receiver and points the SDK's environment at it. */
async function start(protocol: Protocol, options: Partial<OtlpReceiverOptions> = {}) {
  const all = receiverOptions(options);
  const Receiver = protocol === "grpc" ? OtlpGrpcReceiver : OtlpHttpReceiver;
  const receiver = await Receiver.start({ ...all, ...options });
  closers.push(() => receiver.close(0));
  const { host, port } = receiver.address;
  const scheme = options.tls === undefined ? "http" : "https";
  const endpoint = `${scheme}://${host}:${port}`;
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
  return { receiver, endpoint, ingest: all.ingest };
}

/** Emits one span, one log record inside it and one data point with the whole SDK, and flushes. */
async function emitOnce(protocol: Protocol): Promise<{ readonly traceId: string }> {
  const exporters = PROTOCOLS[protocol]();
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({ "service.name": "camera" }),
    traceExporter: exporters.traces,
    logRecordProcessors: [new BatchLogRecordProcessor({ exporter: exporters.logs })],
    metricReaders: [new PeriodicExportingMetricReader({ exporter: exporters.metrics })],
  });
  sdk.start();
  try {
    return trace.getTracer("test").startActiveSpan("capture", (span) => {
      logs.getLogger("test").emit({
        severityNumber: SeverityNumber.ERROR,
        body: "late frame",
        attributes: { frame: 9_007_199_254_740_991 },
      });
      metrics.getMeter("test").createCounter("frames").add(7);
      span.end();
      return { traceId: span.spanContext().traceId };
    });
  } finally {
    for (const api of [trace, logs, metrics]) api.disable();
    await sdk.shutdown();
  }
}

/** What was stored of a signal, as OTLP JSON. */
function storedJson(ingest: RecordingIngest, signal: Signal): string[] {
  return ingest.requests
    .filter((request) => request.signal === signal)
    .map(({ body }) => otlpProtobufToJson(signal, body));
}

function expectOnce(ingest: RecordingIngest, traceId: string): void {
  const [logsJson, tracesJson, metricsJson] = (["logs", "traces", "metrics"] as const).map(
    (signal) => storedJson(ingest, signal),
  );
  expect(logsJson).toHaveLength(1);
  expect(logsJson?.[0]).toContain('"body":{"stringValue":"late frame"}');
  expect(logsJson?.[0]).toContain('"intValue":"9007199254740991"');
  expect(logsJson?.[0]).toContain('"severityNumber":17');
  expect(logsJson?.[0]).toContain(`"traceId":"${traceId}"`);
  expect(tracesJson).toHaveLength(1);
  expect(tracesJson?.[0]).toContain('"name":"capture"');
  expect(tracesJson?.[0]).toContain(`"traceId":"${traceId}"`);
  expect(metricsJson).toHaveLength(1);
  expect(metricsJson?.[0]).toContain('"name":"frames"');
  for (const json of [logsJson, tracesJson, metricsJson]) {
    expect(json?.[0]).toContain('"stringValue":"camera"');
  }
}

describe.each(PROTOCOL_NAMES)("the JavaScript SDK over %s", (protocol) => {
  test("delivers logs, traces and metrics (CONF-003, OTLP-001, OTLP-002, OTLP-017)", async () => {
    const { ingest, receiver } = await start(protocol);
    const { traceId } = await emitOnce(protocol);
    expectOnce(ingest, traceId);
    expect(receiver.stats.snapshot()).toMatchObject([{ outcome: "stored", count: 3 }]);
  });

  test("delivers over TLS, with a token and gzip (OTLP-005, SEC-002)", async () => {
    const authenticator = new TokenAuthenticator([{ name: "robot", token: "s3cret" }]);
    const { ingest } = await start(protocol, { tls, authenticator });
    vi.stubEnv("OTEL_EXPORTER_OTLP_CERTIFICATE", certPath);
    vi.stubEnv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret");
    vi.stubEnv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip");
    const { traceId } = await emitOnce(protocol);
    expectOnce(ingest, traceId);
    expect(ingest.requests.map(({ principal }) => principal)).toEqual(["robot", "robot", "robot"]);
  });

  test("without the token stores nothing and does not send again (SEC-002)", async () => {
    const authenticator = new TokenAuthenticator([{ token: "s3cret" }]);
    const { ingest, receiver } = await start(protocol, { authenticator });
    await emitOnce(protocol).catch(() => undefined);
    // The SDK's shutdown does not wait for the others once one signal has failed.
    await expect.poll(() => receiver.stats.count(receiver.transport, "auth")).toBe(3);
    expect(ingest.requests).toEqual([]);
  });
});

// The SDK's gRPC exporter of this version gives up at the first failure, so it is not among these.
describe.each(["http/protobuf", "http/json"] as const)("the JavaScript SDK over %s", (protocol) => {
  test("sends again what was refused as unavailable (OTLP-012)", async () => {
    const { ingest, receiver } = await start(protocol);
    ingest.refusalsLeft = 2;
    const exporter = PROTOCOLS[protocol]().logs;
    const provider = new LoggerProvider({
      processors: [new BatchLogRecordProcessor({ exporter })],
    });
    provider.getLogger("test").emit({ body: "late frame" });
    await provider.forceFlush();
    await provider.shutdown();
    expect(storedJson(ingest, "logs")).toEqual([expect.stringContaining("late frame")]);
    expect(receiver.stats.snapshot()).toEqual([
      { transport: "http", outcome: "unavailable", count: 2 },
      { transport: "http", outcome: "stored", count: 1 },
    ]);
  });
});

describe("a client of grpc-js", () => {
  const RETRY_POLICY = JSON.stringify({
    methodConfig: [
      {
        name: [{}],
        retryPolicy: {
          maxAttempts: 4,
          initialBackoff: "0.01s",
          maxBackoff: "0.01s",
          backoffMultiplier: 1,
          retryableStatusCodes: ["UNAVAILABLE"],
        },
      },
    ],
  });

  /** One call of grpc-js; rejects with its ServiceError. */
  function exportLogs(options: ChannelOptions): Promise<Buffer | undefined> {
    const { host } = new URL(process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] ?? "");
    const client = new Client(host, credentials.createInsecure(), options);
    const isBytes = (bytes: Buffer): Buffer => bytes;
    return new Promise<Buffer | undefined>((resolve, reject) => {
      client.makeUnaryRequest(LOGS_PATH, isBytes, isBytes, Buffer.from("x"), (error, value) => {
        if (error === null) resolve(value);
        else reject(error);
      });
    }).finally(() => client.close());
  }

  test("with a retry policy sends again what was refused as unavailable (OTLP-013)", async () => {
    const { ingest, receiver } = await start("grpc");
    ingest.refusalsLeft = 2;
    expect(await exportLogs({ "grpc.service_config": RETRY_POLICY })).toHaveLength(0);
    expect(ingest.texts).toEqual(["x"]);
    expect(receiver.stats.count("grpc", "unavailable")).toBe(2);
  });

  test("finds RetryInfo in the details of an unavailable call (OTLP-013)", async () => {
    const { ingest } = await start("grpc");
    ingest.refusalsLeft = 1;
    const error: unknown = await exportLogs({ "grpc.enable_retries": 0 }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 14, details: "not yet" });
    const metadata = error instanceof Error && "metadata" in error ? error.metadata : undefined;
    const details = metadata instanceof Metadata ? metadata.get("grpc-status-details-bin") : [];
    expect(details).toHaveLength(1);
    // Any { type_url, value: RetryInfo { retry_delay: Duration { nanos: 10,000,000 } } }
    const bytes = details[0] instanceof Buffer ? details[0] : Buffer.alloc(0);
    expect(bytes.toString("latin1")).toContain("type.googleapis.com/google.rpc.RetryInfo");
    expect(bytes.includes(Buffer.from([0x0a, 5, 0x10, 0x80, 0xad, 0xe2, 0x04]))).toBe(true);
  });
});

describe("pino through pino-opentelemetry-transport", () => {
  test("100,000 records in a burst are stored, none lost and none twice", async () => {
    const store = await openStore(temporaryFolder());
    const { endpoint } = await start("http/protobuf", { ingest: store });
    const program = fileURLToPath(new URL("pino-burst.ts", import.meta.url));
    const child = spawn(process.execPath, [program, endpoint, "100000"], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    closers.push(async () => void child.kill());
    const exited = once(child, "exit");
    const readStored = () => store.counters().logs.stored;
    await expect
      .poll(readStored, { timeout: 90_000, interval: 100 })
      .toBeGreaterThanOrEqual(100_000);
    child.stdin.end();
    expect(await exited).toEqual([0, null]);
    const { entries } = await searchAll(store);
    const indexes = new Set(entries.map((entry) => JSON.stringify(entry["attributes"])));
    expect([entries.length, indexes.size]).toEqual([100_000, 100_000]);
    expect(store.counters().logs).toMatchObject({ received: 100_000, stored: 100_000 });
  }, 120_000);
});
