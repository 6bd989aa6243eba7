import type { LinkTransport, Parameters, TransportKind } from "../protocol/node-messages.ts";

/** A dataflow file that was read and checked: nothing in it needs another look. */
export interface Dataflow {
  /** What it is to be called, where the file says so. */
  readonly name?: string;
  readonly nodes: readonly DataflowNode[];
  /** For the processes of all nodes. */
  readonly environment: Readonly<Record<string, string>>;
  readonly thresholds: Thresholds;
}

export interface DataflowNode {
  readonly id: string;
  /** What people see: `name`, else the id. */
  readonly name: string;
  readonly description: string;
  readonly source: NodeSource;
  /** Commands, one after the other, in the folder of the dataflow file. */
  readonly build: readonly string[];
  readonly inputs: readonly DataflowInput[];
  readonly outputs: readonly DataflowOutput[];
  readonly environment: Readonly<Record<string, string>>;
  readonly parameters: Parameters;
  readonly restart: RestartRules;
  /** A node that says nothing for so long counts as failed; 0 leaves it alone. */
  readonly healthCheckTimeoutMs: number;
  /** What a node gets between being asked to stop and being made to. */
  readonly finishGraceMs: number;
  /** The output that gets each line of standard output, as the same dataflow's nodes may want it. */
  readonly sendStdoutAs: string | undefined;
  /** Records below it are not kept. */
  readonly minLogLevel: string | undefined;
  readonly cpuAffinity: readonly number[];
  /** Where it runs; undefined for anywhere. */
  readonly machine: string | undefined;
  readonly thresholds: Thresholds;
}

export type NodeSource =
  | { readonly kind: "executable"; readonly path: string; readonly args: readonly string[] }
  /** Started by hand. */
  | { readonly kind: "dynamic" }
  | { readonly kind: "operators"; readonly operators: readonly DataflowOperator[] };

export interface DataflowOperator {
  readonly id: string;
  readonly source: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface DataflowInput {
  readonly id: string;
  readonly source: DataflowInputSource;
  readonly queueSize: number;
  readonly queuePolicy: "drop_oldest" | "backpressure";
  readonly inputTimeoutMs: number | undefined;
}

export type DataflowInputSource =
  | {
      readonly kind: "output";
      readonly node: string;
      readonly output: string;
      readonly transport: LinkTransport;
    }
  | { readonly kind: "timer"; readonly intervalNs: number }
  | { readonly kind: "logs"; readonly level: string; readonly node: string | undefined };

export interface DataflowOutput {
  readonly id: string;
  readonly format: DataFormat;
  readonly schema: Readonly<Record<string, string>> | string | undefined;
}

/** Formats that a file may name; those of `FORMATS_AVAILABLE` run. */
export const DATA_FORMATS = ["arrow", "capnp", "flatbuffers", "avro"] as const;
export type DataFormat = (typeof DATA_FORMATS)[number];
export const FORMATS_AVAILABLE: readonly DataFormat[] = ["arrow"];

export interface RestartRules {
  readonly policy: "never" | "on-failure" | "always";
  /** 0 is without a limit. */
  readonly restartsMax: number;
  /** Doubles with each restart, up to `delayMaxMs`. */
  readonly delayMs: number;
  readonly delayMaxMs: number;
  /** Restarts are counted over so long; 0 is since the start. */
  readonly windowMs: number;
}

/** Past them a warning is written; undefined is without one. */
export interface Thresholds {
  readonly latencyMs: number | undefined;
  readonly memoryMb: number | undefined;
  readonly errorsPerMinute: number | undefined;
}

/** A connection from an output to an input. */
export interface Link {
  /** `source/output->target/input` */
  readonly id: string;
  readonly source: { readonly node: string; readonly output: string };
  readonly target: { readonly node: string; readonly input: string };
  readonly transport: LinkTransport;
  /** Of the input. */
  readonly queueSize: number;
  readonly queuePolicy: DataflowInput["queuePolicy"];
}

/** All links of a dataflow, in the order of the inputs. */
export function linksOf(dataflow: Dataflow): readonly Link[] {
  return dataflow.nodes.flatMap((node) =>
    node.inputs.flatMap(({ id, source, queueSize, queuePolicy }) =>
      source.kind === "output"
        ? [
            {
              id: linkId(source, { node: node.id, input: id }),
              source: { node: source.node, output: source.output },
              target: { node: node.id, input: id },
              transport: source.transport,
              queueSize,
              queuePolicy,
            },
          ]
        : [],
    ),
  );
}

export function linkId(
  source: { readonly node: string; readonly output: string },
  target: { readonly node: string; readonly input: string },
): string {
  return `${source.node}/${source.output}->${target.node}/${target.input}`;
}

export const DEFAULT_TRANSPORT: TransportKind = "socket";
