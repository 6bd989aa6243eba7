/** `dora` commands of the demo: started, read line by line, stopped by their process id. */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** None of them may outlive the demo. */
const running = new Set<ChildProcess>();

export function killAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

export interface DoraCommand {
  readonly name: string;
  /** The next line on standard output that `read` makes something of. Errors: where it ends before. */
  waitFor<T>(read: (line: string) => T | undefined): Promise<T>;
  kill(signal: NodeJS.Signals): void;
  /** All of its standard output, once it ended with exit code 0. Errors: with any other end. */
  end(): Promise<string>;
}

export interface CommandOptions {
  /** Shows the lines on standard output as they come. */
  readonly onLine?: (line: string) => void;
}

/** Starts a `dora` command. */
export function startDora(args: readonly string[], options: CommandOptions = {}): DoraCommand {
  const name = `dora ${args[0]}`;
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const exit = once(child, "close");
  void exit.then(() => running.delete(child));
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const lines: string[] = [];
  let wake = (): void => {};
  let isEnded = false;
  const reader = createInterface({ input: child.stdout });
  reader.on("line", (line) => {
    stdout += `${line}\n`;
    lines.push(line);
    options.onLine?.(line);
    wake();
  });
  reader.on("close", () => {
    isEnded = true;
    wake();
  });
  return {
    name,
    async waitFor(read) {
      for (;;) {
        for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
          const found = read(line);
          if (found !== undefined) return found;
        }
        if (isEnded) throw new Error(`${name} ended early:\n${stdout}${stderr}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    kill: (signal) => void child.kill(signal),
    async end() {
      await exit;
      if (child.exitCode === 0) return stdout;
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}:\n${stderr}`);
    },
  };
}

/** Runs a `dora` command to its end and gives its standard output. */
export async function runDora(args: readonly string[]): Promise<string> {
  const command = startDora(args);
  return command.end();
}
