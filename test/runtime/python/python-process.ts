/** Python programs as processes of their own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { DaemonSide } from "../node/daemon-side.ts";

const MODULE = fileURLToPath(new URL("../../../src/runtime/python", import.meta.url));

export const hasPython =
  spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]).status === 0;
/** For the names of tests that are skipped. */
export const PYTHON_HINT = "needs python3, 3.8 or later";

export interface PythonProcess {
  readonly child: ChildProcess;
  /** All that it wrote so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the exit code. */
  readonly ended: Promise<number | null>;
  /** Resolves as soon as it has written that. */
  wrote(text: string): Promise<void>;
}

/** Runs `body` as a node: `Node`, and a `node` that is connected, are there. */
export function startNode(daemon: DaemonSide, id: string, body: string): PythonProcess {
  return startPython(daemon, id, `from dora import Node\nnode = Node()\n${body}`);
}

export function startPython(daemon: DaemonSide, id: string, program: string): PythonProcess {
  const file = join(daemon.folder, `${id}.py`);
  writeFileSync(file, program);
  return spawnPython(daemon, id, [file]);
}

export function spawnPython(
  daemon: DaemonSide,
  id: string,
  args: readonly string[],
): PythonProcess {
  const child = spawn("python3", ["-u", ...args], {
    env: { ...process.env, ...daemon.environment(id), PYTHONPATH: MODULE },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  const waiters: (() => void)[] = [];
  const wake = (): void => {
    for (const each of waiters.splice(0)) each();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<number | null>((resolve) => {
    child.once("close", (code) => {
      resolve(code);
      wake();
    });
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    child,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    async wrote(text) {
      while (!stdout.includes(text)) {
        if (child.exitCode !== null)
          throw new Error(`it ended without "${text}":\n${stdout}${stderr}`);
        await new Promise<void>((resolve) => {
          waiters.push(resolve);
        });
      }
    },
  };
}
