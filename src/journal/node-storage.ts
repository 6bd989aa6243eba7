import fs from "node:fs";
import fsPromises from "node:fs/promises";
import path from "node:path";
import type { Storage, StorageEntry, StorageFile } from "./storage.ts";

/** Logs may hold secrets: only the user who runs the service reads them. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const STATS_AT_ONCE = 64;

/**
 * The machine's own file system.
 *
 * Who may call: any code of one thread; calls on different files run at once. Stateless.
 */
export class NodeStorage implements Storage {
  async makeDirectory(directory: string): Promise<void> {
    await fsPromises.mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  }

  async list(directory: string): Promise<readonly StorageEntry[]> {
    const all = await fsPromises.readdir(directory, { withFileTypes: true });
    const names = all.filter((entry) => entry.isFile()).map(({ name }) => name);
    const entries: StorageEntry[] = [];
    // One after the other, ten thousand files would hold up a start by a second.
    for (let from = 0; from < names.length; from += STATS_AT_ONCE) {
      const some = names.slice(from, from + STATS_AT_ONCE);
      entries.push(...(await Promise.all(some.map((name) => entryOf(directory, name)))));
    }
    return entries;
  }

  async create(file: string): Promise<StorageFile> {
    return new NodeStorageFile(await openDescriptor(file));
  }

  async read(file: string, sizeBytesMax?: number): Promise<Uint8Array> {
    if (sizeBytesMax === undefined) return fsPromises.readFile(file);
    const handle = await fsPromises.open(file, "r");
    try {
      const head = Buffer.alloc(sizeBytesMax);
      let sizeBytes = 0;
      while (sizeBytes < sizeBytesMax) {
        const { bytesRead } = await handle.read(head, sizeBytes, sizeBytesMax - sizeBytes);
        if (bytesRead === 0) break;
        sizeBytes += bytesRead;
      }
      return head.subarray(0, sizeBytes);
    } finally {
      await handle.close();
    }
  }

  async truncate(file: string, sizeBytes: number): Promise<void> {
    await fsPromises.truncate(file, sizeBytes);
  }

  async sync(file: string): Promise<void> {
    // Windows flushes only what is open for writing.
    await syncPath(file, "r+");
  }

  async rename(from: string, to: string): Promise<void> {
    await fsPromises.rename(from, to);
  }

  async remove(file: string): Promise<void> {
    await fsPromises.rm(file, { force: true });
  }

  async freeBytes(directory: string): Promise<number> {
    const { bavail, bsize } = await fsPromises.statfs(directory);
    return bavail * bsize;
  }

  async syncDirectory(directory: string): Promise<void> {
    // Windows cannot open a folder; NTFS journals its entries itself.
    if (process.platform === "win32") return;
    await syncPath(directory, "r");
  }
}

async function entryOf(directory: string, name: string): Promise<StorageEntry> {
  const { size } = await fsPromises.stat(path.join(directory, name));
  return { name, sizeBytes: size };
}

async function syncPath(target: string, flags: "r" | "r+"): Promise<void> {
  const handle = await fsPromises.open(target, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function openDescriptor(file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(file, "ax", FILE_MODE, (error, descriptor) => {
      if (error === null) resolve(descriptor);
      else reject(error);
    });
  });
}

/** A file over its bare descriptor: the promises' file handle costs more than the calls here. */
class NodeStorageFile implements StorageFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async write(buffers: readonly Uint8Array[]): Promise<void> {
    let rest: readonly Uint8Array[] = buffers.filter((buffer) => buffer.length > 0);
    while (rest.length > 0) rest = dropBytes(rest, await this.#writeSome(rest));
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, settle(resolve, reject));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#descriptor, settle(resolve, reject));
    });
  }

  /** The number of bytes written: a nearly full disk takes a part. */
  #writeSome(buffers: readonly Uint8Array[]): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.writev(this.#descriptor, buffers, null, (error, writtenBytes) => {
        if (error !== null) reject(error);
        else if (writtenBytes === 0) reject(new Error("the file system took no byte of a write"));
        else resolve(writtenBytes);
      });
    });
  }
}

function settle(resolve: () => void, reject: (error: Error) => void) {
  return (error: Error | null | undefined): void => {
    if (error === null || error === undefined) resolve();
    else reject(error);
  };
}

/** What is left of `buffers` behind their first `count` bytes. */
export function dropBytes(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let index = 0;
  let skipped = 0;
  for (const buffer of buffers) {
    if (skipped + buffer.length > count) break;
    skipped += buffer.length;
    index++;
  }
  const rest = buffers.slice(index);
  const first = rest[0];
  return first === undefined || skipped === count
    ? rest
    : [first.subarray(count - skipped), ...rest.slice(1)];
}
