import { assert } from "../core/assert.ts";
import { randomInt } from "node:crypto";
import path from "node:path";
import type { Clock } from "../core/clock.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { SignalCounts } from "./file-header.ts";
import { FILE_HEADER_BYTES, encodeFileHeader } from "./file-header.ts";
import { journalFileName } from "./file-name.ts";
import type { JournalFile } from "./commit-batch.ts";
import { addToFile, batchBytes, encodeBatch, takeBatch } from "./commit-batch.ts";
import type { Frame } from "./frame.ts";
import { frameSeqCount } from "./frame.ts";
import { RetryKeyList } from "./keys-file.ts";
import { KeysFolder } from "./keys-folder.ts";
import { FRAME_PAYLOAD_BYTES_MAX, JOURNAL_FILE_BYTES_MAX, RELEASE_BYTES_MIN } from "./limits.ts";
import type { JournalReport, ReplayedFolder } from "./replay.ts";
import { mendFolder, replayFolder } from "./replay.ts";
import type { Storage, StorageFile } from "./storage.ts";

/**
 * The journal: requests are on disk here before they are acknowledged.
 *
 *     append ──▶ #pending ──▶ one write, one sync ──▶ onCommitted(count)
 *                   ▲              │ failed
 *                   │              ▼
 *                   └── all of it: onFailed(error, count), then a new file that says so
 *
 *     000000000012.keys            retry keys of a file that went
 *     000000000013.journal         closed: goes once the store and every reader are past it
 *     000000000014.journal         the newest: its header says how much of 13 counts
 *
 * A commit:
 *
 * 1. Take what is pending, up to `COMMIT_BYTES_MAX`.
 * 2. If there is no file, or no room in it, begin one: its header goes first in the same write.
 * 3. Write, sync the file, and for a new file the folder.
 * 4. `onCommitted`. What was appended meanwhile is the next commit.
 *
 * After a failure nobody knows what is on the disk: a failed sync may have dropped pages that the
 * kernel then calls clean. So the file gets no further byte. The next one's header says how much of
 * it counts, and how many records were dropped; it is written at once, and where that fails too,
 * with each append until it succeeds.
 *
 * Source: docs/format.md "Journal".
 */

export interface JournalOptions {
  readonly storage: Storage;
  /** Made if it is not there, in the mode "write". Only one process may have it open so. */
  readonly directory: string;
  readonly clock: Clock;
  /** "read" replays and changes nothing. */
  readonly mode: "write" | "read";
  /**
   * Called in order for every frame on disk, before `open` resolves.
   *
   * Pitfalls: payload and retry key are views of a whole file's bytes: copy what is kept.
   */
  readonly onFrame: (frame: Frame) => void;
  /** Called for the live keys of files that went, before the first frame. */
  readonly onRetryKey?: (
    key: Uint8Array,
    receivedUnixMs: number,
    receivedCount: number,
    rejectedCount: number,
  ) => void;
  /** The first `count` pending frames, in the order of their appending, are on disk. */
  readonly onCommitted?: (count: number) => void;
  /**
   * All `count` pending frames are dropped. They do not come back at a replay once `isBroken` is
   * false; a process that ends before that may find them, and their retry keys with them.
   */
  readonly onFailed?: (error: Error, count: number) => void;
  readonly fileBytesMax?: number;
}

type Tail =
  /** The next commit begins a file. */
  | { readonly state: "none" }
  | {
      readonly state: "open";
      readonly file: JournalFile;
      readonly handle: StorageFile;
      readonly salt: number;
    }
  /** As "none", and what the next header says of dropped records is not on disk yet. */
  | { readonly state: "broken" };

/**
 * Who may call: one thread. Appends may come at any time, from the callbacks too; any number of
 * `flush` and `release` calls may wait at once.
 * Errors: after `close`, `append` throws `STORE_CLOSED`.
 */
