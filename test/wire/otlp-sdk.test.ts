import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type SpanContext,
} from "@opentelemetry/api";
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  SimpleLogRecordProcessor,
} from "@opentelemetry/sdk-logs";
import {
  AggregationTemporality,
  AggregationType,
  InMemoryMetricExporter,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { describe, expect, test } from "vitest";
import type { Signal } from "../../src/core/record.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";

const resource = resourceFromAttributes({ "service.name": "camera", replicas: 3 });

/** The SDK writes the same data in both encodings; ours must read the same from either. */
function expectSameReading(signal: Signal, json: Uint8Array, protobuf: Uint8Array): string {
  const fromJson = otlpProtobufToJson(signal, otlpJsonToProtobuf(signal, json));
  expect(fromJson).toBe(otlpProtobufToJson(signal, protobuf));
  return fromJson;
}

function given(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new Error("the SDK wrote nothing");
  return bytes;
}

describe("what the official SDK sends", () => {
  test("as logs reads the same in JSON and protobuf (CONF-003, OTLP-017)", async () => {
    const exporter = new InMemoryLogRecordExporter();
    const provider = new LoggerProvider({
      resource,
      processors: [new SimpleLogRecordProcessor({ exporter })],
    });
    const logger = provider.getLogger("capture", "1.2.3");
    logger.emit({
      timestamp: [1736282046, 298518123],
      severityText: "ERROR",
      eventName: "frame.lost",
      body: {
        text: 'déjà "vu"\n',
        nested: [1, 2.5, null, true, { deep: new Uint8Array([255, 0]) }],
      },
      attributes: { frame: 2 ** 53 - 1, negative: -12, ratio: -0.25, empty: "", list: ["a", "b"] },
    });
    logger.emit({ body: "plain" });
    await provider.forceFlush();
    const records = exporter.getFinishedLogRecords();
    const text = expectSameReading(
      "logs",
      given(JsonLogsSerializer.serializeRequest(records)),
      given(ProtobufLogsSerializer.serializeRequest(records)),
    );
    expect(text).toContain(`"timeUnixNano":"1736282046298518123"`);
    expect(text).toContain(`{"key":"frame","value":{"intValue":"9007199254740991"}}`);
    expect(text).toContain(`"eventName":"frame.lost"`);
    await provider.shutdown();
  });

  test("as traces reads the same in JSON and protobuf (CONF-003)", async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new TracerProvider({
      resource,
      spanProcessors: [new SimpleSpanProcessor({ exporter })],
    });
    const tracer = provider.getTracer("detector");
    const linked: SpanContext = {
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      spanId: "53995c3f42cd8ad8",
      traceFlags: TraceFlags.SAMPLED,
    };
    const parent = tracer.startSpan("detect", {
      kind: SpanKind.CONSUMER,
      links: [{ context: linked, attributes: { previous: true } }],
    });
    parent.addEvent("tensor ready", { bytes: 602112 });
    parent.setStatus({ code: SpanStatusCode.ERROR, message: "low confidence" });
    tracer.startSpan("infer", {}, trace.setSpan(ROOT_CONTEXT, parent)).end();
    parent.end();
    await provider.forceFlush();
    const spans = exporter.getFinishedSpans();
    const text = expectSameReading(
      "traces",
      given(JsonTraceSerializer.serializeRequest(spans)),
      given(ProtobufTraceSerializer.serializeRequest(spans)),
    );
    expect(text).toContain(`"links":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"`);
    expect(text).toContain(`"parentSpanId":"${parent.spanContext().spanId}"`);
    await provider.shutdown();
  });

  test("as metrics reads the same in JSON and protobuf (CONF-003)", async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
    const provider = new MeterProvider({
      resource,
      readers: [reader],
      views: [
        {
          instrumentName: "distance",
          instrumentType: InstrumentType.HISTOGRAM,
          aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
        },
      ],
    });
    const meter = provider.getMeter("lidar", "2.0.0");
    meter.createCounter("packets", { unit: "{packet}" }).add(5, { port: 2368 });
    meter.createUpDownCounter("balance").add(-1.5);
    meter.createGauge("temperature").record(41.25);
    const duration = meter.createHistogram("duration", { unit: "ms" });
    for (const value of [1, 20, 300]) duration.record(value);
    const distance = meter.createHistogram("distance");
    for (const value of [0, 0.5, 40, 1e6]) distance.record(value);
    await provider.forceFlush();
    const [metrics] = exporter.getMetrics();
    if (metrics === undefined) throw new Error("the SDK collected nothing");
    const text = expectSameReading(
      "metrics",
      given(JsonMetricsSerializer.serializeRequest(metrics)),
      given(ProtobufMetricsSerializer.serializeRequest(metrics)),
    );
    for (const kind of ["sum", "gauge", "histogram", "exponentialHistogram"]) {
      expect(text).toContain(`"${kind}":{"dataPoints":[`);
    }
    await provider.shutdown();
  });
});
