import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { AppError, errorMessage } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { DataflowStatus, FailureSummary } from "../protocol/status.ts";
import { DataflowStatusSchema, FailureSummarySchema } from "./status-schema.ts";
import { ENDED_MAX } from "./limits.ts";

/** A dataflow as a coordinator knows it. */
export interface KnownDataflow {
  readonly status: DataflowStatus;
  /** The file's text that it was started with; "" where the daemon alone knows it. */
  readonly text: string;
  /** Variables that it was started with, for its next start; never part of an answer. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly failure?: FailureSummary;
}

export interface CoordinatorState {
  /** What was started and has not ended. */
  readonly wanted: readonly KnownDataflow[];
  /** What has ended, the oldest first. */
  readonly ended: readonly KnownDataflow[];
}

const STATE_VERSION = 1;

const KnownDataflowSchema: z.ZodType<KnownDataflow> = z.object({
  status: DataflowStatusSchema,
  text: z.string(),
  environment: z.record(z.string(), z.string()).readonly().exactOptional(),
  failure: FailureSummarySchema.exactOptional(),
});

const StateSchema = z.object({
  version: z.literal(STATE_VERSION),
  wanted: z.array(KnownDataflowSchema).readonly(),
  ended: z.array(KnownDataflowSchema).max(ENDED_MAX).readonly(),
});

/**
 * What a coordinator that is away last wrote: read only, and without a word where it makes no sense. Gives
 * undefined where there is nothing to read.
 */
export async function readLastState(
  path: string,
): Promise<(CoordinatorState & { readonly writtenAtUnixMs: number }) | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    return { ...StateSchema.parse(JSON.parse(text)), writtenAtUnixMs: mtimeMs };
  } catch {
    return undefined;
  }
}

const EMPTY: CoordinatorState = { wanted: [], ended: [] };

/**
 * What a coordinator knows, in one JSON file: written aside, synced and renamed, so that a crash leaves
 * the old one or the new one. The variables that dataflows were started with are in it and may be secret:
 * its user alone can read it.
 *
 * Concurrency: saves are one at a time; of those asked for meanwhile the last one is written.
 */
export class StateFile {
  readonly #path: string;
  readonly #log: Logger;
  #next: CoordinatorState | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * What the last coordinator knew; nothing where there was none. A file that makes no sense is set aside.
   *
   * Errors: `STATE_UNWRITABLE` where the folder or the file cannot be used.
   */
  async load(): Promise<CoordinatorState> {
    try {
      await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      const text = await readFile(this.#path, "utf8");
      return await this.#read(text);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return EMPTY;
      const message = `cannot use the coordinator's state ${this.#path}: ${errorMessage(error)}`;
      throw new AppError("STATE_UNWRITABLE", message, { cause: error });
    }
  }

  /** Returns at once. What cannot be written is logged, and tried again at the next change. */
  save(state: CoordinatorState): void {
    this.#next = state;
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
  }

  /** Resolves when all that was saved is on disk, or could not be written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #read(text: string): Promise<CoordinatorState> {
    try {
      return StateSchema.parse(JSON.parse(text));
    } catch (error) {
      const aside = `${this.#path}.damaged`;
      await rename(this.#path, aside);
      this.#log.error("the coordinator's state makes no sense: it was set aside", {
        file: aside,
        error,
      });
      return EMPTY;
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== undefined) {
      const state = this.#next;
      this.#next = undefined;
      try {
        await this.#write(JSON.stringify({ version: STATE_VERSION, ...state }));
      } catch (error) {
        this.#log.error("the coordinator's state could not be written", { error });
      }
    }
  }

  async #write(text: string): Promise<void> {
    const temporary = `${this.#path}.${process.pid}`;
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    const folder = await open(dirname(this.#path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}
