import { join } from "node:path";
import { AppError } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { Storage } from "../journal/storage.ts";
import type { Manifest, ManifestState } from "./manifest.ts";
import { MANIFEST_FILE, readManifest, writeManifest } from "./manifest.ts";
import type { FoundSegment } from "./manifest-rebuild.ts";
import { rebuildManifest } from "./manifest-rebuild.ts";
import type { SealedSegment } from "./sealer.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { entryOf } from "./segment-format.ts";
import { SegmentDamage } from "./segment-damage.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { StoreLog } from "./store-log.ts";

export const SEGMENTS_FOLDER = "segments";
/** Files that were found damaged are moved here, for whoever wants to look at them. */
export const DAMAGED_FOLDER = "damaged";
const SEGMENT_FILE = /\.seg$/;

/** A damaged segment that was set aside, and how many records were in it. */
export interface LostSegment {
  readonly signal: Signal;
  readonly rows: number;
}

export interface ShelfOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly mode: "write" | "read";
  readonly nowUnixMs: number;
  readonly log: StoreLog;
}

/**
 * The segment files and the manifest that names them. A segment is on the shelf once the manifest
 * that names it is on disk, and not before.
 *
 * Concurrency: one call that writes at a time; the store queues them.
 */
export class SegmentShelf {
  readonly #storage: Storage;
  readonly #directory: string;
  #manifest: Manifest;
  readonly #readers = new ActiveReaders();
  /** Files that no manifest names any more, to go once nobody can be reading them. */
  #doomed: { readonly file: string; readonly lastReader: number }[] = [];

  /**
   * Reads the manifest, makes it anew where it is lost, and sets damaged segments aside.
   *
   * Errors: `STORE_FORMAT_UNKNOWN` with nothing changed; `NOT_FOUND` for a folder without a store
   *         in the mode "read".
   */
  static async open(
    options: ShelfOptions,
  ): Promise<{ readonly shelf: SegmentShelf; readonly lost: readonly LostSegment[] }> {
    const { storage, directory, mode, log } = options;
    const segmentsFolder = join(directory, SEGMENTS_FOLDER);
    const files = await listSegments(storage, segmentsFolder, mode);
    const found = new Map<string, FoundSegment>();
    const damaged: string[] = [];
    for (const { name, sizeBytes } of files) {
      if (!SEGMENT_FILE.test(name)) continue;
      try {
        found.set(name, readFound(segmentsFolder, name, sizeBytes));
      } catch (error) {
        if (!(error instanceof SegmentDamage)) throw error;
        damaged.push(name);
        log.error(`set aside a damaged segment: ${error.message}`);
      }
    }
    const onDisk = await loadManifest(options);
    const manifest = onDisk ?? rebuildManifest([...found.values()], options.nowUnixMs);
    const shelf = new SegmentShelf(storage, directory, manifest);
    const kept = manifest.segments.filter(({ file }) => found.has(file));
    const lost = manifest.segments.filter(({ file }) => !found.has(file));
    for (const { file } of lost) {
      if (!damaged.includes(file)) log.error(`the segment ${file} is gone`);
    }
    shelf.#manifest = { ...manifest, segments: kept };
    if (mode === "write") {
      const names = files.map(({ name }) => name);
      await shelf.#tidy(names, damaged);
      // A new store has its manifest from the start, so that one that is gone later is missed.
      if (onDisk === undefined) await shelf.save(manifest);
    }
    return { shelf, lost };
  }

