import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, test } from "vitest";
import { LEVEL_QUESTION, NAME_QUESTION, nodeQuestion } from "../../src/cli/init-questions.ts";
import { Prompter } from "../../src/cli/prompter.ts";
import { initFiles } from "../../src/cli/templates/init-files.ts";
import { parseValid } from "../runtime/dataflow/parse.ts";
import { runCli } from "../cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "dora-init-"));
afterAll(() => rmSync(folder, { recursive: true }));

const PICTURE = `Welcome to Dora! Lets set up your dataflow.

✔ Name your dataflow: dataflow-name
✔ Select a runtime environment: local
✔ Add a node (leave empty to finish): node-a
✔ Add another node (leave empty to finish): node-b
✔ Configure logging level [INFO]:
✔ Save configuration as \`dataflow.yaml\`? [y/N]: y

Configuration saved! Use \`dora start dataflow.yaml\` to begin.
`;

describe("dora init by flags", () => {
  test("says what the picture says, and leaves a file that is valid, with its nodes", async () => {
    const words = ["init", "dataflow-name", "--node", "node-a", "--node", "node-b", "--yes"];
    const cwd = mkdtempSync(join(folder, "picture-"));
    expect(await runCli(words, { cwd })).toEqual({ code: 0, stdout: PICTURE, stderr: "" });
    expect(readdirSync(cwd).sort()).toEqual(["dataflow.yaml", "node-a.mjs", "node-b.mjs"]);
    const { stdout } = await runCli(["validate", "dataflow.yaml"], { cwd });
    expect(stdout).toBe("dataflow.yaml is valid: 2 nodes, 1 link\n");
  });

  test("writes into another folder, and says how to start from here", async () => {
    const cwd = mkdtempSync(join(folder, "other-"));
    const words = ["init", "shop", "--level", "debug", "--yes", "--directory", "my flows/shop"];
    const { code, stdout } = await runCli(words, { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain("✔ Configure logging level [INFO]: debug\n");
    expect(stdout).toContain("Use `dora start 'my flows/shop/dataflow.yaml'` to begin.");
    const text = readFileSync(join(cwd, "my flows/shop/dataflow.yaml"), "utf8");
    expect(parseValid(text)).toMatchObject({ name: "shop", nodes: [{ id: "node-a" }, {}] });
    expect(text).toContain("min_log_level: debug");
  });

  test("overwrites nothing unless it is told to, and writes nothing else either", async () => {
    const cwd = mkdtempSync(join(folder, "existing-"));
    writeFileSync(join(cwd, "node-b.mjs"), "mine");
    expect(await runCli(["init", "shop", "--yes"], { cwd })).toMatchObject({
      code: 1,
      stderr: `node-b.mjs is there already
hint: give another folder or name, or --force to overwrite what is there
`,
    });
    expect(readdirSync(cwd)).toEqual(["node-b.mjs"]);
    expect(readFileSync(join(cwd, "node-b.mjs"), "utf8")).toBe("mine");
    expect(await runCli(["init", "shop", "--yes", "--force"], { cwd })).toMatchObject({ code: 0 });
    expect(readFileSync(join(cwd, "node-b.mjs"), "utf8")).toContain("Node.connect()");
  });

  test("without a terminal and without --yes it says how to go on", async () => {
    expect(await runCli(["init", "shop"])).toEqual({
      code: 2,
      stdout: "",
      stderr: `there is no terminal to ask on
hint: say all of it: \`dora init NAME --node node-a --node node-b --level INFO --yes\`
`,
    });
  });

  test.each([
    [["my flow"], "the name"],
    [["shop", "--node", "../a"], "--node"],
    [["shop", "--node", "dora"], "--node"],
    [["shop", "--node", "a", "--node", "A"], "--node"],
    [["shop", "--node", ""], "--node"],
    [["shop", "--level", "loud"], "--level"],
  ])("%j is refused, and nothing is written", async (words, what) => {
    const cwd = mkdtempSync(join(folder, "refused-"));
    const { code, stderr } = await runCli(["init", ...words, "--yes"], { cwd });
    expect(code).toBe(2);
    expect(stderr).toContain(what);
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe("the file", () => {
  test.each(["null", "true", "1", "1e3", "_", "x".repeat(100)])(
    "a dataflow and a node called %s are read back",
    (name) => {
      const [file] = initFiles({ name, nodes: ["first", name], level: "TRACE" });
      expect(parseValid(file?.text ?? "")).toMatchObject({
        name,
        nodes: [
          { id: "first", outputs: [{ id: "count" }] },
          { id: name, inputs: [{ id: "count", source: { node: "first", output: "count" } }] },
        ],
      });
    },
  );
});

/** What a terminal shows after these keys, without colours; cursor movements stay. */
async function askOnTerminal(keys: readonly string[], ask: (prompter: Prompter) => Promise<void>) {
  const input = new PassThrough();
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 60 });
  let shown = "";
  output.on("data", (chunk: Buffer) => (shown += chunk.toString()));
  const prompter = new Prompter(input, output, { LANG: "C.UTF-8" });
  for (const key of keys) input.write(key);
  await ask(prompter);
  prompter.close();
  return shown;
}

describe("questions on a terminal", () => {
  test("an answer that will not do is asked for again, with what is wrong", async () => {
    let answer: string | undefined;
    const shown = await askOnTerminal(["my flow\r", "shop\r"], async (prompter) => {
      answer = await prompter.ask(NAME_QUESTION);
    });
    expect(answer).toBe("shop");
    expect(shown).toContain("A name has 1 to 100 letters");
    expect(shown).toContain("\u001b[32m✔\u001b[39m Name your dataflow: shop\n");
  });

  test("an empty answer that ends the nodes leaves no line, one that is a default does", async () => {
    const answers: unknown[] = [];
    const shown = await askOnTerminal(["\r", "\r"], async (prompter) => {
      answers.push(await prompter.ask(nodeQuestion(["node-a"])));
      answers.push(await prompter.ask(LEVEL_QUESTION));
    });
    expect(answers).toEqual(["", ""]);
    expect(shown).not.toContain("\u001b[39m Add another node");
    expect(shown).toContain("\u001b[39m Configure logging level [INFO]:\n");
  });

  test.each([
    ["Ctrl-C", "\u0003"],
    ["Ctrl-D", "\u0004"],
  ])("%s ends it without an answer", async (_, key) => {
    let answer: string | undefined = "none yet";
    await askOnTerminal([key], async (prompter) => {
      answer = await prompter.ask(NAME_QUESTION);
      expect(await prompter.ask(NAME_QUESTION)).toBeUndefined();
    });
    expect(answer).toBeUndefined();
  });
});
