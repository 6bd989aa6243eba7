import type { Signal } from "../core/record.ts";
import { perSignal } from "./counters.ts";
import type { Manifest, ManifestState } from "./manifest.ts";
import { manifestState, newManifest } from "./manifest.ts";
import type { SegmentEntry, SegmentFooter } from "./segment-format.ts";
import { firstSeqOfSeal } from "./segment-names.ts";

/** A segment found on disk. */
export interface FoundSegment {
  readonly entry: SegmentEntry;
  readonly footer: SegmentFooter;
}

/**
 * Makes a manifest anew from segment footers, after it was lost or damaged.
 *
 * 1. What a merge took up is left out: the files that its result names, and others whose numbers
 *    lie within the result's, as where a file came back that had gone before a second merge.
 * 2. A seal counts once it was committed: all its files are there, or one of a later seal that was,
 *    or a merge took it up, or the journal has let go of its rows (and retention took a file of
 *    it). Else its rows are still in the journal.
 * 3. A signal's position is the highest of its seals; the counters are those of the latest state.
 *
 * The journal above the positions brings the rest, as after any crash: also rows that retention had
 * taken, where it still has them; retention takes those again.
 */
export function rebuildManifest(
  found: readonly FoundSegment[],
  oldestJournalSeq: number,
  nowUnixMs: number,
): Manifest {
  const left = withoutMerged(found);
  const positions = perSignal((signal) => committedPosition(left, signal, oldestJournalSeq));
  const kept = left.filter(({ entry, footer }) => footer.seal.position <= positions[entry.signal]);
  const states = kept.map(({ footer }) => manifestState.parse(footer.seal.state));
  const latest = states.reduce<ManifestState>(
    (best, state) => (state.countedSeq >= best.countedSeq ? state : best),
    newManifest(nowUnixMs),
  );
  return {
    ...newManifest(nowUnixMs),
    ...latest,
    positions,
    segments: kept.map(({ entry }) => entry),
  };
}

function withoutMerged(found: readonly FoundSegment[]): readonly FoundSegment[] {
  const merged = found.filter(isMerged);
  const replaced = new Set(merged.flatMap(({ footer }) => footer.seal.replaces));
  const isWithin = ({ entry }: FoundSegment): boolean =>
    merged.some(
      ({ entry: result }) =>
        result.file !== entry.file &&
        result.signal === entry.signal &&
        result.day === entry.day &&
        result.minSeq <= entry.minSeq &&
        result.maxSeq >= entry.maxSeq,
    );
  return found.filter((one) => !replaced.has(one.entry.file) && !isWithin(one));
}

function isMerged({ footer }: FoundSegment): boolean {
  return footer.seal.replaces.length > 0;
}

/** Seals are committed one after the other, so what holds of one holds of those before it. */
function committedPosition(
  found: readonly FoundSegment[],
  signal: Signal,
  oldestJournalSeq: number,
): number {
  const own = found.filter(({ entry }) => entry.signal === signal);
  const positionOf = new Map(own.map(({ entry, footer }) => [entry.file, footer.seal.position]));
  // A sibling of another position is of another try of the seal.
  const isCommitted = ({ entry: { file }, footer: { seal } }: FoundSegment): boolean =>
    seal.replaces.length > 0 ||
    firstSeqOfSeal(file) < oldestJournalSeq ||
    seal.siblings.every((sibling) => positionOf.get(sibling) === seal.position);
  return own
    .filter(isCommitted)
    .reduce((position, { footer }) => Math.max(position, footer.seal.position), 0);
}
