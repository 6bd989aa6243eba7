import type { Storage, StorageFile } from "../journal/storage.ts";

/**
 * So much is synced at once. A hundred megabytes that wait for one sync would hold up the journal's
 * syncs, which the disk does in order.
 */
const SYNC_BYTES = 8 * 1024 * 1024;

/** A file that is written part by part under a temporary name. One call at a time. */
export class MergeFile {
  readonly #storage: Storage;
  readonly #path: string;
  readonly #file: StorageFile;
  #unsyncedBytes = 0;
  sizeBytes = 0;

  /** Replaces what an earlier try may have left. */
  static async create(storage: Storage, path: string): Promise<MergeFile> {
    await storage.remove(path);
    return new MergeFile(storage, path, await storage.create(path));
  }

  private constructor(storage: Storage, path: string, file: StorageFile) {
    this.#storage = storage;
    this.#path = path;
    this.#file = file;
  }

  async write(part: Uint8Array): Promise<void> {
    await this.#file.write([part]);
    this.sizeBytes += part.length;
    this.#unsyncedBytes += part.length;
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    await this.#file.sync();
    this.#unsyncedBytes = 0;
  }

  /** Everything is on disk from now on; the name is still the temporary one. */
  async finish(): Promise<void> {
    try {
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  /** Closes and removes the file. */
  async discard(): Promise<void> {
    await this.#file.close();
    await this.#storage.remove(this.#path);
  }
}
