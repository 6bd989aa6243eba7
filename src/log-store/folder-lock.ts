import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../core/errors.ts";

/** The file that the lock is held on. Its content means nothing. */
export const LOCK_FILE = "lock.sqlite";

/**
 * Holds a folder for this process alone: an exclusive transaction on a small SQLite file. The
 * kernel frees the lock when the process ends, however it ends, so none is ever left behind.
 *
 * Source: Node has no flock; https://sqlite.org/lockingv3.html for what an exclusive lock excludes.
 */
export class FolderLock {
  readonly #database: DatabaseSync;

  /** Errors: `STORE_IN_USE` where another process, or another store here, has the folder. */
  constructor(directory: string) {
    this.#database = openDatabase(directory);
    try {
      this.#database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (error) {
      this.#database.close();
      throw new AppError("STORE_IN_USE", `the store in ${directory} is in use by another process`, {
        cause: error,
      });
    }
  }

  release(): void {
    this.#database.close();
  }
}

function openDatabase(directory: string): DatabaseSync {
  const path = join(directory, LOCK_FILE);
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw new AppError("STORE_UNWRITABLE", `cannot open ${path} to lock the store`, {
      cause: error,
    });
  }
}
