import { join } from "node:path";
import type { Storage } from "../journal/storage.ts";
import type { Manifest, ManifestState } from "./manifest.ts";
import { writeManifest } from "./manifest.ts";
import type { SealedSegment } from "./sealer.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { temporaryName } from "./segment-names.ts";
import type { StockOptions } from "./segment-stock.ts";
import { DAMAGED_FOLDER, SEGMENTS_FOLDER, takeStock } from "./segment-stock.ts";
import type { StoreLog } from "./store-log.ts";

/**
 * The segment files and the manifest that names them. A segment is on the shelf once the manifest
 * that names it is on disk, and not before.
 *
 * Concurrency: one call that writes at a time; the store queues them.
 */
export class SegmentShelf {
  readonly #storage: Storage;
  readonly #directory: string;
  readonly #log: StoreLog;
  #manifest: Manifest;
  /** A commit failed: the manifest on disk is the one in memory or the one that was to be. */
  #isUncertain = false;
  readonly #readers = new ActiveReaders();
  /** Files that have their name and may not be in the manifest on disk. */
  readonly #unnamed = new Set<string>();
  /** Files that no manifest names any more, to go once nobody can be reading them. */
  #doomed: { readonly file: string; readonly lastReader: number }[] = [];

  /**
   * Reads the manifest, or makes it anew where it is lost; sets aside damaged segments, and removes
   * what a crash left half done. Segments that are lost are given for the counters.
   *
   * Errors: `STORE_FORMAT_UNKNOWN` with nothing changed; `NOT_FOUND` for a folder without a store
   *         in the mode "read".
   */
  static async open(
    options: StockOptions,
  ): Promise<{ readonly shelf: SegmentShelf; readonly lost: readonly SegmentEntry[] }> {
    const stock = await takeStock(options);
    const shelf = new SegmentShelf(options, stock.manifest);
    if (options.mode === "write") {
      await shelf.#moveAside(stock.damaged);
      // Not named by the manifest: a seal or a merge that a crash cut short. The journal, or the
      // merge's sources, have its rows. No sync: what comes back at a crash goes at the next start.
      for (const file of stock.leftOver) await shelf.#storage.remove(shelf.#pathOf(file));
      // A new store has its manifest from the start, so that one that is gone later is missed.
      if (stock.isManifestNew) await shelf.save(stock.manifest);
    }
    return { shelf, lost: stock.lost };
  }

  private constructor({ storage, directory, log }: StockOptions, manifest: Manifest) {
    this.#storage = storage;
    this.#directory = directory;
    this.#log = log;
    this.#manifest = manifest;
  }

  get state(): ManifestState {
    return this.#manifest;
  }

  get segments(): readonly SegmentEntry[] {
    return this.#manifest.segments;
  }

  get segmentsDirectory(): string {
    return join(this.#directory, SEGMENTS_FOLDER);
  }

  #pathOf(file: string): string {
    return join(this.segmentsDirectory, file);
  }

  async #moveAside(files: readonly string[]): Promise<void> {
    if (files.length === 0) return;
    const aside = join(this.#directory, DAMAGED_FOLDER);
    await this.#storage.makeDirectory(aside);
    for (const file of files) await this.#storage.rename(this.#pathOf(file), join(aside, file));
    await this.#storage.syncDirectory(aside);
  }

  /**
   * Writes segments and names them in the manifest, in one step for readers and for a crash.
   *
   * Errors: the file system's. The shelf is then as it was; files that were written already are
   *         removed later.
   */
  async add(segments: readonly SealedSegment[], state: ManifestState): Promise<void> {
    await this.#settle();
    for (const { entry, bytes } of segments) {
      const temporary = this.#pathOf(temporaryName(entry.file));
      await this.#storage.remove(temporary);
      const file = await this.#storage.create(temporary);
      try {
        await file.write([bytes]);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#rename(entry.file);
    }
    await this.#storage.syncDirectory(this.segmentsDirectory);
    await this.#commit(state, [...this.segments, ...segments.map(({ entry }) => entry)]);
  }

  /**
   * Puts a merged segment, which is on disk under its temporary name, in the place of its sources,
   * in one step for readers and for a crash. Errors: as `add`.
   */
  async replace(
    sources: readonly SegmentEntry[],
    merged: SegmentEntry,
    state: ManifestState,
  ): Promise<void> {
    await this.#settle();
    await this.#rename(merged.file);
    await this.#storage.syncDirectory(this.segmentsDirectory);
    const kept = this.segments.filter((segment) => !sources.includes(segment));
    await this.#commit(state, [...kept, merged]);
    this.#doom(sources);
  }

  async #rename(file: string): Promise<void> {
    this.#unnamed.add(file);
    await this.#storage.rename(this.#pathOf(temporaryName(file)), this.#pathOf(file));
  }

