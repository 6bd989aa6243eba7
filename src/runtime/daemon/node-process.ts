import { type ChildProcess, spawn } from "node:child_process";
import type { NodeCommand } from "./node-command.ts";
import type { ProcessGuard } from "./process-guard.ts";
import { hasGroup, signalGroup } from "./process-table.ts";
import type { Timers } from "./timers.ts";

/** From SIGTERM to SIGKILL. */
export const KILL_DELAY_MS = 2000;
/** What a child of the node may hold its output open after the node's own end. */
const OUTPUT_DELAY_MS = 300;

/** Tells the guard of the group, then becomes the program, which does not see the guard's pipe. */
const SCRIPT = `printf '+ %s\\n' $$ >&3; exec "$@" 3>&-`;

export interface NodeProcessOptions {
  readonly command: NodeCommand;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly guard: ProcessGuard;
  readonly timers: Timers;
  readonly onOutput: (stream: "stdout" | "stderr", chunk: Buffer) => void;
  /** Once: the process has ended, and its output was read. */
  readonly onEnd: (end: ProcessEnd) => void;
}

export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it could not be started, where it could not. */
  readonly startError?: string;
}

/**
 * A process of its own session and group, whose standard input is closed. What it leaves in its group
 * at its end is asked to end, and then killed.
 */
export class NodeProcess {
  readonly #child: ChildProcess;
  readonly #options: NodeProcessOptions;
  #isOver = false;
  #cancelKill: (() => void) | undefined;

  constructor(options: NodeProcessOptions) {
    this.#options = options;
    const { command, guard } = options;
    const args = ["-c", SCRIPT, "dora-node", command.program, ...command.args];
    this.#child = spawn("/bin/sh", args, {
      cwd: options.folder,
      env: options.environment,
      detached: true,
      stdio: ["ignore", "pipe", "pipe", guard.pipe],
    });
    const { pid } = this.#child;
    if (pid !== undefined) guard.add(pid);
    this.#child.stdout?.on("data", (chunk: Buffer) => options.onOutput("stdout", chunk));
    this.#child.stderr?.on("data", (chunk: Buffer) => options.onOutput("stderr", chunk));
    this.#child.once("error", (error) => {
      this.#end({ exitCode: null, signal: null, startError: error.message });
    });
    // A turn later: what it wrote to the daemon's socket at its end is read before the end is told.
    this.#child.once("close", (exitCode, signal) =>
      setImmediate(() => setImmediate(() => this.#end({ exitCode, signal }))),
    );
    this.#child.once("exit", (exitCode, signal) => {
      this.#clearGroup();
      options.timers.after(OUTPUT_DELAY_MS, () => this.#end({ exitCode, signal }));
    });
  }

  /** undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** SIGTERM to the whole group, and SIGKILL where that does not end it. */
  terminate(): void {
    this.#signal("SIGTERM");
    this.#cancelKill ??= this.#options.timers.after(KILL_DELAY_MS, () => this.kill());
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    signalGroup(pid, signal);
  }

  #end(end: ProcessEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelKill?.();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#options.onEnd(end);
  }

  /** The leader has ended: so do its children. Its id is not given again while one of them lives. */
  #clearGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    const { guard, timers } = this.#options;
    if (!signalGroup(pid, "SIGTERM")) {
      guard.remove(pid);
      return;
    }
    timers.after(KILL_DELAY_MS, () => {
      if (hasGroup(pid)) signalGroup(pid, "SIGKILL");
      guard.remove(pid);
    });
  }
}
