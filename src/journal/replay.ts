import path from "node:path";
import { SIGNALS } from "../core/record.ts";
import { AppError } from "../core/errors.ts";
import type { FileHeader, SignalCounts } from "./file-header.ts";
import { FILE_HEADER_BYTES, readFileHeader } from "./file-header.ts";
import { journalFileName, keysFileName, parseFileName } from "./file-name.ts";
import type { Frame } from "./frame.ts";
import { findSalt } from "./frame-codec.ts";
import type { RetryEntry } from "./keys-file.ts";
import { RetryKeyList, readKeysFile } from "./keys-file.ts";
import { DAMAGE_SENTENCES_MAX } from "./limits.ts";
import { asBuffer } from "./little-endian.ts";
import type { Gap } from "./scan.ts";
import type { FileDecision, FilePosition, HeaderState } from "./recovery-rules.ts";
import { decideFile, decideRest } from "./recovery-rules.ts";
import { scanFrames } from "./scan.ts";
import type { Storage } from "./storage.ts";

/**
 * Replay of a journal's folder. Nothing is changed here; `mendFolder` does that, afterwards.
 *
 * 1. Read the header of every file. A version that is not known stops it.
 * 2. From the newest file to the oldest, follow the headers: each names the file before it and how
 *    much of that counts.
 * 3. Decide for every file by FILE_DECISIONS (recovery-rules.ts).
 * 4. From the oldest to the newest, give on each frame of a file that is replayed. What stands
 *    where no frame can be read is decided by REST_DECISIONS.
 */

/** What replay found. */
export interface JournalReport {
  /** Frames given on. */
  readonly frameCount: number;
  /** Places where frames, or what held them, could not be read, in what was once on disk. */
  readonly damagedCount: number;
  /** One sentence a place with file and offset, `DAMAGE_SENTENCES_MAX` at the most. */
  readonly damage: readonly string[];
  /** Bytes of the torn tail of the newest file; a reader leaves them where they are. */
  readonly cutBytes: number;
  /** Every number below it may have been given away. */
  readonly nextSeq: number;
}

/** A journal file whose frames count. */
interface ReplayedFile {
  readonly fileNumber: number;
  /** Up to the end of what counts. */
  readonly validBytes: number;
  readonly sizeBytes: number;
  /** Every number in it is below; 0 where it holds no frame. */
  readonly endSeq: number;
  readonly keys: RetryKeyList;
}

/** What the folder holds, oldest first. */
export interface ReplayedFolder {
  readonly files: readonly ReplayedFile[];
  readonly keysFiles: readonly { readonly fileNumber: number; readonly keys: RetryKeyList }[];
  /** Names of files that hold nothing that counts. */
  readonly discarded: readonly string[];
  readonly fileNumberMax: number;
  readonly droppedTotals: SignalCounts;
  readonly report: JournalReport;
}

export interface ReplayHandlers {
  readonly onFrame: (frame: Frame) => void;
  readonly onRetryKey: (key: Uint8Array, entry: RetryEntry) => void;
  /** Keys and files of keys older than the window at this time are left out. */
  readonly nowUnixMs: number;
}

/** Errors: `STORE_FORMAT_UNKNOWN` where another version wrote a file; the file system's own. */
export function replayFolder(
  storage: Storage,
  directory: string,
  handlers: ReplayHandlers,
): Promise<ReplayedFolder> {
  return new FolderReplay(storage, directory, handlers).run();
}

interface JournalFile {
  readonly fileNumber: number;
  readonly sizeBytes: number;
  readonly state: HeaderState;
  readonly version?: number;
  readonly header?: FileHeader;
}

interface PlacedFile extends JournalFile {
  readonly position: FilePosition;
  readonly decision: FileDecision;
  /** What the next file's header says; undefined where none does. */
  readonly validBytes: number | undefined;
}

class FolderReplay {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #handlers: ReplayHandlers;
  readonly #files: ReplayedFile[] = [];
  readonly #discarded: string[] = [];
  readonly #damage: string[] = [];
  #damagedCount = 0;
  #frameCount = 0;
  #cutBytes = 0;
  #nextSeq = 0;

  constructor(storage: Storage, directory: string, handlers: ReplayHandlers) {
    this.#storage = storage;
    this.#directory = directory;
    this.#handlers = handlers;
  }

