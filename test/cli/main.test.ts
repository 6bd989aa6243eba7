import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { exitCodeOf, formatFailure } from "../../src/cli/failure.ts";
import { AppError } from "../../src/core/errors.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const PACKAGE = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
const directory = mkdtempSync(join(tmpdir(), "dora-main-"));
afterAll(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function dora(...args: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: directory };
  const child = spawn(process.execPath, [MAIN, ...args], { env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

describe("exit codes: 0 done, 1 failed, 2 wrong usage", () => {
  test("--version prints the package's version", async () => {
    const { code, stdout } = await dora("--version");
    expect(code).toBe(0);
    expect(PACKAGE).toContain(`"version": "${stdout.trim()}"`);
  });

  test("--help is what was asked for", async () => {
    const { code, stdout } = await dora("--help");
    expect(code).toBe(0);
    for (const command of ["serve", "logs", "trace", "config"]) expect(stdout).toContain(command);
  });

  test("an unknown command names the nearest one and where help is", async () => {
    const { code, stderr } = await dora("srve");
    expect(code).toBe(2);
    expect(stderr).toBe("unknown command 'srve'\n(Did you mean serve?)\nhint: run `dora --help`\n");
  });

  test("an unknown flag, and one without its value, are wrong usage", async () => {
    expect(await dora("serve", "--port", "1")).toMatchObject({ code: 2, stdout: "" });
    expect(await dora("serve", "--api")).toMatchObject({ code: 2, stdout: "" });
  });

  test("no command at all is wrong usage, and shows the help", async () => {
    const { code, stderr } = await dora();
    expect(code).toBe(2);
    expect(stderr).toContain("Usage: dora");
  });

  test("what a user typed is cleaned before it reaches the terminal (SEC-009)", async () => {
    const { code, stderr } = await dora("\u001b]52;c;YWJj\u0007");
    expect(code).toBe(2);
    expect(stderr).not.toContain("\u001b");
    expect(stderr).not.toContain("\u0007");
  });
});

describe("dora config", () => {
  const file = join(directory, "dora.yaml");

  test("validate accepts a right file and lists the faults of a wrong one (PIPE-001)", async () => {
    writeFileSync(file, "exporters: { log_store: { retention: 30d } }");
    expect(await dora("config", "validate", "--config", file)).toEqual({
      code: 0,
      stdout: "the configuration is valid\n",
      stderr: "",
    });
    writeFileSync(file, "exporters: { log_stor: {} }\nrecievers: {}");
    const { code, stdout, stderr } = await dora("config", "validate", "--config", file);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr.replaceAll(file, "dora.yaml")).toBe(
      `the configuration has 2 faults:
  recievers: unknown key, did you mean "receivers"? (dora.yaml:2:1)
  exporters.log_stor: unknown exporter "log_stor"; known: log_store, did you mean "log_store"? (dora.yaml:1:14)
hint: run \`dora config validate --config FILE\`, and see docs/config.md
`,
    );
  });

  test("print shows the effective configuration without opening anything", async () => {
    const { code, stdout } = await dora("config", "print", "--api", "127.0.0.1:1");
    expect(code).toBe(0);
    expect(stdout).toContain("endpoint: 127.0.0.1:1 # flag --api");
    expect(stdout).toContain(`directory: ${directory}/.local/share/dora # default`);
  });
});

describe("a failure", () => {
  test("is its message, and its hint on a line of its own", () => {
    const error = new AppError("STORE_IN_USE", "the store in /data is in use");
    expect(formatFailure(error)).toBe(
      "the store in /data is in use\nhint: query the running service instead, or stop it first\n",
    );
    expect(exitCodeOf(error)).toBe(1);
    expect(exitCodeOf(new AppError("USAGE", "no such format"))).toBe(2);
  });

  test("that nobody foresaw shows where it happened, and asks for a report", () => {
    const text = formatFailure(new TypeError("broken"));
    expect(text).toContain("TypeError: broken");
    expect(text).toContain("main.test.ts");
    expect(text).toMatch(/\nhint: this is a fault of dora/);
    expect(exitCodeOf("thrown text")).toBe(1);
  });

  test("is cleaned of what would steer a terminal (SEC-009)", () => {
    const text = formatFailure(new AppError("NOT_FOUND", "no \u001b[2J\u202e node"));
    expect(text).toContain(String.raw`no \u001b[2J\u202e node`);
  });
});
