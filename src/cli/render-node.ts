import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import type { NodeStatus } from "../runtime/protocol/status.ts";
import { latencyText, rateText, stateWord } from "./node-words.ts";
import type { TableRow } from "./render-table.ts";

/** A row of `dora node list`. */
export function nodeRow(flow: DataflowAnswer, node: NodeStatus): TableRow {
  const { id, name, state, pid, restarts, rates } = node;
  return {
    Dataflow: flow.name,
    Node: name,
    Id: id,
    Status: stateWord(state),
    Pid: pid,
    Restarts: restarts,
    CPU: cpuText(node),
    Memory: memoryText(node),
    "Input Rate": rateText(rates.inputPerSecond),
    "Output Rate": rateText(rates.outputPerSecond),
  };
}

/** What `dora node info` says, line by line. */
export function nodeFacts(
  flow: DataflowAnswer,
  node: NodeStatus,
): readonly (readonly [string, string])[] {
  const { rates, end } = node;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["Node", node.name],
    ["Id", node.id],
    ["Dataflow", `${flow.name} (${flow.id})`],
    ["Machine", flow.machine],
    ["Status", stateWord(node.state)],
    ["Ended", end?.message],
    ["Pid", node.pid === null ? undefined : String(node.pid)],
    ["Restarts", String(node.restarts)],
    ["CPU", cpuText(node)],
    ["Memory", memoryText(node)],
    ["Connections", String(node.connections)],
    ["Input", rateText(rates.inputPerSecond)],
    ["Output", rateText(rates.outputPerSecond)],
    ["Latency", `${timeText(rates.latencyP50Ns)} (p99 ${timeText(rates.latencyP99Ns)})`],
    ["Handling", timeText(rates.handlingP50Ns)],
    ["Queued", String(rates.queued)],
    ["Dropped", String(rates.dropped)],
    ["Errors", String(rates.errors)],
  ];
  return facts.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const]));
}

/** Of one core. */
function cpuText({ cpuCores }: NodeStatus): string {
  return cpuCores === null ? "-" : `${(cpuCores * 100).toFixed(1)}%`;
}

function memoryText({ memoryBytes }: NodeStatus): string {
  return memoryBytes === null ? "-" : `${Math.round(memoryBytes / 1e6)} MB`;
}

function timeText(nanoseconds: number | null): string {
  return latencyText(nanoseconds) ?? "-";
}