  async run(): Promise<ReplayedFolder> {
    const journalFiles: JournalFile[] = [];
    const keysNumbers: number[] = [];
    for (const { name, sizeBytes } of await this.#storage.list(this.#directory)) {
      const parsed = parseFileName(name);
      switch (parsed.kind) {
        case "journal":
          journalFiles.push(await this.#readHead(parsed.fileNumber, sizeBytes));
          break;
        case "keys":
          keysNumbers.push(parsed.fileNumber);
          break;
        case "temporary":
          this.#discarded.push(name);
          break;
        case "other":
          break;
      }
    }
    journalFiles.sort((a, b) => a.fileNumber - b.fileNumber);
    keysNumbers.sort((a, b) => a - b);
    const placedFiles = placeFiles(journalFiles);
    for (const file of placedFiles) {
      if (file.decision === "refuse") throw unknownVersion(this.#pathOf(file), file.version);
    }
    // Keys first: they are of requests older than those in the files.
    const keysFiles = await this.#replayKeys(keysNumbers);
    this.#reportMissing(placedFiles);
    for (const file of placedFiles) await this.#replayFile(file);
    return {
      files: this.#files,
      keysFiles,
      discarded: this.#discarded,
      fileNumberMax: Math.max(0, journalFiles.at(-1)?.fileNumber ?? 0, keysNumbers.at(-1) ?? 0),
      droppedTotals: maxDropped(journalFiles),
      report: {
        frameCount: this.#frameCount,
        damagedCount: this.#damagedCount,
        damage: this.#damage,
        cutBytes: this.#cutBytes,
        nextSeq: this.#nextSeq,
      },
    };
  }

  async #readHead(fileNumber: number, sizeBytes: number): Promise<JournalFile> {
    const file = this.#pathOf({ fileNumber });
    const reading = readFileHeader(await this.#storage.read(file, FILE_HEADER_BYTES));
    switch (reading.state) {
      case "unknown-version":
        return { fileNumber, sizeBytes, state: "unknown-version", version: reading.version };
      case "short":
        return { fileNumber, sizeBytes, state: "absent" };
      case "ok":
        this.#nextSeq = Math.max(this.#nextSeq, reading.header.nextSeq);
        if (reading.damagedCopies > 0) this.#addDamage(`${file}: a copy of the header is damaged`);
        // A file under another's name: its frames tell what they are, its header does not.
        if (reading.header.fileNumber !== fileNumber) break;
        return { fileNumber, sizeBytes, state: "ok", header: reading.header };
      case "damaged":
        break;
    }
    const salt = findSalt(asBuffer(await this.#storage.read(file)), FILE_HEADER_BYTES);
    return { fileNumber, sizeBytes, state: salt === undefined ? "absent" : "damaged" };
  }

  async #replayKeys(keysNumbers: readonly number[]): Promise<ReplayedFolder["keysFiles"]> {
    const keysFiles: { readonly fileNumber: number; readonly keys: RetryKeyList }[] = [];
    for (const fileNumber of keysNumbers) {
      const file = path.join(this.#directory, keysFileName(fileNumber));
      const reading = readKeysFile(await this.#storage.read(file));
      if (reading.state === "unknown-version") throw unknownVersion(file, reading.version);
      if (reading.state === "damaged") {
        this.#addDamage(`${file}: the retry keys cannot be read`);
        this.#discarded.push(keysFileName(fileNumber));
        continue;
      }
      const live = reading.keys.selectLive(this.#handlers.nowUnixMs);
      if (live.count === 0) this.#discarded.push(keysFileName(fileNumber));
      else keysFiles.push({ fileNumber, keys: live });
    }
    for (const { keys } of keysFiles) {
      for (const [key, entry] of keys.entries()) this.#handlers.onRetryKey(key, entry);
    }
    return keysFiles;
  }

  /** Files are removed oldest first, so a hole in the row is a file that went otherwise. */
  #reportMissing(files: readonly PlacedFile[]): void {
    for (const { header } of files) {
      if (header === undefined) continue;
      const fileNumber = header.previousNumber;
      const hasOlder = files.some((file) => file.fileNumber < fileNumber);
      if (!hasOlder || files.some((file) => file.fileNumber === fileNumber)) continue;
      this.#addDamage(
        `${this.#pathOf({ fileNumber })}: the file is missing, of which ${header.previousBytes} bytes counted`,
      );
    }
  }

  async #replayFile(file: PlacedFile): Promise<void> {
    switch (file.decision) {
      case "replay":
        return this.#replayFrames(file);
      case "replay-without-header":
        this.#addDamage(`${this.#pathOf(file)}: the header is damaged`);
        return this.#replayFrames(file);
      case "discard":
        this.#discarded.push(journalFileName(file.fileNumber));
        if (file.position === "newest") this.#cutBytes += file.sizeBytes;
        return undefined;
      case "report-lost":
        this.#addDamage(`${this.#pathOf(file)}: the header and all frames are damaged`);
        return undefined;
      case "refuse":
        throw unknownVersion(this.#pathOf(file), file.version);
    }
  }

  async #replayFrames(file: PlacedFile): Promise<void> {
    const bytes = asBuffer(await this.#storage.read(this.#pathOf(file)));
    const validBytes = file.validBytes ?? bytes.length;
    const { salt, nextSeq = 0 } = file.header ?? {};
    const keys = new RetryKeyList();
    let endSeq = 0;
    const scan = scanFrames(bytes, { validBytes, salt, nextSeq }, (frame, frameEndSeq) => {
      endSeq = frameEndSeq;
      keys.addFrame(frame);
      this.#frameCount++;
      this.#handlers.onFrame(frame);
    });
    for (const gap of scan.gaps) this.#replayGap(file, gap, gap.endOffset < scan.framesEndOffset);
    this.#nextSeq = Math.max(this.#nextSeq, scan.nextSeq);
    this.#files.push({
      fileNumber: file.fileNumber,
      validBytes: file.position === "newest" ? scan.framesEndOffset : validBytes,
      sizeBytes: file.sizeBytes,
      endSeq,
      keys: keys.isLiveAt(this.#handlers.nowUnixMs) ? keys : new RetryKeyList(),
    });
  }

  #replayGap(file: PlacedFile, gap: Gap, isInMiddle: boolean): void {
    const gapBytes = gap.endOffset - gap.offset;
    const position = file.position === "newest" ? "newest" : "named";
    switch (decideRest(isInMiddle ? "middle" : "end", position)) {
      case "cut":
        this.#cutBytes += gapBytes;
        return;
      case "report-damage":
        this.#addDamage(
          `${this.#pathOf(file)}: ${gapBytes} bytes at offset ${gap.offset} are damaged`,
        );
        return;
    }
  }

  #pathOf(file: { readonly fileNumber: number }): string {
    return path.join(this.#directory, journalFileName(file.fileNumber));
  }

  #addDamage(sentence: string): void {
    this.#damagedCount++;
    if (this.#damage.length < DAMAGE_SENTENCES_MAX) this.#damage.push(sentence);
  }
}

/** Follows the headers from the newest file back. `files` and the answer are oldest first. */
function placeFiles(files: readonly JournalFile[]): readonly PlacedFile[] {
  const placed: PlacedFile[] = [];
  let isNewest = true;
  let next: FileHeader | undefined;
  for (const file of files.toReversed()) {
    const isSkipped = next !== undefined && file.fileNumber > next.previousNumber;
    const position = isNewest ? "newest" : isSkipped ? "skipped" : "named";
    const isNamed = next !== undefined && next.previousNumber === file.fileNumber;
    const validBytes = isNamed ? next?.previousBytes : undefined;
    const decision = decideFile(file.state, position);
    placed.push({ ...file, position, decision, validBytes });
    if (decision === "discard") continue;
    isNewest = false;
    // Where a header is lost, all of the file before it counts.
    next = file.header;
  }
  return placed.reverse();
}

/** The headers repeat running totals, so the largest is the last. */
function maxDropped(files: readonly JournalFile[]): SignalCounts {
  const totals = { logs: 0, traces: 0, metrics: 0 };
  for (const { header } of files) {
    if (header === undefined) continue;
    for (const signal of SIGNALS) {
      totals[signal] = Math.max(totals[signal], header.droppedTotals[signal]);
    }
  }
  return totals;
}

function unknownVersion(file: string, version: number | undefined): AppError {
  return new AppError(
    "STORE_FORMAT_UNKNOWN",
    `${file} has format version ${version ?? "unknown"}, and this version of dora reads 1`,
  );
}

/**
 * Makes the folder hold what replay gave on, and nothing else: cuts the torn tail, makes what is
 * left of the newest file durable, and removes the files that do not count.
 *
 * The syncs are for a process that was killed between a write and its sync: its frames were given on,
 * and a sender that tries again is told that they are on disk.
 */
export async function mendFolder(
  storage: Storage,
  directory: string,
  folder: ReplayedFolder,
): Promise<void> {
  const newest = folder.files.at(-1);
  if (newest !== undefined) {
    const file = path.join(directory, journalFileName(newest.fileNumber));
    if (newest.sizeBytes > newest.validBytes) await storage.truncate(file, newest.validBytes);
    await storage.sync(file);
  }
  for (const name of folder.discarded) await storage.remove(path.join(directory, name));
  if (newest !== undefined) await storage.syncDirectory(directory);
}
