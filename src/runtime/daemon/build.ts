import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { errorMessage } from "../../core/errors.ts";
import type { Clock } from "../../core/clock.ts";
import type { DataflowNode } from "../dataflow/dataflow.ts";
import type { RuntimeEvent } from "../protocol/status.ts";
import { exitWords } from "./exit-words.ts";
import type { MissingDependency } from "./missing-dependency.ts";
import { findMissingDependency } from "./missing-dependency.ts";
import type { ProcessEnd } from "./node-process.ts";
import { NodeProcess } from "./node-process.ts";
import { OutputTail, TAIL_LINES_MAX } from "./output-tail.ts";
import type { ProcessGuard } from "./process-guard.ts";
import type { Timers } from "./timers.ts";

/** Lines in which the missing thing is looked for. */
const SEARCH_LINES_MAX = 400;

export type BuildEvent = Omit<
  Extract<RuntimeEvent, { readonly type: "build" }>,
  "atUnixMs" | "dataflow"
>;

export interface BuildOptions {
  readonly nodes: readonly DataflowNode[];
  /** The dataflow file's: commands run there, and `out/build.txt` beneath it holds their output. */
  readonly folder: string;
  readonly environmentOf: (node: DataflowNode) => Readonly<Record<string, string>>;
  readonly guard: ProcessGuard;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly signal: AbortSignal;
  readonly onEvent: (event: BuildEvent) => void;
}

export interface BuildFailure {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly message: string;
  readonly lastStderr: readonly string[];
}

/**
 * Runs the `build` lines of all nodes: of one node one after the other, of several nodes as many at a
 * time as there are cores. A failed line ends its node's build and no other, so that all faults are seen at once.
 *
 * Shape: failures by node; none where all is built, or nothing was to be done.
 */
export async function runBuilds(options: BuildOptions): Promise<ReadonlyMap<string, BuildFailure>> {
  const nodes = options.nodes.filter((node) => node.build.length > 0);
  const failures = new Map<string, BuildFailure>();
  if (nodes.length === 0) return failures;
  const report = BuildReport.open(options.folder);
  const waiting = nodes.values();
  const work = async (): Promise<void> => {
    for (const node of waiting) {
      const failure = await new NodeBuild(node, options, report).run();
      if (failure !== undefined) failures.set(node.id, failure);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  report.close();
  return failures;
}

class NodeBuild {
  readonly #node: DataflowNode;
  readonly #options: BuildOptions;
  readonly #report: BuildReport;
  readonly #beganMs: number;

  constructor(node: DataflowNode, options: BuildOptions, report: BuildReport) {
    this.#node = node;
    this.#options = options;
    this.#report = report;
    this.#beganMs = options.clock.monotonicMs();
  }

  async run(): Promise<BuildFailure | undefined> {
    const { id, build } = this.#node;
    this.#tell({ linesDone: 0, command: "", state: "building" });
    for (const [index, line] of build.entries()) {
      if (this.#options.signal.aborted) return stopped;
      this.#tell({ linesDone: index, command: line, state: "building" });
      this.#report.write(id, `$ ${line}\n`);
      const failure = await this.#runLine(line);
      if (failure !== undefined) {
        const { missing, ...rest } = failure;
        this.#report.write(id, `${rest.message}\n`);
        this.#tell({
          linesDone: index,
          command: line,
          state: "failed",
          lastStderr: rest.lastStderr,
          ...(missing === undefined ? {} : { missing }),
        });
        return rest;
      }
    }
    this.#tell({ linesDone: build.length, command: "", state: "done" });
    return undefined;
  }

  async #runLine(
    line: string,
  ): Promise<(BuildFailure & { readonly missing: MissingDependency | undefined }) | undefined> {
    const { folder, guard, timers, signal } = this.#options;
    const stderr = new OutputTail();
    const both = new OutputTail(SEARCH_LINES_MAX);
    const end = await new Promise<ProcessEnd>((resolve) => {
      const running = new NodeProcess({
        command: { program: "/bin/sh", args: ["-c", line], isPython: false },
        folder,
        environment: this.#options.environmentOf(this.#node),
        guard,
        timers,
        onOutput: (stream, chunk) => {
          if (stream === "stderr") stderr.add(chunk);
          both.add(chunk);
          this.#report.write(this.#node.id, chunk.toString("utf8"));
        },
        onEnd: (ended) => {
          signal.removeEventListener("abort", kill);
          resolve(ended);
        },
      });
      const kill = (): void => running.kill();
      signal.addEventListener("abort", kill);
    });
    if (end.exitCode === 0) return undefined;
    if (signal.aborted) return { ...stopped, missing: undefined };
    const output = both.lines();
    const missing = findMissingDependency(output.join("\n"));
    const reason =
      missing === undefined
        ? (end.startError ?? exitWords(end.exitCode, end.signal))
        : `Missing dependency \`${missing.name}\``;
    const lastLines = stderr.lines();
    return {
      exitCode: end.exitCode,
      signal: end.signal,
      message: `build failed: ${reason}`,
      // Some tools say on standard output what went wrong.
      lastStderr: lastLines.length > 0 ? lastLines : output.slice(-TAIL_LINES_MAX),
      missing,
    };
  }

  #tell(event: Omit<BuildEvent, "type" | "node" | "linesTotal" | "elapsedMs">): void {
    this.#options.onEvent({
      type: "build",
      node: this.#node.id,
      linesTotal: this.#node.build.length,
      elapsedMs: Math.round(this.#options.clock.monotonicMs() - this.#beganMs),
      ...event,
    });
  }
}

const stopped: BuildFailure = {
  exitCode: null,
  signal: null,
  message: "the build was stopped",
  lastStderr: [],
};

/** `out/build.txt`: what the commands wrote, each line after its node's id. */
class BuildReport {
  #file: number | undefined;

  private constructor(file: number | undefined) {
    this.#file = file;
  }

  /** A folder that cannot be written costs the report, not the build. */
  static open(folder: string): BuildReport {
    try {
      mkdirSync(join(folder, "out"), { recursive: true });
      return new BuildReport(openSync(join(folder, "out", "build.txt"), "w"));
    } catch {
      return new BuildReport(undefined);
    }
  }

  write(node: string, text: string): void {
    if (this.#file === undefined) return;
    const lines = text.replace(/\n$/, "").split("\n");
    try {
      writeSync(this.#file, lines.map((line) => `[${node}] ${line}\n`).join(""));
    } catch (error) {
      process.emitWarning(`cannot write out/build.txt: ${errorMessage(error)}`);
      this.close();
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
