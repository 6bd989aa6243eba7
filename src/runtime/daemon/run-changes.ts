import { AppError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import { DATA_FORMATS, FORMATS_AVAILABLE, linkId } from "../dataflow/dataflow.ts";
import type { DaemonRequest } from "../protocol/daemon-messages.ts";
import type { Parameters } from "../protocol/node-messages.ts";
import type { DataflowRun } from "./dataflow-run.ts";
import { inputConfig } from "./node-config.ts";
import type { NodeRun } from "./node-run.ts";

type LinkRequest = Extract<DaemonRequest, { readonly method: "connect" | "disconnect" }>;

/** An input that is added while the dataflow runs has dora-rs's default queue. */
const QUEUE_SIZE = 10;
/** Inputs of one node. */
const INPUTS_MAX = 1000;
const SEE_STATUS = { hint: "see `dora status` for what there is" };

/** Errors: `NOT_FOUND` */
export function findNode(run: DataflowRun, id: string): NodeRun {
  const node = run.nodes.get(id);
  if (node !== undefined) return node;
  const near = didYouMean(id, run.nodes.keys());
  throw new AppError("NOT_FOUND", `dataflow ${run.name} has no node "${id}"${near}`, SEE_STATUS);
}

/** Errors: `DATAFLOW_STATE` */
export function checkConnected(node: NodeRun): void {
  if (node.isConnected) return;
  const message = `node ${node.id} is not connected to the daemon: it is ${node.state}`;
  throw new AppError("DATAFLOW_STATE", message);
}

/** Changes a node's parameters; a later start has them too. */
export function setParameters(node: NodeRun, set: Parameters, deleted: readonly string[]): void {
  const kept = Object.entries(node.parameters).filter(([name]) => !deleted.includes(name));
  node.parameters = { ...Object.fromEntries(kept), ...set };
  node.send({ type: "parameters", set, deleted });
}

/**
 * Links an output to an input, which is made where there is none. What is changed so lasts as long as the dataflow runs.
 *
 * Errors: `NOT_FOUND`, `OUTPUT_UNKNOWN`; `DATAFLOW_STATE` for an input that has a source.
 */
export function connectLink(run: DataflowRun, { source, target }: LinkRequest): void {
  const sender = findNode(run, source.node);
  const receiver = findNode(run, target.node);
  const outputs = sender.spec.outputs.map((output) => output.id);
  if (!outputs.includes(source.output)) {
    const near = didYouMean(source.output, outputs);
    const message = `node ${sender.id} has no output "${source.output}"${near}`;
    throw new AppError("OUTPUT_UNKNOWN", message);
  }
  if (receiver.inputs.some((input) => input.id === target.input)) {
    const message = `input "${target.input}" of node ${receiver.id} has a source`;
    throw new AppError("DATAFLOW_STATE", message, { hint: "disconnect it first" });
  }
  if (receiver.inputs.length >= INPUTS_MAX) {
    throw new AppError("DATAFLOW_STATE", `node ${receiver.id} has ${INPUTS_MAX} inputs already`);
  }
  const transport = { kind: "socket", options: {} } as const;
  const input = {
    id: target.input,
    source: { kind: "output", node: source.node, output: source.output, transport },
    queueSize: QUEUE_SIZE,
    queuePolicy: "drop_oldest",
    inputTimeoutMs: undefined,
  } as const;
  receiver.inputs = [...receiver.inputs, input];
  receiver.telemetry?.inputAdded(input.id);
  // The receiver lets the link in before its sender is told: it says anew that it listens.
  receiver.send({ type: "input-added", input: inputConfig(receiver.id, input) });
  const { queueSize, queuePolicy } = input;
  const link = { id: linkId(source, target), source, target, transport, queueSize, queuePolicy };
  run.links.add(link, receiver.isConnected);
}

/** Errors: `NOT_FOUND` */
export function disconnectLink(run: DataflowRun, { source, target }: LinkRequest): void {
  const id = linkId(source, target);
  if (!run.links.remove(id)) {
    throw new AppError("NOT_FOUND", `dataflow ${run.name} has no link ${id}`, SEE_STATUS);
  }
  const receiver = findNode(run, target.node);
  receiver.inputs = receiver.inputs.filter((input) => input.id !== target.input);
  receiver.send({ type: "input-removed", input: target.input });
}

/** Errors: `REQUEST_INVALID` for a format that this version cannot send. */
export function checkFormat(format: string): void {
  if (FORMATS_AVAILABLE.some((one) => one === format)) return;
  const isLater = DATA_FORMATS.some((one) => one === format);
  const reason = isLater ? "is not available in this version yet" : "is unknown";
  const hint = `give ${FORMATS_AVAILABLE.join(", ")}`;
  throw new AppError("REQUEST_INVALID", `the data format "${format}" ${reason}`, { hint });
}
