import path from "node:path";
import { keysFileName, temporaryName } from "./file-name.ts";
import type { RetryKeyList } from "./keys-file.ts";
import { encodeKeysFile } from "./keys-file.ts";
import type { Storage } from "./storage.ts";

/** The keys files in a journal's folder. Used by the journal alone, one call at a time. */
export class KeysFolder {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #keys: Map<number, RetryKeyList>;

  constructor(
    storage: Storage,
    directory: string,
    files: readonly { readonly fileNumber: number; readonly keys: RetryKeyList }[],
  ) {
    this.#storage = storage;
    this.#directory = directory;
    this.#keys = new Map(files.map((file) => [file.fileNumber, file.keys]));
  }

  /** Puts the keys of a journal file on disk, so that the file may go. */
  async add(fileNumber: number, keys: RetryKeyList): Promise<void> {
    if (keys.count === 0 || this.#keys.has(fileNumber)) return;
    const name = path.join(this.#directory, keysFileName(fileNumber));
    // Left over from a try that failed.
    await this.#storage.remove(temporaryName(name));
    const file = await this.#storage.create(temporaryName(name));
    try {
      await file.write(encodeKeysFile(keys));
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#storage.rename(temporaryName(name), name);
    await this.#storage.syncDirectory(this.#directory);
    this.#keys.set(fileNumber, keys);
  }

  /** Removes the files of which no key is within the retry window any more. */
  async removeExpired(nowUnixMs: number): Promise<void> {
    for (const [fileNumber, keys] of this.#keys) {
      if (keys.isLiveAt(nowUnixMs)) continue;
      await this.#storage.remove(path.join(this.#directory, keysFileName(fileNumber)));
      this.#keys.delete(fileNumber);
    }
  }
}
