import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AppError, errorMessage } from "../core/errors.ts";
import { readProcesses } from "../runtime/daemon/process-table.ts";

/** What `dora up` starts. */
export const BACKGROUND_NAMES = ["telemetry", "coordinator", "daemon"] as const;
export type BackgroundName = (typeof BACKGROUND_NAMES)[number];

const PidFileSchema = z.object({ pid: z.number().int().positive(), startedAt: z.string() });

/**
 * The file that says which process `dora up` started under a name. A process's start tells it from a
 * later one with the same id, so that a file that was left behind is no obstacle.
 */
export class PidFile {
  readonly #path: string;

  constructor(folder: string, name: BackgroundName | "up") {
    this.#path = join(folder, `${name}.pid`);
  }

  /** The process, where it still runs. */
  async runningPid(): Promise<number | undefined> {
    const parsed = PidFileSchema.safeParse(this.#read());
    if (!parsed.success) return undefined;
    const { pid, startedAt } = parsed.data;
    const reading = (await readProcesses([pid])).get(pid);
    return reading?.startedAt === startedAt ? pid : undefined;
  }

  /** Errors: `STATE_UNWRITABLE` */
  async write(pid: number): Promise<void> {
    const temporary = await this.#writeAside(pid);
    if (temporary !== undefined) renameSync(temporary, this.#path);
  }

  /** Writes it for this process, unless a process that runs has it: then gives false. Errors: `STATE_UNWRITABLE`. */
  async claim(): Promise<boolean> {
    if ((await this.runningPid()) !== undefined) return false;
    const temporary = await this.#writeAside(process.pid);
    if (temporary === undefined) return false;
    this.remove();
    try {
      linkSync(temporary, this.#path);
      return true;
    } catch {
      // Another was faster.
      return false;
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  /** Undefined where the process has ended already: there is nothing that could be stopped. */
  async #writeAside(pid: number): Promise<string | undefined> {
    const startedAt = (await readProcesses([pid])).get(pid)?.startedAt;
    if (startedAt === undefined) return undefined;
    const temporary = `${this.#path}.${process.pid}`;
    try {
      writeFileSync(temporary, `${JSON.stringify({ pid, startedAt })}\n`, { mode: 0o600 });
    } catch (error) {
      throw unwritable(this.#path, error);
    }
    return temporary;
  }

  #read(): unknown {
    try {
      return JSON.parse(readFileSync(this.#path, "utf8"));
    } catch {
      // Not there, or cut short.
      return undefined;
    }
  }
}

/** Errors: `STATE_UNWRITABLE` */
export function makeStateFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function unwritable(path: string, error: unknown): AppError {
  return new AppError("STATE_UNWRITABLE", `cannot write ${path}: ${errorMessage(error)}`, {
    cause: error,
  });
}
