import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { applyProfile, chosenProfile, parseProfiles } from "../../src/cli/profile.ts";
import { runCli } from "../cli-process.ts";

const folder = mkdtempSync(join(tmpdir(), "dora-profile-"));
afterAll(() => rmSync(folder, { recursive: true }));

const DOCS = readFileSync(new URL("../../docs/profiles.md", import.meta.url), "utf8");
const [, EXAMPLE = ""] = /```yaml\n([^`]+)```/.exec(DOCS) ?? [];

function folderWith(text: string): string {
  const cwd = mkdtempSync(join(folder, "it-"));
  writeFileSync(join(cwd, "dora-profiles.yaml"), text);
  return cwd;
}

function problemsOf(text: string): readonly string[] {
  const result = parseProfiles(text);
  if (result.status === "ok") return [];
  return result.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

describe("a profiles file", () => {
  test("the example of docs/profiles.md is read", () => {
    expect(parseProfiles(EXAMPLE)).toEqual({
      status: "ok",
      profiles: [
        {
          profile: "staging",
          file: "flows/shop.yaml",
          name: "MyDataflow",
          environment: { CAMERA: "/dev/video2", RATE: "30" },
        },
        {
          profile: "robot",
          file: "flows/shop.yaml",
          environment: {},
          coordinator: "http://10.0.0.7:6015",
          tokenFile: "robot.token",
          build: false,
        },
      ],
    });
  });

  test("every key of docs/profiles.md is one, and no other", () => {
    const documented = [...DOCS.matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key ?? "");
    const [problem = ""] = problemsOf("profiles: { a: { zzzzzzzz: 1 } }");
    const known = /there are (.+)$/.exec(problem)?.[1]?.split(", ");
    expect(known).toEqual(documented);
  });

  test("variables are as they are written", () => {
    const text = "profiles: { a: { environment: { V: 1.10, T: true, S: '01', D: $HOME } } }";
    expect(parseProfiles(text)).toMatchObject({
      profiles: [{ environment: { V: "1.10", T: "true", S: "01", D: "$HOME" } }],
    });
  });

  test.each([
    [
      "profile: {}",
      ['1:1 unknown key `profile`, did you mean "profiles"?', "`profiles` is missing"],
    ],
    ["profiles:\n  a:\n    enviroment: {}", ['3:5 unknown key `enviroment`, did you mean "env']],
    ["profiles: { a: { build: yes } }", ['1:25 `build` is "yes": give true or false']],
    ["profiles: { a: { environment: { 'A=B': 1 } } }", ["1:33 `A=B` is no name here"]],
    ["profiles: { a: { name: a b } }", ['1:24 `name` is "a b": a name has']],
    ["profiles: { a b: {} }", ["1:13 `a b` is no name here"]],
    ["profiles: [", ["1:"]],
    ["", ["the file is empty"]],
  ])("%j has its problems told with their places", (text, expected) => {
    const problems = problemsOf(text);
    for (const part of expected) expect(problems.join("\n")).toContain(part);
  });
});

describe("a command line with a profile", () => {
  const profile = {
    profile: "p",
    file: "p.yaml",
    name: "p-name",
    environment: { A: "1", B: "2" },
    coordinator: "http://p",
    attach: true,
  };

  test("has what the profile says", () => {
    expect(applyProfile(profile, undefined, { build: true })).toEqual({
      file: "p.yaml",
      flags: {
        name: "p-name",
        coordinator: "http://p",
        attach: true,
        build: true,
        env: ["A=1", "B=2"],
      },
    });
  });

  test("wins over it, a variable at a time", () => {
    const flags = {
      name: "mine",
      env: ["B=3"],
      build: false,
      coordinator: "http://c",
      detach: true,
    };
    expect(applyProfile({ ...profile, build: true }, "mine.yaml", flags)).toEqual({
      file: "mine.yaml",
      flags: { ...flags, env: ["A=1", "B=2", "B=3"] },
    });
  });

  test("a profile may leave the builds out", () => {
    const { flags } = applyProfile({ ...profile, build: false }, undefined, { build: true });
    expect(flags.build).toBe(false);
  });

  test("DORA_PROFILE names it where no flag does", () => {
    expect(chosenProfile("flag", { DORA_PROFILE: "variable" })).toBe("flag");
    expect(chosenProfile(undefined, { DORA_PROFILE: "variable" })).toBe("variable");
    expect(chosenProfile(undefined, { DORA_PROFILE: "" })).toBeUndefined();
  });
});

describe("dora profile", () => {
  test("list shows them as a table, JSON and YAML", async () => {
    const cwd = folderWith(EXAMPLE);
    const env = { DORA_PROFILE: "robot" };
    expect((await runCli(["profile", "list"], { cwd, env })).stdout)
      .toBe(`+----------------------+-----------------+------------+-----------+
| Profile              | File            | Name       | Variables |
+----------------------+-----------------+------------+-----------+
| staging              | flows/shop.yaml | MyDataflow |         2 |
| robot (DORA_PROFILE) | flows/shop.yaml | -          |         0 |
+----------------------+-----------------+------------+-----------+
`);
    const json = await runCli(["profile", "list", "--output", "json"], { cwd });
    const yaml = await runCli(["profile", "list", "--output", "yaml"], { cwd });
    expect(JSON.parse(json.stdout)).toMatchObject([
      { profile: "staging" },
      { profile: "robot", token_file: "robot.token", build: false },
    ]);
    expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout));
  });

  test("show gives one of them; of another name it says which there are", async () => {
    const cwd = folderWith(EXAMPLE);
    expect((await runCli(["profile", "show", "staging"], { cwd })).stdout).toBe(`profile: staging
file: flows/shop.yaml
name: MyDataflow
environment:
  CAMERA: /dev/video2
  RATE: "30"
`);
    expect(await runCli(["profile", "show", "stagin"], { cwd })).toEqual({
      code: 1,
      stdout: "",
      stderr: `no profile "stagin", did you mean "staging"?
hint: dora-profiles.yaml has staging, robot; \`dora profile list\` shows them
`,
    });
  });

  test("without a file there are none, which is said", async () => {
    const cwd = mkdtempSync(join(folder, "none-"));
    const { code, stdout, stderr } = await runCli(["profile", "list"], { cwd });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("dora-profiles.yaml is not here");
    const shown = await runCli(["profile", "show", "a"], { cwd });
    expect(shown.code).toBe(1);
    expect(shown.stderr).toContain("there is no dora-profiles.yaml here");
  });

  test("a file with a problem is shown with its line, exit 1", async () => {
    const cwd = folderWith("profiles:\n  a:\n    fiel: x.yaml\n");
    expect(await runCli(["profile", "list"], { cwd })).toEqual({
      code: 1,
      stdout: "",
      stderr: `dora-profiles.yaml:3:5: error: unknown key \`fiel\`, did you mean "file"?
    3 |     fiel: x.yaml
      |     ^^^^
dora-profiles.yaml is not valid: 1 problem
hint: correct what is marked above; docs/profiles.md has every key
`,
    });
  });
});
