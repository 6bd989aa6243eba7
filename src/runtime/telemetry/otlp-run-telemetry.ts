import type { HrTime } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { AttributeMap } from "../../core/any-value.ts";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { toAttributeMap } from "../../telemetry/log-attributes.ts";
import type { LogAttributes } from "../../telemetry/log-attributes.ts";
import type { EmittedRecord, Logger, LogLevel, LogSink } from "../../telemetry/logger.ts";
import type {
  LogEntry,
  NodeIdentity,
  NodeTelemetry,
  RunTelemetry,
} from "../protocol/run-telemetry.ts";
import { ExportQueue } from "./export-queue.ts";
import { toHrTime } from "./hop-bytes.ts";
import { SPAN_BYTES, toSpan } from "./hop-span.ts";
import type { SpanSource } from "./hop-span.ts";
import { toLogEntry } from "./log-entry.ts";
import { fromLogger, LogScopes, recordBytes } from "./log-record.ts";
import { nodeMetrics, toResourceMetrics } from "./metric-data.ts";
import { NodeSeries } from "./node-series.ts";
import { ProcessTelemetry } from "./node-telemetry.ts";
import type { OtlpEndpoints, OtlpExporters } from "./otlp-exporters.ts";
import { loadOtlpExporters, readSwitches } from "./otlp-exporters.ts";
import { TraceSampler } from "./trace-sampler.ts";

/** How often what waits is looked at. */
const TICK_MS = 100;
/** How often metrics are exported, where `OTEL_METRIC_EXPORT_INTERVAL` does not say. */
const METRICS_INTERVAL_MS = 10_000;
/** Requests of metrics, one a node, that are under way together: the service commits them together. */
const METRICS_AT_ONCE = 16;
/** A node that ended is told of so long, for the case that it starts again. */
const RETIRE_MS = 300_000;
/** Dataflows and nodes whose notes have a resource of their own. */
const NOTE_SOURCES_MAX = 1000;
const DROP_REASONS = ["full", "rejected", "closed"] as const;
/** Whom a note is about: in its resource, not among its attributes. */
const SOURCE_KEYS: ReadonlySet<string> = new Set([
  "dora.dataflow.id",
  "dora.dataflow.name",
  "dora.node.id",
  "dora.node.name",
]);

export interface RunTelemetryOptions {
  readonly endpoints: OtlpEndpoints;
  /** Of the daemon: `service.name`, `host.name` and so on. */
  readonly resource: Readonly<Record<string, string>>;
  /** Where is said that the service is away or back. Must not write into `sink`'s queue alone. */
  readonly log: Logger;
  /** The scope of the process's own records; default `dora.daemon`. */
  readonly logger?: string;
  /** Told of each record of a node, as it comes; must not throw. */
  readonly onNodeLog?: (dataflow: string, entry: LogEntry) => void;
  readonly clock?: Clock;
  /** Caps of the sampler in spans a second. */
  readonly sampling?: { readonly usual?: number; readonly notable?: number };
  /** Limits of the queues of records and of spans. */
  readonly queue?: { readonly recordsMax?: number; readonly bytesMax?: number };
}

/** What was dropped or left out since the start. */
export interface TelemetryLosses {
  readonly logs: number;
  readonly spans: number;
  /** Exports of metrics that failed; the next one has their figures. */
  readonly metrics: number;
  readonly unsampledSpans: number;
  readonly cutLines: number;
}

interface Source {
  readonly resource: Resource;
  readonly scopes: LogScopes;
}

interface NodeEntry extends Source {
  readonly series: NodeSeries;
  /** Its process runs, or `undefined` and since when it does not. */
  process: ProcessTelemetry | undefined;
  endedAtMs: number;
}

/**
 * The daemon's telemetry: records, spans and metrics of all its nodes, to an OTLP receiver.
 *
 * Concurrency: one thread; no method waits but `start` and `close`.
 * Limits: each queue holds `EXPORT_QUEUE_RECORDS_MAX` and `EXPORT_QUEUE_BYTES_MAX`; beyond, what is
 *         new is dropped and counted in `losses` and in `dora.telemetry.dropped`.
 * Cost:   loading this and the SDK takes some 300 ms of CPU: import it where it is used, by `import()`; then docs/runtime-telemetry.md "Cost".
 */
