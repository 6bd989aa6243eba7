import { join } from "node:path";
import type { Signal } from "../core/record.ts";
import { ColumnCache } from "./column-cache.ts";
import type { ManifestState } from "./manifest.ts";
import { MergeSources } from "./merge-source.ts";
import { RowOrder } from "./row-order.ts";
import type { SegmentFooter } from "./segment-format.ts";
import { segmentParts } from "./segment-writer.ts";

/** Of the blocks that take part in the one being made: with less, texts are put together twice. */
const COLUMN_CACHE_BYTES_MAX = 64 * 1024 * 1024;

/** As seals: columns of clauses grow no smaller with more work, see 0007-tiered-merges.md. */
const MERGE_COMPRESSION_LEVEL = 1;

/** Parts are handed on once they have this much, about a block's worth. */
const PART_BYTES = 4 * 1024 * 1024;

/** Segments to merge into one, all of one signal and day. */
export interface MergeTask {
  readonly signal: Signal;
  readonly day: number;
  /** Folder of the segment files. */
  readonly directory: string;
  /** Names of files, in the order of their rows' numbers, which do not interleave. */
  readonly sources: readonly string[];
  /** Name of the result's file. */
  readonly file: string;
  /** The store's state, for the result's footer. */
  readonly state: ManifestState;
}

/**
 * Merges segments: the bytes of the result's file, in parts of some megabytes; returns its footer.
 * Rows keep their numbers.
 *
 * Errors: `SegmentDamage` names the source that cannot be read whole.
 * Cost:   the time and place of each row (18 bytes, while they are sorted 36), a cache of
 *         decompressed columns and one block that is being made, whatever the sizes.
 */
export function* mergeSegments(task: MergeTask): Generator<Uint8Array<ArrayBuffer>, SegmentFooter> {
  const { signal, day, directory, sources, file, state } = task;
  const opened = new MergeSources(new ColumnCache(COLUMN_CACHE_BYTES_MAX));
  try {
    const segments = sources.map((source) => opened.add(join(directory, source)));
    const rows = new RowOrder(segments.flatMap(({ blocks }) => blocks));
    const position = Math.max(...segments.map((segment) => segment.position));
    const parts = segmentParts(signal, rows, {
      day,
      from: 0,
      to: rows.row.length,
      seal: { position, siblings: [file], replaces: [...sources], state: { ...state } },
      compressionLevel: MERGE_COMPRESSION_LEVEL,
    });
    return yield* batched(parts, () => opened.trim());
  } finally {
    opened.close();
  }
}

/** Joins parts, in memory of their own that can go to another thread. */
function* batched(
  parts: Generator<Uint8Array, SegmentFooter>,
  onPart: () => void,
): Generator<Uint8Array<ArrayBuffer>, SegmentFooter> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const step = parts.next();
    if (step.done === true) {
      yield joined(waiting, size);
      return step.value;
    }
    onPart();
    waiting.push(step.value);
    size += step.value.length;
    if (size < PART_BYTES) continue;
    yield joined(waiting, size);
    waiting = [];
    size = 0;
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let end = 0;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return bytes;
}
