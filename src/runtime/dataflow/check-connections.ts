import { didYouMean } from "../../core/nearest-name.ts";
import type { BuiltDataflow, BuiltNode } from "./build-dataflow.ts";
import type { DataflowInputSource } from "./dataflow.ts";
import type { FilePath } from "./file-text.ts";
import type { Findings } from "./findings.ts";

type OutputSource = Extract<DataflowInputSource, { readonly kind: "output" }>;

/** Candidates that a message lists at the most. */
const LISTED_MAX = 10;
/** Keys that say how a node is restarted, and say nothing where it never is. */
const RESTART_KEYS = [
  "max_restarts",
  "restart_delay",
  "max_restart_delay",
  "restart_window",
] as const;

/** Checks what nodes say of each other, and keys of a node that contradict. */
export function checkConnections({ nodes }: BuiltDataflow, findings: Findings): void {
  const byId = new Map<string, BuiltNode>();
  for (const built of nodes) {
    const { node, content } = built;
    if (byId.has(node.id)) {
      const message = `there are two nodes \`${node.id}\`: rename one`;
      findings.problem("duplicate", [...content.path, "id"], message);
    } else byId.set(node.id, built);
    checkOutputs(built, findings);
    checkKeys(built, findings);
  }
  for (const { node, inputPaths } of nodes) {
    for (const [index, { source }] of node.inputs.entries()) {
      if (findings.isFull) return;
      checkSource(source, inputPaths[index] ?? [], byId, findings);
    }
  }
}

function checkSource(
  source: DataflowInputSource,
  path: FilePath,
  nodes: ReadonlyMap<string, BuiltNode>,
  findings: Findings,
): void {
  switch (source.kind) {
    case "timer":
      return;
    case "logs":
      if (source.node === undefined || nodes.has(source.node)) return;
      findings.problem("unknown-name", path, noSuchNode(source.node, nodes));
      return;
    case "output": {
      const sender = nodes.get(source.node);
      if (sender === undefined) {
        findings.problem("unknown-name", path, noSuchNode(source.node, nodes));
      } else checkOutput(source, sender, path, findings);
    }
  }
}

function noSuchNode(id: string, nodes: ReadonlyMap<string, BuiltNode>): string {
  const known = [...nodes.keys()];
  return `there is no node \`${id}\`${didYouMean(id, known) || listed("there are", known)}`;
}

function checkOutput(
  { node, output }: OutputSource,
  sender: BuiltNode,
  path: FilePath,
  findings: Findings,
): void {
  const known = sender.node.outputs.map(({ id }) => id);
  if (known.includes(output) && output !== sender.content.logsOutput) return;
  if (output === sender.content.logsOutput) {
    const message = `nothing comes from \`${node}/${output}\`, since \`send_logs_as\` is not supported: give dora/logs/info/${node}`;
    findings.problem("unsupported", path, message);
    return;
  }
  if (!sender.content.areOutputsKnown) return;
  const hint = didYouMean(output, known) || listed("it has", known);
  findings.problem("unknown-name", path, `node \`${node}\` has no output \`${output}\`${hint}`);
}

function listed(words: string, names: readonly string[]): string {
  if (names.length === 0) return `: ${words} none`;
  const more = names.length > LISTED_MAX ? ", …" : "";
  return `: ${words} ${names.slice(0, LISTED_MAX).join(", ")}${more}`;
}

function checkOutputs({ node, content, outputPaths }: BuiltNode, findings: Findings): void {
  const { path, areOutputsKnown } = content;
  const outputs = new Set<string>();
  for (const [index, { id }] of node.outputs.entries()) {
    if (outputs.has(id)) {
      const message = `there are two outputs \`${id}\`: leave one out`;
      findings.problem("duplicate", outputPaths[index] ?? path, message);
    }
    outputs.add(id);
  }
  const { sendStdoutAs } = node;
  if (sendStdoutAs === undefined) return;
  const warning = `\`send_stdout_as\` has no effect: an input from \`dora/logs/stdout/${node.id}\` gets the lines, as records`;
  findings.warn("unsupported", stdoutPath(content), warning, "key");
  if (outputs.has(sendStdoutAs) || !areOutputsKnown) return;
  const message = `\`send_stdout_as\` names no output of the node: add \`${sendStdoutAs}\` to its \`outputs\``;
  findings.problem("unknown-name", stdoutPath(content), message);
}

function stdoutPath({ node, path }: BuiltNode["content"]): FilePath {
  if (node.send_stdout_as !== undefined) return [...path, "send_stdout_as"];
  if (node.custom?.send_stdout_as !== undefined) return [...path, "custom", "send_stdout_as"];
  if (node.operator !== undefined) return [...path, "operator", "send_stdout_as"];
  const index = (node.operators ?? []).findIndex((one) => one.send_stdout_as !== undefined);
  return [...path, "operators", index, "send_stdout_as"];
}

function checkKeys({ node, content }: BuiltNode, findings: Findings): void {
  const { node: written, path } = content;
  const isOperators = written.operator !== undefined || written.operators !== undefined;
  for (const key of ["inputs", "outputs"] as const) {
    if (!isOperators || written[key] === undefined) continue;
    const message = `\`${key}\` cannot stand beside operators: give it in the operator`;
    findings.problem("contradiction", [...path, key], message, "key");
  }
  if (written.args !== undefined && node.source.kind !== "executable") {
    const message = "`args` has no effect: only a program that is started has arguments";
    findings.warn("contradiction", [...path, "args"], message, "key");
  }
  if (node.restart.policy === "never") {
    for (const key of RESTART_KEYS) {
      if ((written[key] ?? 0) === 0) continue;
      const message = `\`${key}\` has no effect: give \`restart_policy: on-failure\` or \`always\``;
      findings.warn("contradiction", [...path, key], message, "key");
    }
  } else if ((written.restart_window ?? 0) > 0 && (written.max_restarts ?? 0) === 0) {
    const message = "`restart_window` has no effect without `max_restarts`: give that too";
    findings.warn("contradiction", [...path, "restart_window"], message, "key");
  }
  const { restart_delay: delay = 0, max_restart_delay: delayMax = delay } = written;
  if (delay > delayMax) {
    const message = "`restart_delay` is longer than `max_restart_delay`: exchange them";
    findings.problem("contradiction", [...path, "restart_delay"], message);
  }
}
