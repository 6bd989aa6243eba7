import type { LogEntry, SpanEntry } from "../core/entry.ts";

/**
 * Levels of spans inside each other. A span below hangs at the last level, beside its parent, so
 * that neither JSON nor a reader that calls itself runs out of stack on a hostile trace.
 */
export const TRACE_DEPTH_MAX = 200;

/** One span of a trace, with what happened inside it. */
export interface TraceSpan extends SpanEntry {
  /** By start time. */
  readonly children: readonly TraceSpan[];
  /** The log records that name this span, by time. */
  readonly logs: readonly LogEntry[];
}

/** One trace as a tree: the same for the HTTP API and the command line. */
export interface TraceTree {
  readonly trace_id: string;
  /** The spans at the top, by start time. */
  readonly spans: readonly TraceSpan[];
  /** Log records that name no span of this trace, by time. */
  readonly logs: readonly LogEntry[];
  /** Spans at the top that name a parent: it was not found, or lies below them. */
  readonly missing_parents: number;
}

/** A span while the tree grows. */
interface Node {
  readonly span: SpanEntry;
  /** The spans that name this one as their parent. */
  readonly named: Node[];
  readonly logs: LogEntry[];
  /** What it hangs at, its depth counted from 1, or undefined before it is placed. */
  place: { readonly host: Node | undefined; readonly depth: number } | undefined;
}

/**
 * Builds the tree of one trace.
 *
 * 1. Hang every log at the first span of its id. 2. Note who names whom as parent. 3. Place the
 * spans that have no parent, and all below them. 4. What is left runs in circles: promote the
 * earliest, place all below it, and so on.
 *
 * `spans` and `logs` come oldest first, as a store gives them; every level keeps that order.
 */
export function buildTraceTree(
  traceId: string,
  spans: readonly SpanEntry[],
  logs: readonly LogEntry[],
): TraceTree {
  const nodes = spans.map((span): Node => ({ span, named: [], logs: [], place: undefined }));
  const bySpanId = new Map<string, Node>();
  for (const node of nodes) {
    if (!bySpanId.has(node.span.span_id)) bySpanId.set(node.span.span_id, node);
  }
  const looseLogs: LogEntry[] = [];
  for (const entry of logs) (bySpanId.get(entry.span_id)?.logs ?? looseLogs).push(entry);

  const parentless: Node[] = [];
  for (const node of nodes) {
    (bySpanId.get(node.span.parent_span_id)?.named ?? parentless).push(node);
  }
  for (const root of [...parentless, ...nodes]) if (root.place === undefined) placeBelow(root);

  const roots: Node[] = [];
  const children = new Map<Node, Node[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) {
    const host = node.place?.host;
    (host === undefined ? roots : children.get(host))?.push(node);
  }
  const toTraceSpan = (node: Node): TraceSpan => ({
    ...node.span,
    children: (children.get(node) ?? []).map(toTraceSpan),
    logs: node.logs,
  });
  return {
    trace_id: traceId,
    spans: roots.map(toTraceSpan),
    logs: looseLogs,
    missing_parents: roots.filter((node) => node.span.parent_span_id !== "").length,
  };
}

/** Places a span at the top and hangs all that is below it, without calling itself. */
function placeBelow(root: Node): void {
  root.place = { host: undefined, depth: 1 };
  const placed = [root];
  for (const parent of placed) {
    const { host, depth } = parent.place ?? { host: undefined, depth: 1 };
    for (const node of parent.named) {
      if (node.place !== undefined) continue;
      node.place = depth < TRACE_DEPTH_MAX ? { host: parent, depth: depth + 1 } : { host, depth };
      placed.push(node);
    }
  }
}
