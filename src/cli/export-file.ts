import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, rename, rm } from "node:fs/promises";
import { AppError, errorMessage } from "../core/errors.ts";

/**
 * A file that appears under its name only once it is whole: until then it has a name of its own
 * beside it. Closing without `complete` or `keepPartial` takes it away.
 *
 * Errors: `OUTPUT_FAILED` from every method but `close`.
 */
export class ExportFile {
  readonly #path: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  #isNamed = false;

  private constructor(path: string, temporaryPath: string, handle: FileHandle) {
    this.#path = path;
    this.#temporaryPath = temporaryPath;
    this.#handle = handle;
  }

  static async create(path: string): Promise<ExportFile> {
    const temporaryPath = `${path}.${randomBytes(4).toString("hex")}.partial`;
    try {
      return new ExportFile(path, temporaryPath, await open(temporaryPath, "wx"));
    } catch (error) {
      throw outputFailed(path, error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#try(async () => {
      await this.#handle.writeFile(bytes);
    });
  }

  /** Makes it durable and gives it its name, in place of a file that has it. */
  async complete(): Promise<void> {
    await this.#finish(this.#path);
  }

  /** Keeps what is there as `PATH.partial` and gives that name. */
  async keepPartial(): Promise<string> {
    const path = `${this.#path}.partial`;
    await this.#finish(path);
    return path;
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => {});
    if (!this.#isNamed) await rm(this.#temporaryPath, { force: true });
  }

  async #finish(path: string): Promise<void> {
    await this.#try(async () => {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#temporaryPath, path);
      this.#isNamed = true;
    });
  }

  async #try(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      throw outputFailed(this.#path, error);
    }
  }
}

function outputFailed(path: string, cause: unknown): AppError {
  return new AppError("OUTPUT_FAILED", `cannot write ${path}: ${errorMessage(cause)}`, { cause });
}