export class Journal {
  readonly #options: JournalOptions;
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #fileBytesMax: number;
  readonly #keysFolder: KeysFolder;
  /** Oldest first. The last one is never removed: its header holds the counts and numbers. */
  readonly #files: JournalFile[];
  /** Files begun in vain. If one stays, the header of the next file passes it over. */
  readonly #abandoned = new Set<string>();
  readonly #dropped: { [signal in Signal]: number };
  #tail: Tail = { state: "none" };
  #fileNumberMax: number;
  #nextSeq: number;

  #pending: Frame[] = [];
  /** Frames ever appended, and those of them whose callback was called. */
  #appendedCount = 0;
  #settledCount = 0;
  #isCommitting = false;
  /** Begin a new file although nothing may be pending. */
  #isFileWanted = false;
  /** New files begun, or tried in vain. */
  #fileAttemptCount = 0;
  #waiters: { readonly isDone: () => boolean; readonly resolve: () => void }[] = [];
  #releasing: Promise<void> = Promise.resolve();
  #isClosed = false;

  /**
   * Replays the folder, then takes appends.
   *
   * Errors: `STORE_FORMAT_UNKNOWN` where another version of dora wrote a file, with nothing changed;
   *         `STORE_UNWRITABLE` with the file system's error as its cause.
   * Cost:   memory for one file at a time.
   */
  static async open(
    options: JournalOptions,
  ): Promise<{ readonly journal: Journal; readonly report: JournalReport }> {
    const { storage, directory, clock, onFrame, onRetryKey } = options;
    try {
      if (options.mode === "write") {
        await storage.makeDirectory(directory);
        await storage.syncDirectory(path.dirname(directory));
      }
      const folder = await replayFolder(storage, directory, {
        onFrame,
        onRetryKey: (key, entry) => {
          onRetryKey?.(key, entry.receivedUnixMs, entry.receivedCount, entry.rejectedCount);
        },
        nowUnixMs: unixMs(clock),
      });
      if (options.mode === "write") await mendFolder(storage, directory, folder);
      return { journal: new Journal(options, folder), report: folder.report };
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw storageFailure(`cannot open the journal in ${directory}`, error);
    }
  }

