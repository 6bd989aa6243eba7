import { canUseCounts } from "./aggregate-by-counts.ts";
import { Groups } from "./aggregate-groups.ts";
import { compileFilter } from "./compile-filter.ts";
import type { CountsBlock } from "./counts-block.ts";
import type { AggregateRequest, AggregateResult } from "./log-store.ts";
import type { Predicate } from "./predicate.ts";
import { QueryMeter } from "./query-meter.ts";
import type { ScanContext, Source } from "./scan.ts";
import { blocksOf, guarded, matchBlock, sourcesOf, TimeBounds } from "./scan.ts";
import type { Snapshot } from "./snapshot.ts";

/** A query over one snapshot. */
interface Aggregation {
  readonly snapshot: Snapshot;
  readonly predicate: Predicate;
  readonly bounds: TimeBounds;
  readonly meter: QueryMeter;
  readonly groups: Groups;
  readonly context: ScanContext;
  readonly canUseCounts: boolean;
  /** Whether nothing but the number of rows is asked. */
  readonly isOneCount: boolean;
}

/**
 * Groups and counts the matching rows of a snapshot. Where the joint counts of a sealed block answer
 * for it, its rows are not read.
 *
 * Shape: yields undefined after each block so that other work gets its turn; returns the groups,
 *        ordered by their keys. When its budget is spent it returns what it has, as partial.
 */
export function* aggregateSnapshot(
  snapshot: Snapshot,
  request: AggregateRequest,
  context: ScanContext,
): Generator<undefined, AggregateResult> {
  const meter = new QueryMeter(request.budget, context.nowMs);
  const groups = new Groups(request);
  const query: Aggregation = {
    snapshot,
    predicate: compileFilter(request.filter, request.signal),
    bounds: new TimeBounds(request.range),
    meter,
    groups,
    context,
    canUseCounts: context.useCounts && canUseCounts(request),
    isOneCount:
      context.useCounts &&
      request.by.length === 0 &&
      request.stats.every(({ kind }) => kind === "count"),
  };
  let stopped: string | undefined;
  const waiting = sourcesOf(snapshot, query.bounds);
  for (;;) {
    stopped = meter.exhausted() ?? groups.exhausted();
    const source = stopped === undefined ? waiting.pop() : undefined;
    if (source === undefined) break;
    if (source.kind !== "segment") addBlock(source, query);
    else if (!addSegment(source, query)) {
      waiting.push(...blocksOf(source, snapshot, query, context));
    }
    meter.pause();
    yield undefined;
    meter.resume();
  }
  return { ...meter.end(stopped, undefined), rows: groups.rows() };
}

/** Adds a segment that lies wholly in the range and whose dictionaries tell its count; else false. */
function addSegment(source: Extract<Source, { kind: "segment" }>, query: Aggregation): boolean {
  const { isOneCount, bounds, meter, predicate, groups, context, snapshot } = query;
  if (!isOneCount || !bounds.contains(source.span)) return false;
  return guarded(meter, true, () => {
    const segment = context.files.open(snapshot.directory, source.segment.file);
    const before = segment.bytesRead;
    const count = predicate.countRows(context.files.texts(segment));
    meter.scannedBytes += segment.bytesRead - before;
    if (count === undefined) return false;
    groups.addUngrouped(count);
    return true;
  });
}

function addBlock(source: Exclude<Source, { kind: "segment" }>, query: Aggregation): void {
  const { snapshot, predicate, meter, groups, context } = query;
  guarded(meter, undefined, () => {
    const counts = countsOf(source, query);
    if (counts !== undefined) {
      const mask = new Uint8Array(counts.rows).fill(1);
      predicate.narrow(counts, mask);
      groups.add({ block: counts, mask }, counts.weights);
      return;
    }
    const matched = matchBlock(source, snapshot, query, context);
    if (matched !== undefined) groups.add(matched);
  });
}

/** The joint counts of a block, where they answer for it. */
function countsOf(
  source: Exclude<Source, { kind: "segment" }>,
  query: Aggregation,
): CountsBlock | undefined {
  if (source.kind === "open" || !query.canUseCounts) return undefined;
  // A block that the range cuts is scanned, since a cell does not tell where in its minute rows are.
  if (!query.bounds.contains(source.span)) return undefined;
  const { files } = query.context;
  const segment = files.open(query.snapshot.directory, source.segment.file);
  const before = segment.bytesRead;
  const counts = files.counts(segment, source.index);
  query.meter.scannedBytes += segment.bytesRead - before;
  return counts;
}
