import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, extname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { DataflowNode } from "../dataflow/dataflow.ts";

/** What is run for a node: an absolute path, and its arguments. */
export interface NodeCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Whether it is a Python program, which gets our module on its path. */
  readonly isPython: boolean;
}

export type CommandResult =
  | { readonly status: "found"; readonly command: NodeCommand }
  /** What is wrong and what to do, in one line. */
  | { readonly status: "unusable"; readonly message: string };

const JAVASCRIPT = new Set([".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"]);
const OPERATOR_HOST = "../node/operator-host";

/**
 * Finds what to run for a node, as dora-rs does: `shell` takes `args` as a command line; a path is looked
 * for in the dataflow file's folder, then a plain name in `PATH`. Python files are run by `python3 -u`,
 * JavaScript and TypeScript by the Node.js that runs the daemon, everything else as it is.
 */
export function findCommand(
  node: DataflowNode,
  folder: string,
  environment: Readonly<Record<string, string>>,
): CommandResult {
  const { source } = node;
  switch (source.kind) {
    case "dynamic":
      return unusable("it is dynamic: it is started by hand");
    case "operators":
      return operatorHost(
        source.operators.map((operator) => operator.source),
        environment,
      );
    case "executable":
      return pinned(executable(source.path, source.args, folder, environment), node, environment);
  }
}

function executable(
  path: string,
  args: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>>,
): CommandResult {
  if (path === "shell") {
    const line = args.join(" ");
    return found({ program: "/bin/sh", args: ["-c", line], isPython: false });
  }
  const inFolder = resolve(folder, path);
  const isThere = existsSync(inFolder);
  const file = isThere ? inFolder : path.includes("/") ? undefined : findInPath(path, environment);
  if (file === undefined) {
    const where = path.includes("/") ? "" : ", and no such program in PATH";
    return unusable(`there is no file ${inFolder}${where}: correct \`path\`, or build it first`);
  }
  if (!statSync(file).isFile()) return unusable(`${file} is not a file: correct \`path\``);
  const extension = extname(file);
  if (extension === ".py") return python([file, ...args], environment);
  if (!isAllowed(file, constants.R_OK)) {
    return unusable(`${file} may not be read by this user: chmod u+r ${file}`);
  }
  if (JAVASCRIPT.has(extension)) {
    const program = process.execPath;
    return found({ program, args: ["--import", packagePreload(), file, ...args], isPython: false });
  }
  if (!isAllowed(file, constants.X_OK)) {
    return unusable(`${file} is not executable: chmod +x ${file}`);
  }
  return found({ program: file, args, isPython: false });
}

/** Gives JavaScript nodes the node library, where it is not installed for them. */
function packagePreload(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./package-preload.${extension}`, import.meta.url).href;
}

/** `-u`: lines are to be seen when they are printed. */
function python(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): CommandResult {
  const program = findInPath("python3", environment) ?? findInPath("python", environment);
  if (program === undefined) {
    return unusable("there is no python3 in PATH: install Python 3, or set PATH in `env`");
  }
  return found({ program, args: ["-u", ...args], isPython: true });
}

/** All of a node's operators share its process, and so its language. */
function operatorHost(
  sources: readonly string[],
  environment: Readonly<Record<string, string>>,
): CommandResult {
  const languages = new Set(sources.map((source) => operatorLanguage(source)));
  if (languages.has("other")) {
    const strange = sources.find((source) => operatorLanguage(source) === "other") ?? "";
    return unusable(
      `${strange} cannot be run as an operator: give JavaScript, TypeScript or Python`,
    );
  }
  if (languages.size > 1) {
    return unusable(
      "its operators are JavaScript and Python: give each language a node of its own",
    );
  }
  if (languages.has("python")) return python(["-m", "dora.operator_host"], environment);
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const host = fileURLToPath(new URL(`${OPERATOR_HOST}.${extension}`, import.meta.url));
  return found({
    program: process.execPath,
    args: ["--import", packagePreload(), host],
    isPython: false,
  });
}

function operatorLanguage(source: string): "javascript" | "python" | "other" {
  const extension = extname(source);
  if (extension === ".py") return "python";
  return JAVASCRIPT.has(extension) ? "javascript" : "other";
}

/** Bound to its processors by `taskset`, where there is one. */
function pinned(
  result: CommandResult,
  node: DataflowNode,
  environment: Readonly<Record<string, string>>,
): CommandResult {
  if (result.status !== "found" || node.cpuAffinity.length === 0) return result;
  const taskset = findInPath("taskset", environment);
  if (taskset === undefined) {
    return unusable(
      "`cpu_affinity` needs the program `taskset`: install util-linux, or leave it out",
    );
  }
  const { program, args, isPython } = result.command;
  const list = ["-c", node.cpuAffinity.join(","), program];
  return found({ program: taskset, args: [...list, ...args], isPython });
}

function findInPath(
  name: string,
  environment: Readonly<Record<string, string>>,
): string | undefined {
  return (environment["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find((file) => isAllowed(file, constants.X_OK) && statSync(file).isFile());
}

function isAllowed(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

function found(command: NodeCommand): CommandResult {
  return { status: "found", command };
}

function unusable(message: string): CommandResult {
  return { status: "unusable", message };
}
