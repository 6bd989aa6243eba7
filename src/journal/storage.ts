/**
 * The file system as the journal and the store use it. Everything that must survive a crash goes
 * through it, so that a test can stand in for the disk: `test/fault/fault-storage.ts` discards all
 * that was not synced and fails any one call.
 *
 * Errors: every method rejects with the file system's own error.
 */
export interface Storage {
  /** Makes a folder and those above it. Durable only after `syncDirectory` of the folder above. */
  makeDirectory(path: string): Promise<void>;
  /** Names and sizes of the files in a folder, folders left out, in no order. */
  list(directory: string): Promise<readonly StorageEntry[]>;
  /** Creates a file that must not exist yet, for appending. */
  create(path: string): Promise<StorageFile>;
  /** The whole file, or its first `sizeBytesMax` bytes. */
  read(path: string, sizeBytesMax?: number): Promise<Uint8Array>;
  /** Durable only after `sync` of the file. */
  truncate(path: string, sizeBytes: number): Promise<void>;
  /** Makes a file durable as it is now, whoever wrote it, such as a process that was killed. */
  sync(path: string): Promise<void>;
  /** Replaces `to` if it exists. Durable only after `syncDirectory` of the folder. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is no error. */
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in a folder durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that can still be written to the disk that a folder is on. */
  freeBytes(directory: string): Promise<number>;
}

export interface StorageEntry {
  readonly name: string;
  readonly sizeBytes: number;
}

/** A file open for appending. One call at a time. */
export interface StorageFile {
  /** Appends all buffers in order. After a failure the file's end is unknown. */
  write(buffers: readonly Uint8Array[]): Promise<void>;
  /** Resolves once everything written is on disk (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}
