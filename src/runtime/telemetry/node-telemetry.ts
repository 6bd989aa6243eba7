import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Clock } from "../../core/clock.ts";
import type { LogLevel } from "../../telemetry/logger.ts";
import type { NodeGauges, NodeLogRecord } from "../protocol/node-messages.ts";
import type { NodeIdentity, NodeTelemetry, StartSpan } from "../protocol/run-telemetry.ts";
import type { NodeRates } from "../protocol/status.ts";
import { HandledHops } from "./handled-hops.ts";
import { fromNode, fromOutput, SEVERITY_ERROR, severityOf, severityOfLevel } from "./log-record.ts";
import type { LogScopes } from "./log-record.ts";
import { NodeOutput } from "./node-output.ts";
import type { NodeSeries } from "./node-series.ts";
import type { SpanSource } from "./hop-span.ts";
import { toStartSpan } from "./start-span.ts";
import type { TraceSampler } from "./trace-sampler.ts";

/** What a node's telemetry is made with. */
export interface NodeTelemetryParts {
  readonly identity: NodeIdentity;
  readonly resource: Resource;
  readonly scopes: LogScopes;
  readonly series: NodeSeries;
  readonly sampler: TraceSampler<SpanSource>;
  readonly clock: Clock;
  readonly emitLog: (record: ReadableLogRecord) => void;
  /** Of a span that is kept whatever the sampling. */
  readonly emitSpan: (span: ReadableSpan) => void;
  /** Its process has ended, and so has this. */
  readonly onEnd: (telemetry: ProcessTelemetry) => void;
}

/** What is told of one process of a node, from its start to its end. */
export class ProcessTelemetry implements NodeTelemetry {
  readonly series: NodeSeries;
  readonly #severityMin: number;
  #parts: NodeTelemetryParts;
  readonly #hops = new HandledHops();
  readonly #output: NodeOutput;

  constructor(parts: NodeTelemetryParts) {
    this.#parts = parts;
    this.series = parts.series;
    this.#severityMin = severityOfLevel(parts.identity.minLogLevel ?? "");
    const isHeld = parts.identity.inputs.length > 0;
    this.#output = new NodeOutput(this.#hops, isHeld, (record, hop) => {
      this.#emit(fromOutput(this.#parts, record, hop));
    });
  }

  get cut(): { readonly lines: number; readonly bytes: number } {
    return this.#output.cut;
  }

  /** Whether records of a level are kept. */
  keeps(level: LogLevel): boolean {
    return severityOf(level) >= this.#severityMin;
  }

  started(span: StartSpan): void {
    this.#parts.emitSpan(toStartSpan(this.#parts, span));
  }

  output(stream: "stdout" | "stderr", chunk: Buffer): void {
    const { clock } = this.#parts;
    this.#output.push(stream, chunk, clock.nowUnixNs(), clock.monotonicMs());
  }

  log(records: readonly NodeLogRecord[]): void {
    const nowUnixNs = this.#parts.clock.nowUnixNs();
    for (const record of records) this.#emit(fromNode(this.#parts, record, nowUnixNs));
  }

  hops(body: Buffer): void {
    const nowMs = this.#parts.clock.monotonicMs();
    this.series.hops(body, nowMs);
    this.#hops.add(body);
    // A copy: the socket's bytes are valid during the call only.
    this.#parts.sampler.add(this.#parts, Buffer.from(body), nowMs);
    this.#output.release();
  }

  gauges(gauges: NodeGauges): void {
    this.series.gauges(gauges);
  }

  inputAdded(input: string): void {
    const { identity } = this.#parts;
    this.#parts = {
      ...this.#parts,
      identity: { ...identity, inputs: [...identity.inputs, input] },
    };
    this.series.inputAdded(input);
    this.#output.hold();
  }

  usage(cpuCores: number, memoryBytes: number): void {
    this.series.cpuCores = cpuCores;
    this.series.memoryBytes = memoryBytes;
  }

  rates(): NodeRates {
    return this.series.rates(this.#parts.clock.monotonicMs());
  }

  ended(restarts: number): void {
    const { clock } = this.#parts;
    this.#output.end(clock.nowUnixNs(), clock.monotonicMs());
    this.series.processEnded(restarts);
    this.#parts.onEnd(this);
  }

  /** Tells what has waited long enough. */
  tick(nowUnixNs: bigint, nowMs: number): void {
    this.#output.tick(nowUnixNs, nowMs);
  }

  #emit(record: ReadableLogRecord): void {
    const severity: number = record.severityNumber ?? 0;
    if (severity < this.#severityMin) return;
    if (severity >= SEVERITY_ERROR) this.series.errors.log += 1;
    this.#parts.emitLog(record);
  }
}
