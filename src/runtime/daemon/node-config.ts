import { resolve } from "node:path";
import type { DataflowInput, DataflowOutput } from "../dataflow/dataflow.ts";
import { linkId } from "../dataflow/dataflow.ts";
import type {
  InputConfig,
  InputSource,
  NodeConfig,
  OutputConfig,
} from "../protocol/node-messages.ts";
import type { NodeRun } from "./node-run.ts";

export interface NodeConfigOptions {
  readonly dataflow: { readonly id: string; readonly name: string };
  /** Of the dataflow file. */
  readonly folder: string;
  readonly runDirectory: string;
  readonly linkToken: string;
}

/** What a node is told at its hello: as the file says, and as was changed since. */
export function nodeConfig(node: NodeRun, options: NodeConfigOptions): NodeConfig {
  const { source, healthCheckTimeoutMs } = node.spec;
  return {
    dataflow: options.dataflow,
    node: { id: node.id, name: node.spec.name },
    inputs: node.inputs.map((input) => inputConfig(node.id, input)),
    outputs: node.spec.outputs.map(outputConfig),
    parameters: node.parameters,
    runDirectory: options.runDirectory,
    linkToken: options.linkToken,
    operators:
      source.kind === "operators"
        ? source.operators.map(({ id, source: file, inputs, outputs }) => {
            return { id, source: resolve(options.folder, file), inputs, outputs };
          })
        : [],
    // A third, for one may come late on a busy machine.
    ...(healthCheckTimeoutMs === 0 ? {} : { silenceMaxMs: healthCheckTimeoutMs / 3 }),
  };
}

export function inputConfig(node: string, input: DataflowInput): InputConfig {
  const { id, queueSize, queuePolicy, inputTimeoutMs } = input;
  return {
    id,
    source: inputSource(node, input),
    queueSize,
    queuePolicy,
    ...(inputTimeoutMs === undefined ? {} : { inputTimeoutMs }),
  };
}

function inputSource(node: string, { id, source }: DataflowInput): InputSource {
  switch (source.kind) {
    case "output":
      return {
        kind: "link",
        link: linkId(source, { node, input: id }),
        node: source.node,
        output: source.output,
        transport: source.transport,
      };
    case "timer":
      return { kind: "timer", intervalNs: source.intervalNs };
    case "logs":
      return {
        kind: "logs",
        level: source.level,
        ...(source.node === undefined ? {} : { node: source.node }),
      };
  }
}

/** The file was checked: of formats there is only one so far. */
function outputConfig({ id, schema }: DataflowOutput): OutputConfig {
  return { id, format: "arrow", ...(schema === undefined ? {} : { schema }) };
}
