import { basename, join } from "node:path";
import type { Block } from "./block.ts";
import { ColumnCache } from "./column-cache.ts";
import type { CountsBlock } from "./counts-block.ts";
import { readCounts } from "./counts-block.ts";
import type { Probes } from "./filters/probe.ts";
import { filterProbes } from "./filters/probe.ts";
import { SegmentDamage } from "./segment-damage.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { SegmentTexts } from "./segment-texts.ts";
import { segmentTexts } from "./segment-texts.ts";

/** Open segment files of one thread; each is a file handle and a footer. */
const OPEN_FILES_MAX = 256;

/** Decompressed columns that one thread keeps, unless it is told another figure. */
const COLUMN_CACHE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * The segment files that a thread has open, most recently used kept.
 *
 * Concurrency: one for each thread that runs queries.
 */
export class SegmentFiles {
  readonly #cache: ColumnCache;
  /** Least recently used first. */
  readonly #readers = new Map<string, SegmentReader>();

  constructor(columnBytesMax = COLUMN_CACHE_BYTES_MAX) {
    this.#cache = new ColumnCache(columnBytesMax);
  }

  /** Errors: as `SegmentReader`; a file that is gone is `SegmentDamage` too. */
  open(directory: string, file: string): SegmentReader {
    const path = join(directory, file);
    const known = this.#readers.get(path);
    if (known !== undefined) {
      this.#readers.delete(path);
      this.#readers.set(path, known);
      return known;
    }
    const reader = openReader(path);
    this.#readers.set(path, reader);
    for (const [oldest, value] of this.#readers) {
      if (this.#readers.size <= OPEN_FILES_MAX) break;
      this.#readers.delete(oldest);
      value.close();
    }
    return reader;
  }

  block(reader: SegmentReader, index: number): Block {
    return reader.block(index, this.#cache);
  }

  /** Closes files that were removed; they take up disk as long as they are open. */
  forget(files: readonly string[]): void {
    const gone = new Set(files);
    for (const [path, reader] of this.#readers) {
      if (!gone.has(basename(path))) continue;
      this.#readers.delete(path);
      reader.close();
    }
  }

  /** The joint counts of a block; undefined where it has none. */
  counts(reader: SegmentReader, index: number): CountsBlock | undefined {
    return readCounts(reader, index, this.#cache);
  }

  /** What the segment's dictionaries tell of its texts. */
  texts(reader: SegmentReader): SegmentTexts {
    return segmentTexts(reader, this.#cache);
  }

  /** What can be asked of a segment before its rows are read. */
  probes(reader: SegmentReader, onDamage: (damage: SegmentDamage) => void): Probes {
    return filterProbes({ segment: reader, cache: this.#cache, onDamage });
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }
}

function openReader(path: string): SegmentReader {
  try {
    return new SegmentReader(path);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing) throw new SegmentDamage(path, "the file is gone", error);
    throw error;
  }
}
