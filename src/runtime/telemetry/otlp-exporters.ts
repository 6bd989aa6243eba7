import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Resource } from "@opentelemetry/resources";
import type { SendResult } from "./export-queue.ts";

/** Where to, where the standard `OTEL_*` variables do not say. */
export interface OtlpEndpoints {
  /** Such as `http://127.0.0.1:4317`. */
  readonly grpc: string;
  /** Such as `http://127.0.0.1:4318`. */
  readonly http: string;
  /** A bearer token, where the service wants one. */
  readonly token?: string;
}

/** Sends one batch of a signal by the OpenTelemetry SDK's exporters. None of it throws. */
export interface OtlpExporters {
  logs(batch: readonly ReadableLogRecord[]): Promise<SendResult>;
  spans(batch: readonly ReadableSpan[]): Promise<SendResult>;
  metrics(metrics: ResourceMetrics): Promise<SendResult>;
  /** A resource of the SDK, which groups what it sends by the resource's identity. */
  resource(attributes: Readonly<Record<string, string | number>>): Resource;
  close(): Promise<void>;
}

/** Signals that `OTEL_SDK_DISABLED` and `OTEL_LOGS_EXPORTER=none` and the like leave on. */
export function readSwitches(): { readonly [signal in "logs" | "traces" | "metrics"]: boolean } {
  const isOn = (signal: string): boolean =>
    process.env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() !== "true" &&
    process.env[`OTEL_${signal}_EXPORTER`]?.trim().toLowerCase() !== "none";
  return { logs: isOn("LOGS"), traces: isOn("TRACES"), metrics: isOn("METRICS") };
}

/** gRPC codes by which a receiver says that the batch itself is wrong. */
const REJECTED_CODES: ReadonlySet<unknown> = new Set([
  3, // INVALID_ARGUMENT
  11, // OUT_OF_RANGE
  12, // UNIMPLEMENTED
]);
/** What a whole request may take. */
const TIMEOUT_MS = 10_000;

interface Exporter<Items> {
  export(items: Items, done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

/**
 * Loads the SDK, which takes some 400 ms of CPU, and makes its exporters. `OTEL_EXPORTER_OTLP_*`
 * say where to and how, else `endpoints`.
 */
export async function loadOtlpExporters(
  endpoints: OtlpEndpoints,
  warn: (message: string) => void,
): Promise<OtlpExporters> {
  const [api, logs, traces, metrics, resources, grpc] = await Promise.all([
    import("@opentelemetry/api"),
    import("@opentelemetry/exporter-logs-otlp-grpc"),
    import("@opentelemetry/exporter-trace-otlp-grpc"),
    import("@opentelemetry/exporter-metrics-otlp-http"),
    import("@opentelemetry/resources"),
    import("@grpc/grpc-js"),
  ]);
  // The SDK tells of records that the receiver refused within a request that it took.
  const said = (message: string, ...rest: unknown[]): void => warn([message, ...rest].join(" "));
  const silent = (): void => {};
  api.diag.setLogger(
    { error: said, warn: said, info: silent, debug: silent, verbose: silent },
    { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const headers =
    endpoints.token === undefined ? {} : { authorization: `Bearer ${endpoints.token}` };
  const grpcOptions = (signal: string) => {
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    return {
      timeoutMillis: TIMEOUT_MS,
      ...(isSet(signal, "ENDPOINT") ? {} : { url: endpoints.grpc }),
      ...(isSet(signal, "HEADERS") ? {} : { metadata }),
    };
  };
  const logSender = new Sender(() => new logs.OTLPLogExporter(grpcOptions("LOGS")));
  const spanSender = new Sender(() => new traces.OTLPTraceExporter(grpcOptions("TRACES")));
  const metricSender = new Sender(
    () =>
      new metrics.OTLPMetricExporter({
        timeoutMillis: TIMEOUT_MS,
        ...(isSet("METRICS", "ENDPOINT") ? {} : { url: `${endpoints.http}/v1/metrics` }),
        ...(isSet("METRICS", "HEADERS") ? {} : { headers }),
      }),
  );
  return {
    // A copy of the array alone: the SDK's types want one that may be changed.
    logs: (batch) => logSender.send([...batch]),
    spans: (batch) => spanSender.send([...batch]),
    metrics: (data) => metricSender.send(data),
    resource: (attributes) => resources.resourceFromAttributes({ ...attributes }),
    async close() {
      await Promise.all([logSender.close(), spanSender.close(), metricSender.close()]);
    },
  };
}

/** Whether the environment says it, for the signal or for all. */
function isSet(signal: string, what: string): boolean {
  const values = [
    process.env[`OTEL_EXPORTER_OTLP_${signal}_${what}`],
    process.env[`OTEL_EXPORTER_OTLP_${what}`],
  ];
  return values.some((value) => value !== undefined && value.trim() !== "");
}

/**
 * One exporter, made anew after each failure: a gRPC channel that is kept waits longer after every
 * refused connection, up to two minutes, and a service that is back would get nothing so long.
 */
class Sender<Items> {
  readonly #make: () => Exporter<Items>;
  #exporter: Exporter<Items> | undefined;

  constructor(make: () => Exporter<Items>) {
    this.#make = make;
  }

  async send(items: Items): Promise<SendResult> {
    const { promise, resolve } = Promise.withResolvers<SendResult>();
    try {
      this.#exporter ??= this.#make();
      this.#exporter.export(items, ({ code, error }) => {
        if (code === 0) resolve({ status: "delivered" });
        else resolve(failureOf(error));
      });
    } catch (error) {
      // Before anything was sent: the batch could not be written, and never will be.
      resolve({ status: "rejected", message: String(error) });
    }
    const result = await promise;
    if (result.status === "retryable") await this.close();
    return result;
  }

  async close(): Promise<void> {
    const exporter = this.#exporter;
    this.#exporter = undefined;
    await exporter?.shutdown();
  }
}

function failureOf(error: Error | undefined): SendResult {
  const code: unknown = error !== undefined && "code" in error ? error.code : undefined;
  const isRejected = REJECTED_CODES.has(code) || code === 400;
  const message = error === undefined ? "no reason given" : error.message;
  return { status: isRejected ? "rejected" : "retryable", message };
}
