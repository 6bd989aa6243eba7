import { stringify } from "yaml";
import { DATAFLOW_FILE } from "./init-files.ts";
import type { NodeTemplate, Role } from "./languages.ts";
import { projectFiles, scriptNode } from "./languages.ts";
import { rustNode } from "./rust-node.ts";
import type { TemplateFile } from "./template.ts";

export type Language = "javascript" | "typescript" | "python" | "rust";

export interface NewPlan {
  /** Of the folder, and of the dataflow or the node. */
  readonly name: string;
  readonly kind: "dataflow" | "node";
  readonly language: Language;
  /** Of this package. */
  readonly version: string;
}

/** What `dora new` makes: files within the folder, and lines for a dataflow file that has the node in it. */
export interface NewProject {
  readonly files: readonly TemplateFile[];
  readonly dataflow: string;
}

const INPUTS: Readonly<Record<Role, string>> = {
  sender: "{ tick: dora/timer/secs/1 }",
  shouter: "{ text: sender/text }",
  receiver: "{ shout: shouter/shout }",
};
const OUTPUTS: Readonly<Record<Role, string | undefined>> = {
  sender: "[text]",
  shouter: "[shout]",
  receiver: undefined,
};

/**
 * A dataflow of three nodes, which send a text, put it into capitals and log it; or the one in the middle. Of Rust
 * the one in the middle is a crate, and the others are JavaScript.
 */
export function newFiles(plan: NewPlan): NewProject {
  return plan.kind === "dataflow" ? newDataflow(plan) : newNode(plan);
}

function newDataflow({ name, language, version }: NewPlan): NewProject {
  const roles: readonly Role[] = ["sender", "shouter", "receiver"];
  const nodes = roles.map((role) => ({ role, template: nodeOf(role, language) }));
  const dataflow = `# Start it with \`dora start ${DATAFLOW_FILE}\`, check it with \`dora validate ${DATAFLOW_FILE}\`.
name: ${stringify(name).trimEnd()}

nodes:
${nodes.map(({ role, template }) => nodeLines(role, role, template)).join("\n")}`;
  const files = [
    { path: DATAFLOW_FILE, text: dataflow },
    ...nodes.flatMap(({ template }) => template.files),
    ...projectFiles(language, { name, version }),
  ];
  return { files, dataflow };
}

function newNode({ name, language, version }: NewPlan): NewProject {
  if (language === "rust") {
    // The crate is the folder itself.
    const { files } = rustNode(name);
    const template = {
      files: files.map(({ path, text }) => ({ path: path.slice(name.length + 1), text })),
      build: `cargo build --release --manifest-path ${name}/Cargo.toml`,
      path: `${name}/target/release/${name}`,
    };
    return { files: template.files, dataflow: nodeLines(name, "shouter", template) };
  }
  const { files, path } = scriptNode(language, "shouter");
  const own = path.replace("shouter", name);
  return {
    files: [
      ...files.map(({ text }) => ({ path: own, text })),
      ...projectFiles(language, { name, version }),
    ],
    dataflow: nodeLines(name, "shouter", { files, path: `${name}/${own}` }),
  };
}

function nodeOf(role: Role, language: Language): NodeTemplate {
  if (language !== "rust") return scriptNode(language, role);
  return role === "shouter" ? rustNode(role) : scriptNode("javascript", role);
}

function nodeLines(id: string, role: Role, { path, build }: NodeTemplate): string {
  const outputs = OUTPUTS[role];
  return [
    `  - id: ${stringify(id).trimEnd()}`,
    ...(build === undefined ? [] : [`    build: ${build}`]),
    `    path: ${stringify(path).trimEnd()}`,
    `    inputs: ${INPUTS[role]}`,
    ...(outputs === undefined ? [] : [`    outputs: ${outputs}`]),
    "",
  ].join("\n");
}
