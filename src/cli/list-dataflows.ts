import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { documentText } from "./document-text.ts";
import { stateWord } from "./node-words.ts";
import { Output } from "./output.ts";
import { stateStyleOf } from "./render-status.ts";
import type { TableRow } from "./render-table.ts";
import { renderTable } from "./render-table.ts";

export interface ListFlags extends CoordinatorFlags {
  readonly running?: boolean;
  readonly quiet?: boolean;
  readonly output: "table" | "json" | "yaml";
}

/** `dora list`: what runs, then what has ended, the newest first. */
export async function listDataflows(flags: ListFlags): Promise<void> {
  const client = await coordinatorClient(flags);
  const all = await client.list();
  const flows = flags.running === true ? all.filter(({ state }) => !isEnded(state)) : all;
  const output = new Output(process.stdout);
  if (flags.quiet === true) {
    await output.writeLines(flows.map(({ id }) => [id]));
  } else if (flags.output === "table") {
    const table = renderTable(flows.map(flowRow), stateStyleOf(flows));
    await output.writeLines(flows.length === 0 ? [["no dataflow was started yet"]] : table);
  } else {
    const text = documentText(flags.output, { dataflows: flows.map(flowFacts) });
    await output.writeDocument(Buffer.from(text));
  }
  if (output.failure !== undefined) throw output.failure;
}

function flowRow(flow: DataflowAnswer): TableRow {
  const { cpuCores, memoryBytes } = useOf(flow);
  return {
    Id: flow.id,
    Name: flow.name,
    Status: stateWord(flow.state),
    Nodes: flow.nodes.length,
    CPU: `${(cpuCores * 100).toFixed(1)}%`,
    Memory: `${Math.round(memoryBytes / 1e6)} MB`,
    Started: shortTime(flow.startedAtUnixMs),
    Ended: flow.endedAtUnixMs === null ? null : shortTime(flow.endedAtUnixMs),
  };
}

function flowFacts(flow: DataflowAnswer): object {
  const { cpuCores, memoryBytes } = useOf(flow);
  return {
    id: flow.id,
    name: flow.name,
    status: stateWord(flow.state),
    nodes: flow.nodes.length,
    cpuCores,
    memoryBytes,
    file: flow.file,
    machine: flow.machine,
    isDaemonConnected: flow.isDaemonConnected,
    startedAt: new Date(flow.startedAtUnixMs).toISOString(),
    endedAt: flow.endedAtUnixMs === null ? null : new Date(flow.endedAtUnixMs).toISOString(),
    ...(flow.failure === undefined
      ? {}
      : { failure: { node: flow.failure.node, message: flow.failure.end.message } }),
  };
}

/** Of all its nodes together. */
function useOf({ nodes }: DataflowAnswer) {
  return {
    cpuCores: nodes.reduce((sum, node) => sum + (node.cpuCores ?? 0), 0),
    memoryBytes: nodes.reduce((sum, node) => sum + (node.memoryBytes ?? 0), 0),
  };
}

/** `2026-11-23 08:20:47Z` */
function shortTime(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
