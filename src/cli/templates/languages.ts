import type { TemplateFile } from "./template.ts";

/** A node of the templates, in the order of the messages. */
export type Role = "sender" | "shouter" | "receiver";

/** One node as a language has it. */
export interface NodeTemplate {
  readonly files: readonly TemplateFile[];
  /** What the dataflow file says of it. */
  readonly path: string;
  readonly build?: string;
}

/** The nodes of a language with a library, each one file. */
export function scriptNode(
  language: "javascript" | "typescript" | "python",
  role: Role,
): NodeTemplate {
  const { extension, texts } = SCRIPTS[language];
  const path = `${role}.${extension}`;
  return { files: [{ path, text: texts[role] }], path };
}

/** What a project of a language needs beside its nodes. */
export function projectFiles(
  language: "javascript" | "typescript" | "python" | "rust",
  { name, version }: { readonly name: string; readonly version: string },
): readonly TemplateFile[] {
  if (language !== "typescript") return [];
  return [
    { path: "package.json", text: packageText(name, version) },
    { path: "tsconfig.json", text: TSCONFIG },
  ];
}

const JAVASCRIPT: Readonly<Record<Role, string>> = {
  sender: `/** Sends a text each second. */
import { Node } from "dora-dataflow/node";

const TEXTS = ["ready", "steady", "go"];

const node = await Node.connect();
let count = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  const text = TEXTS[count % TEXTS.length];
  await node.sendOutput("text", Buffer.from(text), { count });
  count += 1;
}
await node.close();
`,
  shouter: `/** Takes texts, and sends them on in capitals. */
import { Node } from "dora-dataflow/node";

/**
 * @param {string} text
 * @returns {string}
 */
function shout(text) {
  return text.toUpperCase();
}

const node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const text = new TextDecoder().decode(event.bytes());
  await node.sendOutput("shout", Buffer.from(shout(text)), event.metadata);
}
await node.close();
`,
  receiver: `/** Writes what it gets into the dataflow's log. */
import { Node } from "dora-dataflow/node";

const node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  node.log.info(new TextDecoder().decode(event.bytes()), { count: event.metadata.count });
}
await node.close();
`,
};

const TYPESCRIPT: Readonly<Record<Role, string>> = {
  sender: JAVASCRIPT.sender.replace(
    "TEXTS[count % TEXTS.length]",
    `TEXTS[count % TEXTS.length] ?? ""`,
  ),
  shouter: JAVASCRIPT.shouter.replace(
    /\/\*\*\n \* @param[^]*?function shout\(text\)/,
    "function shout(text: string): string",
  ),
  receiver: JAVASCRIPT.receiver.replace("event.metadata.count", `event.metadata["count"]`),
};

const PYTHON_TEXT_OF = `def text_of(value) -> str:
    """Of bytes: a pyarrow array, or a memoryview where pyarrow is not installed."""
    return bytes(value.to_pylist() if hasattr(value, "to_pylist") else value).decode()
`;

const PYTHON: Readonly<Record<Role, string>> = {
  sender: `"""Sends a text each second."""

from dora import Node

TEXTS = ["ready", "steady", "go"]

node = Node()
count = 0
for event in node:
    if event["type"] == "INPUT":
        node.send_output("text", TEXTS[count % len(TEXTS)].encode(), {"count": count})
        count += 1
`,
  shouter: `"""Takes texts, and sends them on in capitals."""

from dora import Node


${PYTHON_TEXT_OF}

node = Node()
for event in node:
    if event["type"] == "INPUT":
        text = text_of(event["value"])
        node.send_output("shout", text.upper().encode(), event["metadata"])
`,
  receiver: `"""Writes what it gets into the dataflow's log."""

from dora import Node


${PYTHON_TEXT_OF}

node = Node()
for event in node:
    if event["type"] == "INPUT":
        node.log_info(text_of(event["value"]))
`,
};

const SCRIPTS = {
  javascript: { extension: "mjs", texts: JAVASCRIPT },
  typescript: { extension: "ts", texts: TYPESCRIPT },
  python: { extension: "py", texts: PYTHON },
} as const;

function packageText(name: string, version: string): string {
  const content = {
    name: name.toLowerCase(),
    private: true,
    type: "module",
    scripts: { check: "tsc --noEmit" },
    devDependencies: {
      "@types/node": "^24.0.0",
      "dora-dataflow": `^${version}`,
      typescript: "^6.0.0",
    },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Node.js runs TypeScript by leaving the types out: what it cannot is an error. */
const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2024",
    "module": "nodenext",
    "types": ["node"],
    "strict": true,
    "noUncheckedIndexedAccess": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,
    "noEmit": true
  }
}
`;
