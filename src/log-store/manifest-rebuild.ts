import type { PerSignal } from "./counters.ts";
import { perSignal } from "./counters.ts";
import type { Manifest, ManifestState } from "./manifest.ts";
import { manifestState, newManifest } from "./manifest.ts";
import type { SegmentEntry, SegmentFooter } from "./segment-format.ts";

/** A segment found on disk. */
export interface FoundSegment {
  readonly entry: SegmentEntry;
  readonly footer: SegmentFooter;
}

/**
 * Makes a manifest anew from segment footers, after it was lost or damaged.
 *
 * 1. Of files that replace others, the others are left out.
 * 2. A seal counts only if all its files are there: else its rows are still in the journal.
 * 3. A signal's position is the highest of its seals; the counters are those of the latest state.
 *
 * The journal above the positions brings the rest, as after any crash.
 */
export function rebuildManifest(found: readonly FoundSegment[], nowUnixMs: number): Manifest {
  const names = new Set(found.map(({ entry }) => entry.file));
  const replaced = new Set(found.flatMap(({ footer }) => footer.seal.replaces));
  const kept = found.filter(
    ({ entry, footer }) =>
      !replaced.has(entry.file) &&
      footer.seal.siblings.every((sibling) => names.has(sibling) || replaced.has(sibling)),
  );
  const states = kept.map(({ footer }) => manifestState.parse(footer.seal.state));
  const latest = states.reduce<ManifestState>(
    (best, state) => (state.countedSeq >= best.countedSeq ? state : best),
    newManifest(nowUnixMs),
  );
  return {
    ...newManifest(nowUnixMs),
    ...latest,
    positions: positionsOf(kept),
    segments: kept.map(({ entry }) => entry),
  };
}

function positionsOf(found: readonly FoundSegment[]): PerSignal<number> {
  return perSignal((signal) =>
    found
      .filter(({ entry }) => entry.signal === signal)
      .reduce((position, { footer }) => Math.max(position, footer.seal.position), 0),
  );
}
