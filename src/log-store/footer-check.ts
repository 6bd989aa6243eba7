import { basename, join } from "node:path";
import { errorMessage } from "../core/errors.ts";
import type { Merger } from "./merger.ts";
import type { SegmentEntry } from "./segment-format.ts";
import type { SegmentShelf } from "./segment-shelf.ts";
import type { StoreLog } from "./store-log.ts";

/** Between two batches others may stop the check. */
const BATCH_FILES = 64;

export interface FooterCheckParts {
  readonly shelf: SegmentShelf;
  /** Its worker reads the files. */
  readonly merger: Merger;
  readonly log: StoreLog;
  /** Takes damaged segments off the shelf. */
  readonly setAside: (segments: readonly SegmentEntry[]) => Promise<void>;
}

/**
 * Reads the footers of all segments that a start took for whole, newest first, and has the damaged
 * ones set aside. A start waits for none of it.
 *
 * Errors: none; what cannot be read now is read when it is searched.
 */
export async function checkFooters(parts: FooterCheckParts, signal: AbortSignal): Promise<void> {
  const { shelf, merger, log, setAside } = parts;
  const folder = shelf.segmentsDirectory;
  const left = shelf.segments.toReversed();
  while (left.length > 0 && !signal.aborted) {
    const files = left.splice(0, BATCH_FILES).map(({ file }) => join(folder, file));
    const leaveShelf = shelf.read();
    try {
      const damage = await merger.check(files, signal);
      for (const { message } of damage) log.error(`set aside a damaged segment: ${message}`);
      const names = new Set(damage.map(({ path }) => basename(path)));
      // A merge or the retention may have taken a segment away meanwhile.
      const isDamaged = ({ file }: SegmentEntry): boolean => names.has(file);
      if (shelf.segments.some(isDamaged)) await setAside(shelf.segments.filter(isDamaged));
    } catch (error) {
      if (signal.aborted) return;
      log.warn("the check of segments was left off", { error: errorMessage(error) });
      return;
    } finally {
      leaveShelf();
    }
  }
}
