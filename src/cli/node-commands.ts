/** `dora node list|info|set|connect|disconnect|restart|stop`. */
import { AppError } from "../core/errors.ts";
import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import type { ParameterValue } from "../runtime/protocol/node-messages.ts";
import type { LinkStatus, NodeStatus } from "../runtime/protocol/status.ts";
import { chooseDataflow, runningDataflows } from "./choose-dataflow.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { documentText } from "./document-text.ts";
import type { Piece } from "./output.ts";
import { Output } from "./output.ts";
import { nodeFacts, nodeRow } from "./render-node.ts";
import { renderTable } from "./render-table.ts";

export interface NodeFlags extends CoordinatorFlags {
  readonly dataflow?: string;
  readonly output: "table" | "json" | "yaml";
}

export interface SetFlags extends NodeFlags {
  readonly delete?: readonly string[];
}

/** Of one dataflow, or of all that run. */
export async function listNodes(flags: NodeFlags): Promise<void> {
  const client = await coordinatorClient(flags);
  const flows =
    flags.dataflow === undefined
      ? await runningDataflows(client)
      : [await client.find(flags.dataflow)];
  const nodes = flows.flatMap((flow) => flow.nodes.map((node) => ({ flow, node })));
  await print(flags, {
    document: { nodes: nodes.map(({ flow, node }) => ({ dataflow: flow.name, ...node })) },
    table: () =>
      nodes.length === 0
        ? [["no node runs"]]
        : renderTable(nodes.map(({ flow, node }) => nodeRow(flow, node))),
  });
}

export async function showNode(name: string, flags: NodeFlags): Promise<void> {
  const { flow, node } = await findNode(name, flags);
  await printNode(flow, node, flags);
}

export async function setParameters(
  name: string,
  settings: readonly string[],
  flags: SetFlags,
): Promise<void> {
  const set = Object.fromEntries(settings.map(readSetting));
  const deleted = flags.delete ?? [];
  if (settings.length + deleted.length === 0) {
    throw new AppError("USAGE", "nothing is to be set: give KEY=VALUE, or --delete KEY");
  }
  const { client, flow, node } = await findNode(name, flags);
  const after = await client.setParameters(flow.id, node.id, { set, deleted });
  await print(flags, {
    document: { dataflow: flow.name, node: after.id, set, deleted },
    table: (output) => [
      ...Object.entries(set).map(([key, value]) => [
        `${output.look.icons.live} ${key} of ${after.name} is ${JSON.stringify(value)}`,
      ]),
      ...deleted.map((key) => [`${output.look.icons.live} ${key} of ${after.name} is gone`]),
    ],
  });
}

export async function changeLink(
  action: "connect" | "disconnect",
  sourceText: string,
  targetText: string,
  flags: NodeFlags,
): Promise<void> {
  const [sourceNode, output] = readEnd(sourceText, "OUTPUT");
  const [targetNode, input] = readEnd(targetText, "INPUT");
  const client = await coordinatorClient(flags);
  const flow = await chooseDataflow(client, flags.dataflow);
  const links = await client.changeLink(action, flow.id, {
    source: { node: sourceNode, output },
    target: { node: targetNode, input },
  });
  await print(flags, {
    document: { dataflow: flow.name, links },
    table: ({ look: { icons } }) => [
      [`${icons.live} ${action}ed ${sourceText} ${icons.arrow} ${targetText}`],
    ],
  });
}

export async function changeNode(
  action: "restart" | "stop",
  name: string,
  flags: NodeFlags,
): Promise<void> {
  const { client, flow, node } = await findNode(name, flags);
  const after = await client.changeNode(action, flow.id, node.id);
  await print(flags, {
    document: { dataflow: flow.name, ...after },
    table: ({ look }) => [
      [`${look.icons.live} ${after.name} of ${flow.name}: ${action} asked for`],
    ],
  });
}

async function findNode(name: string, flags: NodeFlags) {
  const client = await coordinatorClient(flags);
  const flow = await chooseDataflow(client, flags.dataflow);
  return { client, flow, node: await client.node(flow.id, name) };
}

async function printNode(flow: DataflowAnswer, node: NodeStatus, flags: NodeFlags): Promise<void> {
  const links = flow.links.filter(
    ({ source, target }) => source.node === node.id || target.node === node.id,
  );
  await print(flags, {
    document: { dataflow: flow.name, ...node, links },
    table: ({ look }) => [
      ...nodeFacts(flow, node).map(([key, value]) => [`${key}:`.padEnd(12), value]),
      ...(links.length === 0 ? [] : [[], ["Links:"]]),
      ...links.map((link) => [`    ${linkText(link, look.icons.arrow)}`]),
    ],
  });
}

function linkText(link: LinkStatus, arrow: string): string {
  const { source, target, transport, messagesPerSecond } = link;
  const rate = `${Math.round(messagesPerSecond * 10) / 10} msgs/s`;
  return `${source.node}/${source.output} ${arrow} ${target.node}/${target.input}  ${transport}, ${rate}`;
}

async function print(
  { output: format }: NodeFlags,
  shown: {
    readonly document: object;
    readonly table: (output: Output) => readonly (readonly Piece[])[];
  },
): Promise<void> {
  const output = new Output(process.stdout);
  if (format === "table") await output.writeLines(shown.table(output));
  else await output.writeDocument(Buffer.from(documentText(format, shown.document)));
  if (output.failure !== undefined) throw output.failure;
}

/** `KEY=VALUE`: a scalar of JSON, or a list of such; all else is text as it stands. Errors: `USAGE`. */
export function readSetting(text: string): readonly [string, ParameterValue] {
  const at = text.indexOf("=");
  if (at < 1) throw new AppError("USAGE", `a parameter is set by KEY=VALUE, got "${text}"`);
  return [text.slice(0, at), readValue(text.slice(at + 1))];
}

function readValue(text: string): ParameterValue {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  if (isScalar(value)) return value;
  if (Array.isArray(value) && value.every(isScalar)) return value;
  throw new AppError(
    "USAGE",
    `a parameter is a text, a number, true, false or a list of these, got ${text}`,
    {
      hint: `to set it as text write it in quotes of JSON: '${JSON.stringify(text)}'`,
    },
  );
}

function isScalar(value: unknown): value is boolean | number | string {
  return ["boolean", "number", "string"].includes(typeof value);
}

/** `camera/image`; what stands behind the first stroke is the port. Errors: `USAGE`. */
function readEnd(text: string, what: "OUTPUT" | "INPUT"): readonly [string, string] {
  const at = text.indexOf("/");
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new AppError("USAGE", `"${text}" must be NODE/${what}, such as camera/image`);
}
