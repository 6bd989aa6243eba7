/** `dora status`, as users were shown it, from what a coordinator answers. */
import type { Json } from "../core/any-value.ts";
import type { DaemonStatus, DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import type { DataflowState, FailureSummary, NodeStatus } from "../runtime/protocol/status.ts";
import { latencyText, rateText, stateStyle, stateWord } from "./node-words.ts";
import type { Piece } from "./output.ts";
import type { TableRow } from "./render-table.ts";
import { renderTable } from "./render-table.ts";
import type { Icons, Style } from "./terminal-look.ts";

/** What is known of the runtime. */
export interface RuntimeStatus {
  readonly coordinator: { readonly url: string; readonly version: string; readonly pid: number };
  readonly daemons: readonly DaemonStatus[];
  readonly flows: readonly DataflowAnswer[];
}

type Lines = readonly (readonly Piece[])[];

/**
 *     ✔ Coordinator: running at http://127.0.0.1:6015 (version 0.1.0, pid 4711)
 *     ✔ Daemon: running on robot (version 0.1.0, pid 4712)
 *     ✔ Dataflow: vision (Running on robot, id 01a2...)
 *
 *     +--------+---------+------------+---------+--------+
 *     | Node   | Status  | Input Rate | Latency | Errors |
 *     +--------+---------+------------+---------+--------+
 *     | Node A | Running | 10k msgs/s | 3ms     | 0      |
 *     +--------+---------+------------+---------+--------+
 */
export function renderStatus({ coordinator, daemons, flows }: RuntimeStatus, icons: Icons): Lines {
  const { url, version, pid } = coordinator;
  const live: Piece = { text: icons.live, style: "success" };
  const noDaemon: readonly Piece[] = [
    { text: icons.failed, style: "error" },
    " Daemon: none is connected, so nothing can be started; `dora up` starts one",
  ];
  return [
    [live, ` Coordinator: running at ${url} (version ${version}, pid ${pid})`],
    ...daemons.map((daemon): readonly Piece[] => [
      live,
      ` Daemon: running on ${daemon.machine} (version ${daemon.version}, pid ${daemon.pid})`,
    ]),
    ...(daemons.length === 0 ? [noDaemon] : []),
    ...(flows.length === 0 ? [["No dataflow runs: `dora start FILE` starts one."]] : []),
    ...flows.flatMap((flow, index) => [...(index === 0 ? [] : [[]]), ...flowLines(flow, icons)]),
  ];
}

function flowLines(flow: DataflowAnswer, icons: Icons): Lines {
  const { name, state, machine, id, isDaemonConnected, failure } = flow;
  const style = stateStyle(state);
  const away = isDaemonConnected ? "" : "; its daemon is away: this is what was last heard";
  const place = ` on ${machine}, id ${id}${away})`;
  return [
    [
      { text: stateIcon(state, icons), style },
      ` Dataflow: ${name} (`,
      { text: stateWord(state), style },
      place,
    ],
    ...(failure === undefined ? [] : [failureLine(flow.nodes, failure)]),
    [],
    ...renderTable(flow.nodes.map(nodeRow), stateStyleOf(flow.nodes)),
  ];
}

/** The five columns that users were promised. */
function nodeRow({ name, state, rates }: NodeStatus): TableRow {
  return {
    Node: name,
    Status: stateWord(state),
    "Input Rate": rateText(rates.inputPerSecond),
    Latency: latencyText(rates.latencyP50Ns),
    Errors: String(rates.errors),
  };
}

function failureLine(
  nodes: readonly NodeStatus[],
  { node, end }: FailureSummary,
): readonly Piece[] {
  const name = nodes.find(({ id }) => id === node)?.name ?? node;
  return [{ text: `    ${name} failed first: ${end.message}`, style: "error" }];
}

function stateIcon(state: DataflowState, icons: Icons): string {
  if (state === "failed") return icons.failed;
  return state === "running" || state === "completed" ? icons.live : icons.busy;
}

/** Colours the columns of a table that tell how something is. */
export function stateStyleOf(
  of: readonly { readonly state: DataflowState }[],
): (column: string, value: Json | undefined) => Style {
  const styles = new Map(of.map(({ state }) => [stateWord(state), stateStyle(state)]));
  return (column, value) => {
    if (typeof value !== "string") return "plain";
    if (column === "Status") return styles.get(value) ?? "plain";
    return column === "Errors" && value !== "0" ? "error" : "plain";
  };
}

/** The same for programs: `latency` and `inputRate` as people read them, numbers with their units. */
export function statusDocument({ coordinator, daemons, flows }: RuntimeStatus): object {
  return {
    dataflows: flows.length,
    nodes: flows.flatMap((flow) => flow.nodes.map((node) => nodeDocument(flow, node))),
    coordinator: { status: "Running", ...coordinator },
    daemons: daemons.map((daemon) => ({ status: "Running", ...daemon })),
  };
}

function nodeDocument(flow: DataflowAnswer, node: NodeStatus): object {
  const { errors, ...rates } = node.rates;
  return {
    name: node.name,
    status: stateWord(node.state),
    latency: latencyText(rates.latencyP50Ns),
    inputRate: rateText(rates.inputPerSecond),
    errors,
    id: node.id,
    dataflow: flow.name,
    dataflowId: flow.id,
    isDaemonConnected: flow.isDaemonConnected,
    ...rates,
  };
}
