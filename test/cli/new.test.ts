import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import type { Language } from "../../src/cli/templates/new-files.ts";
import { newFiles } from "../../src/cli/templates/new-files.ts";
import { z } from "zod";
import { parseValid } from "../runtime/dataflow/parse.ts";
import { openDaemon } from "../runtime/daemon/daemon-harness.ts";
import { runCli } from "../cli-process.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const LANGUAGES: readonly Language[] = ["javascript", "typescript", "python", "rust"];
const HAS_PYTHON = spawnSync("python3", ["--version"]).status === 0;

const folder = mkdtempSync(join(tmpdir(), "dora-new-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("dora new", () => {
  test("makes a dataflow, says what it wrote, and what to do", async () => {
    const cwd = mkdtempSync(join(folder, "dataflow-"));
    expect(await runCli(["new", "shop"], { cwd })).toEqual({
      code: 0,
      stdout: `✔ shop/dataflow.yaml
✔ shop/sender.mjs
✔ shop/shouter.mjs
✔ shop/receiver.mjs

Use \`dora start shop/dataflow.yaml\` to begin.
`,
      stderr: "",
    });
    const { stdout } = await runCli(["validate", "shop/dataflow.yaml"], { cwd });
    expect(stdout).toBe("shop/dataflow.yaml is valid: 3 nodes, 2 links\n");
  });

  test.each(LANGUAGES)("makes a node in %s, with lines for a dataflow file", async (language) => {
    const cwd = mkdtempSync(join(folder, "node-"));
    const { stdout } = await runCli(["new", "my-node", "--kind", "node", "--lang", language], {
      cwd,
    });
    const lines = stdout.slice(stdout.indexOf("  - id:"));
    const sender = "  - { id: sender, path: sender.js, outputs: [text] }\n";
    const [, node] = parseValid(`nodes:\n${sender}${lines}`).nodes;
    expect(node).toMatchObject({ id: "my-node", outputs: [{ id: "shout" }] });
    const path = node?.source.kind === "executable" ? node.source.path : "";
    // A crate's program is there once it is built.
    if (language === "rust") expect(node?.build.join()).toContain("my-node/Cargo.toml");
    else expect(existsSync(join(cwd, path))).toBe(true);
  });

  test("overwrites nothing unless it is told to", async () => {
    const cwd = mkdtempSync(join(folder, "existing-"));
    mkdirSync(join(cwd, "shop"));
    writeFileSync(join(cwd, "shop/shouter.mjs"), "mine");
    const refused = await runCli(["new", "shop"], { cwd });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("shop/shouter.mjs is there already\nhint: ");
    expect(readdirSync(join(cwd, "shop"))).toEqual(["shouter.mjs"]);
    expect((await runCli(["new", "shop", "--force"], { cwd })).code).toBe(0);
    expect(readFileSync(join(cwd, "shop/shouter.mjs"), "utf8")).toContain("shout");
  });

  test.each(["../shop", "/shop", "my shop", "1", "dora", "", "a.b"])(
    "%j is no name",
    async (name) => {
      const cwd = mkdtempSync(join(folder, "refused-"));
      expect((await runCli(["new", name], { cwd })).code).toBe(2);
      expect(readdirSync(cwd)).toEqual([]);
    },
  );
});

const plan = { name: "shop", kind: "dataflow", version: "0.1.0" } as const;

describe("the dataflows", () => {
  const running: readonly Language[] = [
    "javascript",
    "typescript",
    ...(HAS_PYTHON ? ["python" as const] : []),
  ];
  test.each(running)("of %s run as they are", async (language) => {
    const it = await openDaemon();
    const { files, dataflow } = newFiles({ ...plan, language });
    for (const { path, text } of files) it.file(path, text);
    await it.start(dataflow.replace("timer/secs/1", "timer/millis/20"));
    const logged = (): string => it.telemetry.nodeLogs.join();
    await it.until(() => logged().includes("READY,STEADY,GO,READY"));
  });

  test("of Rust have the crate of the example, complete, and are packed with the package", () => {
    const { files, dataflow } = newFiles({ ...plan, language: "rust" });
    const text = (path: string): string => files.find((file) => file.path === path)?.text ?? "";
    expect(text("shouter/Cargo.toml")).toMatch(/^name = "shouter"$/m);
    expect(text("shouter/build.rs")).toContain(`let folder = "proto";`);
    expect(text("shouter/src/main.rs")).toContain("#![forbid(unsafe_code)]");
    expect(text("shouter/proto/dora/dataflow/v1/dataflow.proto")).toContain("service Dataflow");
    expect(parseValid(dataflow).nodes[1]?.build).toEqual([
      "cargo build --release --manifest-path shouter/Cargo.toml",
    ]);
    const Manifest = z.object({ files: z.array(z.string()) });
    const manifest = Manifest.parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
    for (const source of ["Cargo.toml", "build.rs", "src/main.rs"]) {
      const path = `examples/rust-node/${source}`;
      expect(
        manifest.files.some((one) => path.startsWith(one)),
        path,
      ).toBe(true);
    }
  });
});
