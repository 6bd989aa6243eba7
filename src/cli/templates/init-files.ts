import { stringify } from "yaml";
import type { TemplateFile } from "./template.ts";

/** Levels that `dora init` offers, as they are shown. */
export const LEVELS = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"] as const;
export type Level = (typeof LEVELS)[number];

/** What was answered. */
export interface InitPlan {
  readonly name: string;
  /** At least one, each another. */
  readonly nodes: readonly string[];
  readonly level: Level;
}

export const DATAFLOW_FILE = "dataflow.yaml";

/**
 * The files of a dataflow that starts as it is: a chain of nodes, of which the first sends a number each
 * second, those after it double it, and the last says what it got.
 */
export function initFiles(plan: InitPlan): readonly TemplateFile[] {
  const last = plan.nodes.length - 1;
  return [
    { path: DATAFLOW_FILE, text: dataflowText(plan) },
    ...plan.nodes.map((id, index) => ({
      path: `${id}.mjs`,
      text: index === 0 ? firstNode(id, last === 0) : nextNode(id, index === last),
    })),
  ];
}

function dataflowText({ name, nodes, level }: InitPlan): string {
  const parts = nodes.map((id, index) => {
    const before = nodes[index - 1];
    const input = before === undefined ? "tick: dora/timer/secs/1" : `count: ${before}/count`;
    return [
      `  - id: ${scalar(id)}`,
      `    path: ${scalar(`${id}.mjs`)}`,
      `    inputs:`,
      `      ${input}`,
      ...(index === nodes.length - 1 ? [] : [`    outputs: [count]`]),
      `    min_log_level: ${level.toLowerCase()}`,
      ``,
    ].join("\n");
  });
  return `# Start it with \`dora start ${DATAFLOW_FILE}\`, check it with \`dora validate ${DATAFLOW_FILE}\`.
name: ${scalar(name)}

nodes:
${parts.join("\n")}`;
}

/** With quotes where it would be something else than a text without. */
function scalar(text: string): string {
  return stringify(text).trimEnd();
}

function firstNode(id: string, isAlone: boolean): string {
  const send = `  await node.sendOutput("count", Buffer.from(String(count)));\n`;
  return `/** ${id}: counts the ticks of its timer${isAlone ? "" : ", and sends each number"}. */
import { Node } from "dora-dataflow/node";

const node = await Node.connect();
let count = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  count += 1;
  node.log.info(\`count is \${count}\`);
${isAlone ? "" : send}}
await node.close();
`;
}

function nextNode(id: string, isLast: boolean): string {
  const what = isLast
    ? "prints what it makes of each number"
    : "doubles each number, and sends it on";
  const send = `  await node.sendOutput("count", Buffer.from(String(result)));\n`;
  return `/** ${id}: ${what}. */
import { Node } from "dora-dataflow/node";

/**
 * What this node makes of a number.
 * @param {number} count
 * @returns {number}
 */
function transform(count) {
  return count * 2;
}

const node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const count = Number(new TextDecoder().decode(event.bytes()));
  const result = transform(count);
  node.log.info(\`\${count} became \${result}\`);
${isLast ? "" : send}}
await node.close();
`;
}
