import type { NodeGauges, NodeLogRecord } from "./node-messages.ts";
import type { NodeRates } from "./status.ts";

/** Whom telemetry is about. */
export interface NodeIdentity {
  readonly dataflow: { readonly id: string; readonly name: string };
  readonly node: { readonly id: string; readonly name: string };
  /** Inputs and outputs in the order of the node's configuration: hops name them by index. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Records below it are passed over; as in the dataflow file. */
  readonly minLogLevel?: string;
}

/**
 * Takes what a daemon sees of its nodes and makes records, spans and metrics of it, which go to the
 * log service. None of the methods waits, and none throws: what cannot be kept is counted.
 */
export interface RunTelemetry {
  /** A node's process starts; what is about it begins here. */
  nodeStarted(identity: NodeIdentity, pid: number): NodeTelemetry;
  /** A record of the daemon's own about a dataflow. */
  log(
    level: "debug" | "info" | "warn" | "error",
    message: string,
    attributes: Readonly<Record<string, string | number | boolean>>,
  ): void;
}

/** The start of a node's process: from its spawn until it runs, or has ended before. */
export interface StartSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Of whoever started the dataflow. */
  readonly parentSpanId: string | undefined;
  readonly startUnixNs: bigint;
  readonly endUnixNs: bigint;
  readonly isFailed: boolean;
  readonly restarts: number;
}

/** What is told of one process of a node. */
export interface NodeTelemetry {
  /** Its start is over. */
  started(span: StartSpan): void;
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  log(records: readonly NodeLogRecord[]): void;
  /** A frame of hops, as `hops.ts` lays it out; valid during the call. */
  hops(body: Buffer): void;
  gauges(gauges: NodeGauges): void;
  /** An input was added while its process runs: hops name it by the next index. */
  inputAdded(input: string): void;
  /** The process's use of the machine, once a second. */
  usage(cpuCores: number, memoryBytes: number): void;
  rates(): NodeRates;
  /** Its process ended: what is in hand is told, the last lines of output included. */
  ended(restarts: number): void;
}

/** A record of a node, for inputs of `dora/logs`. */
export interface LogEntry {
  /** The id of the node that wrote it. */
  readonly node: string;
  /** `stdout` where the record says no level. */
  readonly level: "error" | "warn" | "info" | "debug" | "trace" | "stdout";
  /** The standard entry; made where it is wanted. */
  readonly json: () => string;
}
