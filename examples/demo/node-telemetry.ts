/**
 * What each node of the demo sends its telemetry with: the OpenTelemetry SDK for traces and
 * metrics, pino with pino-opentelemetry-transport for logs. Where to and how comes from the
 * standard `OTEL_*` variables alone, as it would in any program.
 */
import { once } from "node:events";
import type { Attributes, Context, Meter, Span } from "@opentelemetry/api";
import { context, metrics, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { NodeSDK } from "@opentelemetry/sdk-node";
import type { Logger } from "pino";
import { pino } from "pino";

/** What a node says it has sent, to be compared with what arrived. */
export interface Emitted {
  readonly logs: number;
  readonly spans: number;
}

export class NodeTelemetry {
  readonly log: Logger;
  readonly meter: Meter;
  readonly #name: string;
  readonly #sdk: NodeSDK;
  readonly #transport: ReturnType<typeof pino.transport>;
  #logCount = 0;
  #spanCount = 0;

  constructor() {
    this.#name = process.env["OTEL_SERVICE_NAME"] ?? "node";
    this.#sdk = new NodeSDK({ instrumentations: [] });
    this.#sdk.start();
    this.meter = metrics.getMeter(this.#name);
    this.#transport = pino.transport({
      target: "pino-opentelemetry-transport",
      options: {
        loggerName: this.#name,
        serviceVersion: "1.0.0",
        logRecordProcessorOptions: {
          recordProcessorType: "batch",
          // The default queue is small enough to lose records of a burst.
          processorConfig: { maxQueueSize: 100_000, scheduledDelayMillis: 200 },
        },
      },
    });
    this.log = pino(
      {
        base: null,
        level: "debug",
        // Microseconds, so that records stand in their order between the spans of a trace.
        timestamp: () => `,"time":${performance.timeOrigin + performance.now()}`,
        mixin: () => this.#traceIds(),
      },
      this.#transport,
    );
  }

  /** Runs `work` in a span of its own, which fails with it. */
  async inSpan<T>(
    name: string,
    options: { readonly parent?: Context; readonly attributes: Attributes },
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    this.#spanCount++;
    const tracer = trace.getTracer(this.#name);
    const parent = options.parent ?? context.active();
    const kind = options.parent === undefined ? SpanKind.INTERNAL : SpanKind.SERVER;
    const { attributes } = options;
    return tracer.startActiveSpan(name, { kind, attributes }, parent, async (span) => {
      try {
        return await work(span);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
        throw error;
      } finally {
        span.end();
      }
    });
  }

  /** Sends what is left, and tells how much there was. */
  async close(): Promise<Emitted> {
    const closed = once(this.#transport, "close");
    this.#transport.end();
    await Promise.all([closed, this.#sdk.shutdown()]);
    return { logs: this.#logCount, spans: this.#spanCount };
  }

  /** Called once a record; the transport takes the trace context from these attributes. */
  #traceIds(): object {
    this.#logCount++;
    const span = trace.getActiveSpan()?.spanContext();
    if (span === undefined) return {};
    return { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags };
  }
}