export class OtlpRunTelemetry implements RunTelemetry {
  readonly #options: RunTelemetryOptions;
  readonly #clock: Clock;
  readonly #exporters: OtlpExporters;
  readonly #isOn = readSwitches();
  readonly #logs: ExportQueue<ReadableLogRecord>;
  readonly #spans: ExportQueue<ReadableSpan>;
  readonly #sampler: TraceSampler<SpanSource>;
  readonly #nodes = new Map<string, NodeEntry>();
  readonly #own: Source;
  readonly #noteSources = new Map<string, Source>();
  readonly #startTime: HrTime;
  readonly #tick: NodeJS.Timeout;
  readonly #metricsTimer: NodeJS.Timeout;
  #exportingMetrics: Promise<void> | undefined;
  #failedMetrics = 0;
  #cutLines = 0;

  /** Loads the SDK and starts. The receiver need not be there yet. */
  static async start(options: RunTelemetryOptions): Promise<OtlpRunTelemetry> {
    const exporters = await loadOtlpExporters(options.endpoints, (message) =>
      options.log.warn("the OpenTelemetry SDK says", { "exception.message": message }),
    );
    return new OtlpRunTelemetry(options, exporters);
  }

  private constructor(options: RunTelemetryOptions, exporters: OtlpExporters) {
    this.#options = options;
    this.#exporters = exporters;
    this.#clock = options.clock ?? systemClock;
    this.#own = { resource: exporters.resource(options.resource), scopes: new LogScopes() };
    this.#startTime = toHrTime(this.#clock.nowUnixNs());
    const limits = options.queue ?? {};
    this.#logs = new ExportQueue({
      ...limits,
      send: (batch) => exporters.logs(batch),
      onState: (message) => this.#onState("logs", message),
    });
    this.#spans = new ExportQueue({
      ...limits,
      send: (batch) => exporters.spans(batch),
      onState: (message) => this.#onState("traces", message),
    });
    this.#sampler = new TraceSampler(
      this.#clock.monotonicMs(),
      ({ source, body, at }) => {
        if (this.#isOn.traces) this.#spans.push(toSpan(source, body, at), SPAN_BYTES);
      },
      options.sampling,
    );
    this.#tick = setInterval(() => this.#onTick(), TICK_MS);
    this.#metricsTimer = setInterval(() => void this.exportMetrics(), metricsIntervalMs());
  }

  /** Takes the daemon's own records: a sink of its logger. */
  readonly sink: LogSink = {
    emit: (record: EmittedRecord) =>
      this.#emitLog(fromLogger(this.#own, record, this.#options.logger)),
  };

  get losses(): TelemetryLosses {
    const sum = (drops: { full: number; rejected: number; closed: number }): number =>
      drops.full + drops.rejected + drops.closed;
    return {
      logs: sum(this.#logs.drops),
      spans: sum(this.#spans.drops),
      metrics: this.#failedMetrics,
      unsampledSpans: this.#sampler.counts.left,
      cutLines: this.#allCutLines(),
    };
  }

  nodeStarted(identity: NodeIdentity, pid: number): NodeTelemetry {
    const key = `${identity.dataflow.id}\n${identity.node.id}`;
    const entry = this.#nodes.get(key) ?? this.#newNode(identity);
    this.#nodes.set(key, entry);
    entry.process?.ended(entry.series.restarts);
    entry.series.processStarted(identity);
    const process = new ProcessTelemetry({
      ...entry,
      identity,
      sampler: this.#sampler,
      clock: this.#clock,
      emitLog: (record) => {
        this.#emitLog(record);
        this.#options.onNodeLog?.(identity.dataflow.id, toLogEntry(identity, record));
      },
      emitSpan: (span) => {
        if (this.#isOn.traces) this.#spans.push(span, SPAN_BYTES);
      },
      onEnd: (ended) => {
        if (entry.process !== ended) return;
        entry.process = undefined;
        entry.endedAtMs = this.#clock.monotonicMs();
        this.#cutLines += ended.cut.lines;
      },
    });
    entry.process = process;
    const about = { ...attributesOf(identity), "process.pid": pid };
    if (process.keeps("debug")) this.log("debug", "node's process started", about);
    return process;
  }

  log(level: LogLevel, message: string, attributes: LogAttributes): void {
    this.#emitLog(
      fromLogger(this.#noteSource(attributes), {
        timeUnixNs: this.#clock.nowUnixNs(),
        level,
        message,
        attributes: withoutSource(toAttributeMap(attributes)),
        traceId: "",
        spanId: "",
      }),
    );
  }

  /** Exports all metrics now. One that is under way is waited for instead. */
  exportMetrics(): Promise<void> {
    this.#exportingMetrics ??= this.#exportAllMetrics().finally(() => {
      this.#exportingMetrics = undefined;
    });
    return this.#exportingMetrics;
  }

  /**
   * Tells what is in hand and sends it, for at most so long; what is left then is counted. Nodes
   * must have ended before.
   */
  async close(deadlineMs: number): Promise<void> {
    clearInterval(this.#tick);
    clearInterval(this.#metricsTimer);
    for (const entry of this.#nodes.values()) entry.process?.ended(entry.series.restarts);
    this.#sampler.flush(this.#clock.monotonicMs());
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadlineMs);
    // The queues keep the deadline themselves, and count what they still hold then.
    await Promise.all([
      this.#logs.close(deadlineMs),
      this.#spans.close(deadlineMs),
      Promise.race([this.exportMetrics(), isLate]),
    ]);
    await Promise.race([this.#exporters.close(), isLate]);
    clearTimeout(timer);
    const { logs, spans } = this.losses;
    if (logs + spans > 0) this.#options.log.warn("telemetry was dropped", { logs, spans });
  }

  readonly #emitLog = (record: ReadableLogRecord): void => {
    if (this.#isOn.logs) this.#logs.push(record, recordBytes(record));
  };

  #newNode(identity: NodeIdentity): NodeEntry {
    const { dataflow, node } = identity;
    const service = { "service.name": node.id, "service.namespace": dataflow.name };
    return {
      ...this.#sourceOf({ ...service, ...attributesOf(identity) }),
      series: new NodeSeries(identity, this.#clock.nowUnixNs(), this.#clock.monotonicMs()),
      process: undefined,
      endedAtMs: 0,
    };
  }

  #sourceOf(attributes: Readonly<Record<string, string>>): Source {
    const resource = this.#exporters.resource({ ...this.#options.resource, ...attributes });
    return { resource, scopes: new LogScopes() };
  }

  /** A note about a dataflow or a node belongs to its resource, so that queries find it there. */
  #noteSource(attributes: LogAttributes): Source {
    const about: Record<string, string> = {};
    for (const key of [
      "dora.dataflow.id",
      "dora.dataflow.name",
      "dora.node.id",
      "dora.node.name",
    ]) {
      const value = attributes[key];
      if (typeof value === "string") about[key] = value;
    }
    const key = JSON.stringify(about);
    const known = key === "{}" ? this.#own : this.#noteSources.get(key);
    if (known !== undefined) return known;
    if (this.#noteSources.size >= NOTE_SOURCES_MAX) this.#noteSources.clear();
    const source = this.#sourceOf(about);
    this.#noteSources.set(key, source);
    return source;
  }

  #onTick(): void {
    const nowUnixNs = this.#clock.nowUnixNs();
    const nowMs = this.#clock.monotonicMs();
    for (const entry of this.#nodes.values()) entry.process?.tick(nowUnixNs, nowMs);
    this.#sampler.sweep(nowMs);
  }

  async #exportAllMetrics(): Promise<void> {
    if (!this.#isOn.metrics) return;
    const nowMs = this.#clock.monotonicMs();
    const endTime = toHrTime(this.#clock.nowUnixNs());
    const all: ResourceMetrics[] = [this.#ownMetrics(endTime)];
    for (const [key, entry] of this.#nodes) {
      const startTime = toHrTime(entry.series.startUnixNs);
      all.push(nodeMetrics(entry.series, entry.resource, startTime, endTime));
      const isGone = entry.process === undefined && nowMs - entry.endedAtMs > RETIRE_MS;
      if (isGone) this.#nodes.delete(key);
    }
    // The first one alone: it finds out whether the service is there.
    for (let at = 0; at < all.length; at += at === 0 ? 1 : METRICS_AT_ONCE) {
      const part = all.slice(at, at === 0 ? 1 : at + METRICS_AT_ONCE);
      const results = await Promise.all(part.map((data) => this.#exporters.metrics(data)));
      this.#failedMetrics += results.filter(({ status }) => status !== "delivered").length;
      // The service is away: the next export has the same figures, and newer.
      if (results.some(({ status }) => status === "retryable")) return;
    }
  }

  #ownMetrics(endTime: HrTime): ResourceMetrics {
    const queues = [
      ["logs", this.#logs],
      ["traces", this.#spans],
    ] as const;
    const { kept, left } = this.#sampler.counts;
    const metrics = [
      {
        name: "dora.telemetry.dropped",
        unit: "{item}",
        description: "Records and spans that were not delivered.",
        isMonotonic: true,
        values: queues.flatMap(([signal, queue]) =>
          DROP_REASONS.map((reason) => {
            return { attributes: { "dora.signal": signal, reason }, value: queue.drops[reason] };
          }),
        ),
      },
      {
        name: "dora.telemetry.delivered",
        unit: "{item}",
        description: "Records and spans that the service took.",
        isMonotonic: true,
        values: queues.map(([signal, queue]) => {
          return { attributes: { "dora.signal": signal }, value: queue.delivered };
        }),
      },
      {
        name: "dora.telemetry.waiting",
        unit: "{item}",
        description: "Records and spans that wait to be delivered.",
        isMonotonic: false,
        values: queues.map(([signal, queue]) => {
          return { attributes: { "dora.signal": signal }, value: queue.waiting.records };
        }),
      },
      {
        name: "dora.telemetry.spans",
        unit: "{span}",
        description: "Spans by what sampling made of them.",
        isMonotonic: true,
        values: [
          { attributes: { decision: "kept" }, value: kept },
          { attributes: { decision: "left out" }, value: left },
        ],
      },
      {
        name: "dora.telemetry.lines.cut",
        unit: "{line}",
        description: "Lines of output beyond 1 MiB, whose rest was passed over.",
        isMonotonic: true,
        values: [{ attributes: {}, value: this.#allCutLines() }],
      },
    ];
    return toResourceMetrics(this.#own.resource, metrics, this.#startTime, endTime);
  }

  #allCutLines(): number {
    let lines = this.#cutLines;
    for (const { process } of this.#nodes.values()) lines += process?.cut.lines ?? 0;
    return lines;
  }

  #onState(signal: string, message: string | undefined): void {
    const { log } = this.#options;
    if (message === undefined) log.info("the log service takes telemetry again", { signal });
    else log.warn("the log service takes no telemetry", { signal, "exception.message": message });
  }
}

function withoutSource(attributes: AttributeMap): AttributeMap {
  return new Map([...attributes].filter(([key]) => !SOURCE_KEYS.has(key)));
}

function metricsIntervalMs(): number {
  const given = Number(process.env["OTEL_METRIC_EXPORT_INTERVAL"] ?? "");
  return Number.isFinite(given) && given >= 100 ? given : METRICS_INTERVAL_MS;
}

function attributesOf({ dataflow, node }: NodeIdentity): Readonly<Record<string, string>> {
  return {
    "dora.dataflow.id": dataflow.id,
    "dora.dataflow.name": dataflow.name,
    "dora.node.id": node.id,
    "dora.node.name": node.name,
  };
}