  private constructor(storage: Storage, directory: string, manifest: Manifest) {
    this.#storage = storage;
    this.#directory = directory;
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

  /** Moves damaged files away, and removes what a crash left half done. */
  async #tidy(files: readonly string[], damaged: readonly string[]): Promise<void> {
    const named = new Set(this.#manifest.segments.map(({ file }) => file));
    const folder = this.segmentsDirectory;
    if (damaged.length > 0) {
      const aside = join(this.#directory, DAMAGED_FOLDER);
      await this.#storage.makeDirectory(aside);
      for (const file of damaged) await this.#storage.rename(join(folder, file), join(aside, file));
      await this.#storage.syncDirectory(aside);
    }
    // Not named by the manifest: a seal that a crash cut short. The journal has its rows. No sync:
    // what comes back at a crash is removed again at the next start.
    const leftOver = files.filter((file) => !named.has(file) && !damaged.includes(file));
    for (const file of leftOver) await this.#storage.remove(join(folder, file));
  }

  /**
   * Writes segments and names them in the manifest, in one step for readers and for a crash.
   *
   * Errors: the file system's. The shelf is then as it was; files that were written already are
   *         removed at the next start.
   */
  async add(segments: readonly SealedSegment[], state: ManifestState): Promise<void> {
    const folder = this.segmentsDirectory;
    for (const { entry, bytes } of segments) {
      const temporary = join(folder, `${entry.file}.tmp`);
      await this.#storage.remove(temporary);
      const file = await this.#storage.create(temporary);
      try {
        await file.write([bytes]);
        await file.sync();
      } finally {
        await file.close();
      }
      await this.#storage.rename(temporary, join(folder, entry.file));
    }
    await this.#storage.syncDirectory(folder);
    await this.#commit(state, [...this.segments, ...segments.map(({ entry }) => entry)]);
  }

  /** Takes segments off the shelf; their files go once no query can be reading them. */
  async remove(segments: readonly SegmentEntry[], state: ManifestState): Promise<void> {
    const kept = this.segments.filter((segment) => !segments.includes(segment));
    await this.#commit(state, kept);
    const lastReader = this.#readers.last;
    for (const { file } of segments) this.#doomed.push({ file, lastReader });
    await this.sweep();
  }

  /** Removes the doomed files that nobody reads any more. */
  async sweep(): Promise<void> {
    const isFree = ({ lastReader }: { readonly lastReader: number }): boolean =>
      this.#readers.first > lastReader;
    const free = this.#doomed.filter(isFree);
    if (free.length === 0) return;
    this.#doomed = this.#doomed.filter((doomed) => !isFree(doomed));
    for (const { file } of free) await this.#storage.remove(join(this.segmentsDirectory, file));
  }

  /** Writes the manifest with a new state and the same segments. */
  async save(state: ManifestState): Promise<void> {
    await this.#commit(state, this.segments);
  }

  async #commit(state: ManifestState, segments: readonly SegmentEntry[]): Promise<void> {
    const manifest: Manifest = { ...this.#manifest, ...state, segments };
    await writeManifest(this.#storage, this.#directory, manifest);
    this.#manifest = manifest;
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

async function listSegments(
  storage: Storage,
  folder: string,
  mode: "write" | "read",
): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]> {
  if (mode === "write") await storage.makeDirectory(folder);
  try {
    return await storage.list(folder);
  } catch (error) {
    throw new AppError("NOT_FOUND", `${folder} is not the folder of a store`, {
      cause: error,
      hint: "give the folder that `dora serve --data-dir` was given",
    });
  }
}

function readFound(folder: string, file: string, sizeBytes: number): FoundSegment {
  const reader = new SegmentReader(join(folder, file));
  const { footer } = reader;
  reader.close();
  return { entry: entryOf(file, sizeBytes, footer), footer };
}

/** The manifest on disk; undefined for a new store, and where it must be made anew. */
async function loadManifest(options: ShelfOptions): Promise<Manifest | undefined> {
  const { storage, directory, mode, nowUnixMs, log } = options;
  const path = join(directory, MANIFEST_FILE);
  const names = (await storage.list(directory)).map(({ name }) => name);
  if (!names.includes(MANIFEST_FILE)) {
    const folder = join(directory, SEGMENTS_FOLDER);
    const hasSegments = (await storage.list(folder)).some(({ name }) => SEGMENT_FILE.test(name));
    if (hasSegments) log.error(`${path} is gone and is made anew from the segments`);
    return undefined;
  }
  const read = readManifest(path, await storage.read(path));
  if (read.status === "ok") return read.manifest;
  log.error(`${path} is damaged and is made anew from the segments: ${read.reason}`);
  if (mode === "write") {
    const aside = join(directory, DAMAGED_FOLDER);
    await storage.makeDirectory(aside);
    await storage.rename(path, join(aside, `${MANIFEST_FILE}.${nowUnixMs}`));
  }
  return undefined;
}
