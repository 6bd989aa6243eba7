/**
 * A contestant's own process, told what to do over its standard input and answering on its standard
 * output: one line of JSON each, one at a time.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";

const Failed = z.object({ error: z.string() });
const CLOSE_TIMEOUT_MS = 10_000;

/** Calls must not overlap: each waits for its own line. */
export class LineProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<void>;

  /** Its standard error goes to ours. */
  constructor(program: string, programArguments: readonly string[]) {
    this.#child = spawn(program, programArguments, { stdio: ["pipe", "pipe", "inherit"] });
    const { stdin, stdout } = this.#child;
    if (stdin === null || stdout === null) throw new Error("a child has pipes");
    // A child that ended: the call that waits for its line says so.
    stdin.on("error", () => {});
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    this.#exit = new Promise((resolve) => {
      this.#child.once("error", () => resolve());
      this.#child.once("exit", () => resolve());
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Errors: what the process says went wrong; that it ended; an answer of another shape. */
  async call<Answer>(request: object, shape: z.ZodType<Answer>): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`${this.#child.spawnfile} ended`);
    const json: unknown = JSON.parse(line.value);
    const failed = Failed.safeParse(json);
    if (failed.success) throw new Error(failed.data.error);
    return shape.parse(json);
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    await this.#exit;
    clearTimeout(timer);
  }
}

/** The answers of a process that measures itself, as `clickhouse_peer.py` and `duckdb-process.ts` give them. */
export const Version = z.object({ version: z.string() });
export const Measured = z.object({ wall_ms: z.number(), cpu_ms: z.number() });
export const Answer = z.object({ answer: z.array(z.string()) });
export const Disk = z.object({ disk_bytes: z.number() });
