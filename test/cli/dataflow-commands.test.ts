import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { runCli } from "../cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "dora-validate-"));
afterAll(() => rmSync(folder, { recursive: true }));

function writeFlow(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

const GOOD = writeFlow(
  "good.yml",
  `nodes:
  - id: camera
    name: Front camera
    path: camera.js
    outputs: [image]
    inputs: { tick: dora/timer/millis/100 }
  - id: detector
    path: $DETECTOR
    inputs: { image: camera/image }
`,
);
const BAD = writeFlow(
  "bad.yml",
  `strict_types: true
nodes:
  - id: camera
    path: camera.js
    output: [image]
    name: "\\e[2J\u202e"
  - id: detector
    path: detector.js
    inputs:
      image: camara/image
`,
);
const BAD_FINDINGS = `${BAD}:1:1: warning: \`strict_types\` has no effect: each output is held to its \`schema\`, or to its first message
    1 | strict_types: true
      | ^^^^^^^^^^^^
${BAD}:5:5: error: unknown key \`output\`, did you mean "outputs"?
    5 |     output: [image]
      |     ^^^^^^
${BAD}:10:14: error: there is no node \`camara\`, did you mean "camera"?
   10 |       image: camara/image
      |              ^^^^^^^^^^^^
`;
const BAD_END = `${BAD} is not valid: 2 problems, 1 warning
hint: correct what is marked above; docs/dataflow-file.md has every key
`;

describe("dora validate", () => {
  test("a valid file is said to be so, with what is in it", async () => {
    expect(await runCli(["validate", GOOD], { env: { DETECTOR: "d.js" } })).toEqual({
      code: 0,
      stdout: `${GOOD} is valid: 2 nodes, 1 link\n`,
      stderr: "",
    });
  });

  test("warnings are shown, and leave it valid", async () => {
    const { code, stdout } = await runCli(["validate", GOOD]);
    expect(code).toBe(0);
    expect(stdout)
      .toBe(`${GOOD}:8:11: warning: \`$DETECTOR\` is not set here, and stands for nothing: set it, or write $$ for a $
    8 |     path: $DETECTOR
      |           ^^^^^^^^^
${GOOD} is valid: 2 nodes, 1 link, 1 warning
`);
  });

  test("every problem is shown with its line, then how many, and what to do; exit 1", async () => {
    const result = await runCli(["validate", BAD]);
    expect(result).toEqual({ code: 1, stdout: BAD_FINDINGS, stderr: BAD_END });
  });

  test("JSON and YAML say the same to programs, valid or not", async () => {
    const json = await runCli(["validate", BAD, "--output", "json"]);
    const yaml = await runCli(["validate", BAD, "--output", "yaml"]);
    expect(json).toMatchObject({ code: 1, stderr: BAD_END });
    const answer: unknown = JSON.parse(json.stdout);
    expect(answer).toEqual({
      file: BAD,
      valid: false,
      nodes: null,
      links: null,
      problems: [
        {
          code: "unknown-key",
          line: 5,
          column: 5,
          length: 6,
          message: 'unknown key `output`, did you mean "outputs"?',
        },
        {
          code: "unknown-name",
          line: 10,
          column: 14,
          length: 12,
          message: 'there is no node `camara`, did you mean "camera"?',
        },
      ],
      warnings: [expect.objectContaining({ code: "unsupported", line: 1 })],
    });
    expect(parse(yaml.stdout)).toEqual(answer);
    const good = await runCli(["validate", GOOD, "--output", "json"]);
    expect(JSON.parse(good.stdout)).toMatchObject({
      valid: true,
      nodes: 2,
      links: 1,
      problems: [],
    });
  });

  test("a table has a row for each", async () => {
    const { stdout } = await runCli(["validate", BAD, "--output", "table"]);
    const rows = stdout.trimEnd().split("\n");
    expect(rows[1]).toMatch(/^\| line \| column \| kind +\| code +\| message +\|$/);
    expect(rows).toHaveLength(7);
  });

  test("a file that cannot be read says why", async () => {
    const missing = join(folder, "missing.yml");
    expect(await runCli(["validate", missing])).toEqual({
      code: 1,
      stdout: "",
      stderr: `there is no file ${missing}\nhint: check the file's name and permissions\n`,
    });
    expect(await runCli(["validate", folder])).toMatchObject({ code: 1, stdout: "" });
  });

  test("a file without an end is read up to the limit", async () => {
    const { code, stdout } = await runCli(["validate", "/dev/zero"]);
    expect(code).toBe(1);
    expect(stdout).toContain("/dev/zero:1:1: error: the file is larger than 1048576 bytes");
  });

  test("no file, and another form, are wrong usage", async () => {
    expect(await runCli(["validate"])).toMatchObject({ code: 2, stdout: "" });
    expect(await runCli(["validate", GOOD, "--output", "xml"])).toMatchObject({ code: 2 });
  });
});

describe("dora graph", () => {
  const DRAWING = `flowchart LR
  n0["Front camera (camera)"]
  n1["detector"]
  v0(("every 100 ms"))
  n0 -- "image → image" --> n1
  v0 -. "tick" .-> n0
`;

  test.each([[[]], [["--format", "mermaid"]], [["--mermaid"]]])(
    "%j draws a file",
    async (flags) => {
      const result = await runCli(["graph", GOOD, ...flags]);
      expect(result).toEqual({ code: 0, stdout: DRAWING, stderr: "" });
    },
  );

  test("of a file with problems nothing is drawn, and they are on standard error", async () => {
    const { code, stdout, stderr } = await runCli(["graph", BAD]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(`${BAD}:5:5: error: unknown key`);
    expect(stderr.endsWith(`${BAD} is not valid: 2 problems\n${BAD_END.split("\n")[1]}\n`)).toBe(
      true,
    );
  });
});
