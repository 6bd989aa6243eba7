import { join } from "node:path";
import { AppError } from "../core/errors.ts";
import { oldestJournalSeq } from "../journal/oldest-seq.ts";
import type { Storage, StorageEntry } from "../journal/storage.ts";
import type { Manifest } from "./manifest.ts";
import { MANIFEST_FILE, readManifest } from "./manifest.ts";
import type { FoundSegment } from "./manifest-rebuild.ts";
import { rebuildManifest } from "./manifest-rebuild.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { SegmentEntry } from "./segment-format.ts";
import { entryOf } from "./segment-format.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { StoreLog } from "./store-log.ts";

export const SEGMENTS_FOLDER = "segments";
/** Files that were found damaged are moved here, for whoever wants to look at them. */
export const DAMAGED_FOLDER = "damaged";
const SEGMENT_FILE = /\.seg$/;

export interface StockOptions {
  readonly storage: Storage;
  readonly directory: string;
  readonly journalDirectory: string;
  readonly mode: "write" | "read";
  readonly nowUnixMs: number;
  readonly log: StoreLog;
}

/** What a start finds of segments. */
interface Stock {
  /** Names segments that are there. */
  readonly manifest: Manifest;
  /** It is not on disk, or not so. */
  readonly isManifestNew: boolean;
  /** Segments that a manifest named and that are gone or damaged. */
  readonly lost: readonly SegmentEntry[];
  /** Files to set aside. */
  readonly damaged: readonly string[];
  /** Files that count for nothing. */
  readonly leftOver: readonly string[];
}

/**
 * Finds out which segments there are, and changes nothing but a damaged manifest's name.
 *
 * With a manifest, a segment is taken for whole that has the size which the manifest says: its
 * footer is read when it is first opened, and by a check in the background. Without one, all
 * footers are read.
 *
 * Errors: `STORE_FORMAT_UNKNOWN`, `NOT_FOUND`; see `SegmentShelf.open`.
 * Cost:   of a large store the time to list its files; without a manifest to read each footer.
 */
export async function takeStock(options: StockOptions): Promise<Stock> {
  const files = await listSegments(options);
  const onDisk = await loadManifest(options);
  return onDisk.status === "ok"
    ? stockOf(onDisk.manifest, files, options)
    : stockAnew(onDisk, files, options);
}

async function listSegments({
  storage,
  directory,
  mode,
}: StockOptions): Promise<readonly StorageEntry[]> {
  const folder = join(directory, SEGMENTS_FOLDER);
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

type LoadedManifest =
  | { readonly status: "ok"; readonly manifest: Manifest }
  | { readonly status: "missing" }
  | { readonly status: "damaged"; readonly reason: string };

async function loadManifest({ storage, directory }: StockOptions): Promise<LoadedManifest> {
  const path = join(directory, MANIFEST_FILE);
  const names = (await storage.list(directory)).map(({ name }) => name);
  if (!names.includes(MANIFEST_FILE)) return { status: "missing" };
  return readManifest(path, await storage.read(path));
}

function stockOf(manifest: Manifest, files: readonly StorageEntry[], options: StockOptions): Stock {
  const { directory, log } = options;
  const sizes = new Map(files.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const lost = new Set<SegmentEntry>();
  const damaged: string[] = [];
  const last = manifest.segments[manifest.segments.length - 1];
  for (const segment of manifest.segments) {
    const size = sizes.get(segment.file);
    if (size === segment.sizeBytes) continue;
    lost.add(segment);
    if (size === undefined) {
      log.error(`the segment ${segment.file} is gone`);
    } else {
      damaged.push(segment.file);
      const what = `it has ${size} bytes of ${segment.sizeBytes}`;
      log.error(`set aside a damaged segment: ${segment.file}: ${what}`);
    }
  }
  // The one that was written last is of a newer version wherever one is.
  if (last !== undefined && !lost.has(last)) {
    const found = readFound(directory, last.file, last.sizeBytes, log);
    if (found === undefined) {
      lost.add(last);
      damaged.push(last.file);
    }
  }
  const named = new Set(manifest.segments.map(({ file }) => file));
  return {
    manifest: { ...manifest, segments: manifest.segments.filter((one) => !lost.has(one)) },
    isManifestNew: false,
    lost: [...lost],
    damaged,
    leftOver: files.map(({ name }) => name).filter((name) => !named.has(name)),
  };
}

async function stockAnew(
  onDisk: Exclude<LoadedManifest, { status: "ok" }>,
  files: readonly StorageEntry[],
  options: StockOptions,
): Promise<Stock> {
  const { storage, directory, journalDirectory, mode, nowUnixMs, log } = options;
  const found: FoundSegment[] = [];
  const damaged: string[] = [];
  for (const { name, sizeBytes } of files.filter((file) => SEGMENT_FILE.test(file.name))) {
    const segment = readFound(directory, name, sizeBytes, log);
    if (segment === undefined) damaged.push(name);
    else found.push(segment);
  }
  const path = join(directory, MANIFEST_FILE);
  if (onDisk.status === "damaged") {
    log.error(`${path} is damaged and is made anew from the segments: ${onDisk.reason}`);
    if (mode === "write") {
      const aside = join(directory, DAMAGED_FOLDER);
      await storage.makeDirectory(aside);
      await storage.rename(path, join(aside, `${MANIFEST_FILE}.${nowUnixMs}`));
    }
  } else if (found.length + damaged.length > 0) {
    log.error(`${path} is gone and is made anew from the segments`);
  }
  // A new folder has no journal yet.
  const oldestSeq = found.length === 0 ? 0 : await oldestJournalSeq(storage, journalDirectory);
  const manifest = rebuildManifest(found, oldestSeq, nowUnixMs);
  const kept = new Set([...manifest.segments.map(({ file }) => file), ...damaged]);
  const leftOver = files.map(({ name }) => name).filter((name) => !kept.has(name));
  return { manifest, isManifestNew: true, lost: [], damaged, leftOver };
}

/** Reads a segment's footer; undefined where it is damaged. */
function readFound(
  directory: string,
  file: string,
  sizeBytes: number,
  log: StoreLog,
): FoundSegment | undefined {
  try {
    const reader = new SegmentReader(join(directory, SEGMENTS_FOLDER, file));
    const { footer } = reader;
    reader.close();
    return { entry: entryOf(file, sizeBytes, footer), footer };
  } catch (error) {
    if (!(error instanceof SegmentDamage)) throw error;
    log.error(`set aside a damaged segment: ${error.message}`);
    return undefined;
  }
}