  /** Takes segments off the shelf. Errors: as `add`. */
  async remove(segments: readonly SegmentEntry[], state: ManifestState): Promise<void> {
    await this.#settle();
    const kept = this.segments.filter((segment) => !segments.includes(segment));
    await this.#commit(state, kept);
    this.#doom(segments);
  }

  /** Takes damaged segments off the shelf, and moves their files to where they can be looked at. */
  async setAside(segments: readonly SegmentEntry[], state: ManifestState): Promise<void> {
    await this.#settle();
    const kept = this.segments.filter((segment) => !segments.includes(segment));
    await this.#commit(state, kept);
    for (const { file } of segments) {
      await this.#moveAside([file]).catch((error: unknown) => {
        this.#log.warn(`cannot move ${file} to ${DAMAGED_FOLDER}: ${String(error)}`);
      });
    }
  }

  #doom(segments: readonly SegmentEntry[]): void {
    const lastReader = this.#readers.last;
    for (const { file } of segments) this.#doomed.push({ file, lastReader });
  }

  /** Whether files wait to be removed that nobody reads any more. */
  get hasFree(): boolean {
    const { first } = this.#readers;
    return this.#doomed.some(({ lastReader }) => first > lastReader);
  }

  /**
   * Removes the files that nobody reads any more, and gives their names. One that cannot be removed
   * now is tried again at the next call.
   */
  async sweep(): Promise<readonly string[]> {
    const { first } = this.#readers;
    const free = this.#doomed.filter(({ lastReader }) => first > lastReader);
    this.#doomed = this.#doomed.filter(({ lastReader }) => first <= lastReader);
    const removed: string[] = [];
    for (const doomed of free) {
      // A seal that was tried again has taken the name of the file that the first try left.
      if (this.segments.some(({ file }) => file === doomed.file)) continue;
      try {
        await this.#storage.remove(this.#pathOf(doomed.file));
        removed.push(doomed.file);
      } catch (error) {
        this.#doomed.push(doomed);
        this.#log.warn(`cannot remove ${doomed.file}, it is tried again: ${String(error)}`);
      }
    }
    return removed;
  }

  /** Writes the manifest with a new state and the same segments. */
  async save(state: ManifestState): Promise<void> {
    await this.#commit(state, this.segments);
  }

  /**
   * Makes sure that the manifest on disk is the one in memory. Else a second try of a seal or merge
   * would put a file in the place of one of the same name that the manifest on disk may count on.
   */
  async #settle(): Promise<void> {
    if (this.#isUncertain) await this.save(this.#manifest);
  }

  async #commit(state: ManifestState, segments: readonly SegmentEntry[]): Promise<void> {
    const manifest: Manifest = { ...this.#manifest, ...state, segments };
    this.#isUncertain = true;
    await writeManifest(this.#storage, this.#directory, manifest);
    this.#isUncertain = false;
    this.#manifest = manifest;
    for (const { file } of segments) this.#unnamed.delete(file);
    for (const file of this.#unnamed) this.#doomed.push({ file, lastReader: 0 });
    this.#unnamed.clear();
  }

  /** Keeps the files of the present segments until the returned function is called. */
  read(): () => void {
    return this.#readers.enter();
  }
}

/** Numbers the readers, so that a file goes only when all who may have seen it have left. */
class ActiveReaders {
  last = 0;
  /** Ascending, as they entered. */
  readonly #active = new Set<number>();

  enter(): () => void {
    const reader = ++this.last;
    this.#active.add(reader);
    return () => void this.#active.delete(reader);
  }

  /** The reader who entered first of those still there. */
  get first(): number {
    for (const reader of this.#active) return reader;
    return Number.POSITIVE_INFINITY;
  }
}