  private constructor(options: JournalOptions, folder: ReplayedFolder) {
    this.#options = options;
    this.#storage = options.storage;
    this.#directory = options.directory;
    this.#fileBytesMax = options.fileBytesMax ?? JOURNAL_FILE_BYTES_MAX;
    this.#keysFolder = new KeysFolder(options.storage, options.directory, folder.keysFiles);
    this.#files = folder.files.map(({ fileNumber, validBytes, endSeq, keys }) => {
      return { fileNumber, bytes: validBytes, endSeq, keys };
    });
    this.#dropped = { ...folder.droppedTotals };
    this.#fileNumberMax = folder.fileNumberMax;
    this.#nextSeq = folder.report.nextSeq;
  }

  /** Records of failed frames since the store was created, as far as headers and memory tell. */
  get droppedTotals(): SignalCounts {
    return { ...this.#dropped };
  }

  /** Whether the last write failed and no new file was begun since. */
  get isBroken(): boolean {
    return this.#tail.state === "broken";
  }

  /** Bytes on disk that count, retry keys left out. */
  get sizeBytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  get fileCount(): number {
    return this.#files.length;
  }

  /**
   * Takes a frame. `onCommitted` or `onFailed` says what became of it, in the order of appending,
   * never before this call has returned.
   *
   * Limits: none of its own: the caller bounds what is pending.
   * Pitfalls: keeps the frame and its payload until then. Numbers must ascend.
   */
  append(frame: Frame): void {
    assert(this.#options.mode === "write", "a journal that is open for reading takes no frame");
    assert(frame.firstSeq >= this.#nextSeq, "sequence numbers ascend and are never used twice");
    assert(frame.payload.length <= FRAME_PAYLOAD_BYTES_MAX, "the payload is within its limit");
    if (this.#isClosed) throw new AppError("STORE_CLOSED", "the journal is closed");
    this.#nextSeq = frame.firstSeq + frameSeqCount(frame);
    this.#appendedCount++;
    this.#pending.push(frame);
    this.#wake();
  }

  /** Resolves once everything appended so far is committed or failed. */
  flush(): Promise<void> {
    const target = this.#appendedCount;
    return this.#wait(() => this.#settledCount >= target);
  }

  /**
   * Removes the files in which every number is below `throughSeq`, oldest first; their retry keys
   * that are still within the window stay. The newest file is replaced by an empty one if nothing
   * in it is needed.
   *
   * Errors: `STORE_UNWRITABLE`; what could not be removed is tried again by the next call.
   */
  release(throughSeq: number): Promise<void> {
    assert(this.#options.mode === "write", "a journal that is open for reading removes nothing");
    const release = this.#releasing.then(() => this.#removeThrough(throughSeq));
    // The failure goes to this call's caller; the next call waits only for the end of this one.
    this.#releasing = release.catch(() => undefined);
    return release;
  }

  /**
   * Takes no further frame, waits for those taken, and closes the file. If the journal is broken it
   * tries once more to write down what was dropped.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#wait(() => !this.#isCommitting);
    await this.#releasing;
    if (this.isBroken) await this.#beginFile();
    await this.#wait(() => !this.#isCommitting);
    if (this.#tail.state === "open") await closeQuietly(this.#tail.handle);
    this.#tail = { state: "none" };
  }

  #wake(): void {
    if (this.#isCommitting) return;
    this.#isCommitting = true;
    // Behind the I/O of this turn, so that all requests that arrived together share the first sync.
    setImmediate(() => void this.#commitAll());
  }

  async #commitAll(): Promise<void> {
    while (this.#pending.length > 0 || this.#isFileWanted) await this.#commitNext();
    this.#isCommitting = false;
    this.#resolveWaiters();
  }

  async #commitNext(): Promise<void> {
    const batch = takeBatch(this.#pending);
    const isFileWanted = this.#isFileWanted;
    this.#isFileWanted = false;
    try {
      await this.#write(batch, isFileWanted);
    } catch (error) {
      await this.#fail(error instanceof Error ? error : new Error(String(error)));
      this.#resolveWaiters();
      return;
    }
    this.#pending = this.#pending.slice(batch.length);
    this.#settledCount += batch.length;
    if (batch.length > 0) this.#options.onCommitted?.(batch.length);
    this.#resolveWaiters();
  }

  async #write(batch: readonly Frame[], isFileWanted: boolean): Promise<void> {
    const tail = this.#tail;
    const hasRoom =
      tail.state === "open" &&
      (tail.file.bytes === FILE_HEADER_BYTES ||
        tail.file.bytes + batchBytes(batch) <= this.#fileBytesMax);
    if (tail.state !== "open" || !hasRoom || isFileWanted) {
      await this.#writeNewFile(batch).finally(() => this.#fileAttemptCount++);
      return;
    }
    const buffers = encodeBatch(batch, tail.salt);
    await tail.handle.write(buffers);
    await tail.handle.sync();
    addToFile(tail.file, batch, buffers);
  }

  async #writeNewFile(batch: readonly Frame[]): Promise<void> {
    const previous = this.#files.at(-1);
    const fileNumber = ++this.#fileNumberMax;
    const salt = randomInt(2 ** 32);
    const header = encodeFileHeader({
      fileNumber,
      previousNumber: previous?.fileNumber ?? 0,
      previousBytes: previous?.bytes ?? 0,
      nextSeq: batch[0]?.firstSeq ?? this.#nextSeq,
      droppedTotals: this.#dropped,
      salt,
    });
    const file = { fileNumber, bytes: 0, endSeq: 0, keys: new RetryKeyList() };
    const filePath = path.join(this.#directory, journalFileName(fileNumber));
    const handle = await this.#storage.create(filePath);
    try {
      const buffers = [header, ...encodeBatch(batch, salt)];
      await handle.write(buffers);
      await handle.sync();
      await this.#storage.syncDirectory(this.#directory);
      addToFile(file, batch, buffers);
    } catch (error) {
      await closeQuietly(handle);
      this.#abandoned.add(filePath);
      await this.#removeAbandoned().catch(() => undefined);
      throw error;
    }
    if (this.#tail.state === "open") await closeQuietly(this.#tail.handle);
    this.#tail = { state: "open", file, handle, salt };
    this.#files.push(file);
    const nowUnixMs = unixMs(this.#options.clock);
    for (const closed of this.#files) {
      if (!closed.keys.isLiveAt(nowUnixMs)) closed.keys = new RetryKeyList();
    }
  }

  /** Drops all that is pending, then gives up the file and tries to begin another. */
  async #fail(cause: Error): Promise<void> {
    const tail = this.#tail;
    const frames = this.#pending;
    this.#pending = [];
    this.#tail = { state: "broken" };
    this.#settledCount += frames.length;
    for (const frame of frames) this.#dropped[frame.signal] += frame.receivedCount;
    if (frames.length > 0) this.#options.onFailed?.(cause, frames.length);
    if (tail.state !== "open") return;
    await closeQuietly(tail.handle);
    // Gives a full disk room for the next header. Only that header has to hold, so a failure is
    // of no consequence.
    const filePath = path.join(this.#directory, journalFileName(tail.file.fileNumber));
    await this.#storage.truncate(filePath, tail.file.bytes).catch(() => undefined);
    this.#isFileWanted = true;
  }

  async #removeThrough(throughSeq: number): Promise<void> {
    const newest = this.#files.at(-1);
    const isNeeded = newest === undefined || newest.endSeq > throughSeq;
    if (!isNeeded && newest.bytes > RELEASE_BYTES_MIN) await this.#beginFile();
    const nowUnixMs = unixMs(this.#options.clock);
    try {
      await this.#removeAbandoned();
      for (;;) {
        const oldest = this.#files[0];
        if (this.#files.length < 2 || oldest.endSeq > throughSeq) break;
        await this.#keysFolder.add(oldest.fileNumber, oldest.keys.selectLive(nowUnixMs));
        await this.#storage.remove(path.join(this.#directory, journalFileName(oldest.fileNumber)));
        this.#files.shift();
      }
      await this.#keysFolder.removeExpired(nowUnixMs);
    } catch (error) {
      throw storageFailure(`cannot remove a file from the journal in ${this.#directory}`, error);
    }
  }

  /** They go, for good, before the file whose header passes them over can go. */
  async #removeAbandoned(): Promise<void> {
    if (this.#abandoned.size === 0) return;
    for (const filePath of this.#abandoned) await this.#storage.remove(filePath);
    await this.#storage.syncDirectory(this.#directory);
    this.#abandoned.clear();
  }

  /** Begins a new file, if the disk lets it: otherwise the journal is broken. */
  #beginFile(): Promise<void> {
    const attemptCount = this.#fileAttemptCount;
    this.#isFileWanted = true;
    this.#wake();
    return this.#wait(() => this.#fileAttemptCount > attemptCount);
  }

  #wait(isDone: () => boolean): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ isDone, resolve }));
  }

  #resolveWaiters(): void {
    const isDone = Map.groupBy(this.#waiters, (waiter) => waiter.isDone());
    this.#waiters = isDone.get(false) ?? [];
    for (const waiter of isDone.get(true) ?? []) waiter.resolve();
  }
}

/** For a file whose bytes are synced or given up: then the outcome of closing tells nothing. */
async function closeQuietly(handle: StorageFile): Promise<void> {
  await handle.close().catch(() => undefined);
}

function unixMs(clock: Clock): number {
  return Number(clock.nowUnixNs() / 1_000_000n);
}

function storageFailure(what: string, cause: unknown): AppError {
  return new AppError("STORE_UNWRITABLE", `${what}: ${errorMessage(cause)}`, { cause });
}
