import { didYouMean } from "../../core/nearest-name.ts";
import type { Dataflow, DataflowNode } from "./dataflow.ts";
import type { FilePath, FileText, Problem } from "./file-text.ts";

/** Checks what nodes say of each other: ids, sources of inputs, rules that contradict. */
export function checkConnections(dataflow: Dataflow, file: FileText, problems: Problem[]): void {
  const nodes = new Map<string, DataflowNode>();
  for (const [index, node] of dataflow.nodes.entries()) {
    const path = ["nodes", index];
    if (nodes.has(node.id)) {
      problems.push(file.problemAt([...path, "id"], `there are two nodes \`${node.id}\``));
    } else nodes.set(node.id, node);
    checkNode(node, path, file, problems);
  }
  for (const [index, node] of dataflow.nodes.entries()) {
    for (const { id, source } of node.inputs) {
      if (source.kind !== "output") continue;
      const path = ["nodes", index, "inputs", id];
      const sender = nodes.get(source.node);
      const outputs = sender?.outputs.map((output) => output.id) ?? [];
      if (sender === undefined) {
        const hint = didYouMean(source.node, nodes.keys());
        problems.push(file.problemAt(path, `there is no node \`${source.node}\`${hint}`));
      } else if (!outputs.includes(source.output)) {
        const hint = didYouMean(source.output, outputs) || has(outputs);
        const message = `node \`${source.node}\` has no output \`${source.output}\`${hint}`;
        problems.push(file.problemAt(path, message));
      }
    }
  }
}

function has(outputs: readonly string[]): string {
  return outputs.length === 0 ? ": it has none" : `: it has ${outputs.join(", ")}`;
}

function checkNode(node: DataflowNode, path: FilePath, file: FileText, problems: Problem[]): void {
  const outputs = new Set<string>();
  for (const [index, { id }] of node.outputs.entries()) {
    if (outputs.has(id)) {
      problems.push(file.problemAt([...path, "outputs", index], `there are two outputs \`${id}\``));
    }
    outputs.add(id);
  }
  const { restart, sendStdoutAs } = node;
  if (sendStdoutAs !== undefined && !outputs.has(sendStdoutAs)) {
    const message = `\`send_stdout_as\` names no output of the node${has([...outputs])}`;
    problems.push(file.problemAt([...path, "send_stdout_as"], message));
  }
  if (restart.policy === "never" && restart.restartsMax > 0) {
    const message = "`max_restarts` has no meaning: give `restart_policy: on-failure` or `always`";
    problems.push(file.problemAt([...path, "max_restarts"], message));
  }
  if (restart.delayMs > restart.delayMaxMs) {
    const message = "`restart_delay` is longer than `max_restart_delay`";
    problems.push(file.problemAt([...path, "restart_delay"], message));
  }
}
