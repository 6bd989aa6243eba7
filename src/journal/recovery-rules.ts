import { assert } from "../core/assert.ts";

/**
 * Where a file stands:
 *
 *     newest    no file names it: the journal was at work on it when the process ended
 *     named     the next file's header names it, with the length that counts
 *     skipped   the next file's header names an older one: it was begun, and no frame in it was
 *               ever acknowledged
 */
export type FilePosition = "newest" | "named" | "skipped";

export type FileDecision =
  | "replay"
  /** Replay, and report that the header is lost. Its frames tell the salt. */
  | "replay-without-header"
  /** Not a frame of it counts; a writer removes it. */
  | "discard"
  /** All of it is lost, and reported. */
  | "report-lost"
  /** Another version wrote it: change nothing, and say so. */
  | "refuse";

/**
 * What a file's header is like. Neither it nor any frame to be seen is "absent": of a file that was
 * never synced a power cut leaves that.
 */
export type HeaderState = "ok" | "damaged" | "absent" | "unknown-version";

interface FileRule {
  readonly header: HeaderState;
  readonly position: FilePosition;
  readonly decision: FileDecision;
}

export const FILE_DECISIONS: readonly FileRule[] = [
  { header: "ok", position: "newest", decision: "replay" },
  { header: "ok", position: "named", decision: "replay" },
  { header: "ok", position: "skipped", decision: "discard" },
  { header: "damaged", position: "newest", decision: "replay-without-header" },
  { header: "damaged", position: "named", decision: "replay-without-header" },
  { header: "damaged", position: "skipped", decision: "discard" },
  { header: "absent", position: "newest", decision: "discard" },
  { header: "absent", position: "named", decision: "report-lost" },
  { header: "absent", position: "skipped", decision: "discard" },
  { header: "unknown-version", position: "newest", decision: "refuse" },
  { header: "unknown-version", position: "named", decision: "refuse" },
  { header: "unknown-version", position: "skipped", decision: "refuse" },
];

/**
 * What is done with bytes in which no frame can be read, within the length that counts. What stands
 * behind that length is never looked at.
 *
 *     middle   a frame stands behind them
 *     end      nothing more stands behind them
 */
export type RestPlace = "middle" | "end";

export type RestDecision =
  /** They were synced once: count them as damage and go on. */
  | "report-damage"
  /** A power cut leaves anything behind the last sync: a torn tail. */
  | "cut";

interface RestRule {
  readonly place: RestPlace;
  readonly position: Exclude<FilePosition, "skipped">;
  readonly decision: RestDecision;
}

export const REST_DECISIONS: readonly RestRule[] = [
  { place: "middle", position: "newest", decision: "report-damage" },
  { place: "middle", position: "named", decision: "report-damage" },
  { place: "end", position: "newest", decision: "cut" },
  { place: "end", position: "named", decision: "report-damage" },
];

export function decideFile(header: HeaderState, position: FilePosition): FileDecision {
  const rule = FILE_DECISIONS.find(
    (candidate) => candidate.header === header && candidate.position === position,
  );
  assert(rule !== undefined, "every header state has a rule in every position");
  return rule.decision;
}

export function decideRest(place: RestPlace, position: RestRule["position"]): RestDecision {
  const rule = REST_DECISIONS.find(
    (candidate) => candidate.place === place && candidate.position === position,
  );
  assert(rule !== undefined, "every place has a rule in every position");
  return rule.decision;
}
