/** Where `dora-dataflow/NAME` comes from, in nodes that a daemon starts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDaemon } from "./daemon-harness.ts";

/** Runs one program as a node to its end; gives what it wrote. */
async function runNode(
  name: string,
  program: string,
  installed: Readonly<Record<string, string>> = {},
): Promise<string> {
  const it = await openDaemon();
  for (const [file, text] of Object.entries(installed)) {
    const folder = join(it.folder, "node_modules/dora-dataflow");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  it.file(name, program);
  await it.start(`nodes: [{ id: it, path: ${name} }]`);
  await it.until(() => it.telemetry.ended.length > 0);
  return it.telemetry.output("it");
}

test("a node finds the library without an install, in every kind of module", async () => {
  const body = `Node.connect().then((node) => { console.log(node.id); return node.close(); });`;
  const imported = `import { Node } from "dora-dataflow/node";\n${body}`;
  expect(await runNode("node.mjs", imported)).toBe("it\n");
  expect(await runNode("node.ts", `const kind: string = "ts";\n${imported}`)).toBe("it\n");
  const required = `const { Node } = require("dora-dataflow/node");\n${body}`;
  expect(await runNode("node.cjs", required)).toBe("it\n");
});

test("the project's own copy wins", async () => {
  const installed = {
    "package.json": `{"name": "dora-dataflow", "exports": {"./node": "./own.mjs"}}`,
    "own.mjs": `export const Node = "own";`,
  };
  const program = `import { Node } from "dora-dataflow/node"; console.log(Node);`;
  expect(await runNode("node.mjs", program, installed)).toBe("own\n");
});

test.each(["dora-dataflow", "dora-dataflow/cli", "dora-dataflow-extra", "left-pad"])(
  "%s is as missing as ever",
  async (specifier) => {
    const program = `await import("${specifier}").catch(({ code }) => console.log(code));`;
    expect(await runNode("node.mjs", program)).toBe("ERR_MODULE_NOT_FOUND\n");
  },
);
