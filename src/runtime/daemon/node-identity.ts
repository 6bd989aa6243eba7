import type { DataflowInput, DataflowNode } from "../dataflow/dataflow.ts";
import type { NodeIdentity } from "../protocol/run-telemetry.ts";

/** Whom telemetry of a node's process is about. */
export function nodeIdentity(
  { spec, inputs }: { readonly spec: DataflowNode; readonly inputs: readonly DataflowInput[] },
  dataflow: NodeIdentity["dataflow"],
): NodeIdentity {
  return {
    dataflow,
    node: { id: spec.id, name: spec.name },
    inputs: inputs.map((input) => input.id),
    outputs: spec.outputs.map((output) => output.id),
    ...(spec.minLogLevel === undefined ? {} : { minLogLevel: spec.minLogLevel }),
  };
}
