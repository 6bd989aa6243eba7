/**
 * One trace as text: a column of times since its start, then the tree, where spans and the logs
 * between them stand in the order of their times.
 *
 *     Trace 4bf92f3577b34da6a3ce929d0e0e4736
 *     from 2025-01-07T20:34:06.298518Z, 128.4 ms: 2 spans of 2 nodes, 1 log record
 *
 *       +0.0 ms  [camera] capture 128.4 ms
 *       +1.0 ms  └─ [detector] detect 98.1 ms ❌ timed out
 *      +12.1 ms     └─ [ERROR] [detector] Inference timed out.
 */
import { parseRfc3339 } from "../core/time.ts";
import type { Piece } from "./output.ts";
import { levelStyle, sixDigits, splitLines } from "./render-entry.ts";
import type { Icons } from "./terminal-look.ts";
import type { ShownLog, ShownSpan, ShownTrace } from "./trace-answer.ts";

/** Levels that are set in; a span below them stands where its parent does. */
const INDENT_LEVELS_MAX = 40;

type Line = readonly Piece[];

/** Spans and logs at one level of the tree, in the order of their times. */
type Item =
  | { readonly kind: "span"; readonly time: bigint; readonly span: ShownSpan }
  | { readonly kind: "log"; readonly time: bigint; readonly log: ShownLog };

export function renderTrace(trace: ShownTrace, icons: Icons): readonly Line[] {
  const extent = measureTrace(trace);
  const lines: Line[] = [
    [{ text: `Trace ${trace.traceId}`, style: "bold" }],
    [summary(trace, extent)],
  ];
  if (trace.missingParentCount > 0) {
    lines.push([{ text: missingParents(trace.missingParentCount), style: "warning" }]);
  }
  lines.push([]);
  const wholeNs = extent.toNs - extent.fromNs;
  const timeWidth = `+${formatNs(wholeNs)}`.length + 2;
  const add = (item: Item, prefix: string, branch: string, below: string): void => {
    const since = formatNs(item.time - extent.fromNs, wholeNs);
    const head: Line = [
      { text: `+${since}`.padStart(timeWidth), style: "dim" },
      "  ",
      { text: prefix + branch, style: "dim" },
    ];
    const inner = prefix.length < INDENT_LEVELS_MAX * 3 ? prefix + below : prefix;
    if (item.kind === "log") {
      const [first, ...rest] = logPieces(item.log);
      lines.push([...head, ...first]);
      const margin = { text: `${" ".repeat(timeWidth)}  ${inner}  `, style: "dim" } as const;
      for (const line of rest) lines.push([margin, ...line]);
      return;
    }
    lines.push([...head, ...spanPieces(item.span, icons)]);
    const items = itemsOf(item.span.children, item.span.logs);
    for (const [index, child] of items.entries()) {
      const isLast = index === items.length - 1;
      add(child, inner, isLast ? icons.lastBranch : icons.branch, isLast ? "   " : icons.trunk);
    }
  };
  for (const item of itemsOf(trace.spans, trace.logs)) add(item, "", "", "");
  return lines;
}

function itemsOf(spans: readonly ShownSpan[], logs: readonly ShownLog[]): readonly Item[] {
  const items: Item[] = [
    ...spans.map((span): Item => ({ kind: "span", time: timeOf(span.timestamp), span })),
    ...logs.map((log): Item => ({ kind: "log", time: timeOf(log.timestamp), log })),
  ];
  return items.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
}

function spanPieces(span: ShownSpan, icons: Icons): Line {
  const pieces: Piece[] = [
    { text: `[${span.node || "-"}]`, style: { node: span.node } },
    " ",
    { text: span.name, style: "bold" },
    ` ${formatNs(BigInt(Math.round(span.durationNs)))}`,
  ];
  if (span.status === "ok") pieces.push(" ", { text: icons.answered, style: "success" });
  if (span.status === "error") {
    const why = span.statusMessage === "" ? "failed" : span.statusMessage;
    pieces.push(" ", { text: `${icons.failed} ${why}`, style: "error" });
  }
  return pieces;
}

function logPieces(log: ShownLog): readonly [Line, ...Line[]] {
  const [first = "", ...rest] = splitLines(log.message);
  const head: Line = [
    { text: `[${log.level}]`, style: levelStyle(log.level) },
    " ",
    { text: `[${log.node || "-"}]`, style: { node: log.node } },
    " ",
    first,
  ];
  return [head, ...rest.map((line): Line => [line])];
}

/** What the whole trace spans, and how much is in it. */
interface TraceExtent {
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly startedAt: string;
  readonly spanCount: number;
  readonly logCount: number;
  readonly nodeCount: number;
}

function measureTrace(trace: ShownTrace): TraceExtent {
  const spans: ShownSpan[] = [];
  const pending = [...trace.spans];
  for (let span = pending.pop(); span !== undefined; span = pending.pop()) {
    spans.push(span);
    pending.push(...span.children);
  }
  const logs = [...trace.logs, ...spans.flatMap((span) => span.logs)];
  let first: { readonly ns: bigint; readonly timestamp: string } | undefined;
  let toNs = 0n;
  const visit = (timestamp: string, durationNs: number): void => {
    const ns = timeOf(timestamp);
    const endNs = ns + BigInt(Math.round(durationNs));
    if (first === undefined || ns < first.ns) first = { ns, timestamp };
    if (endNs > toNs) toNs = endNs;
  };
  for (const span of spans) visit(span.timestamp, span.durationNs);
  for (const log of logs) visit(log.timestamp, 0);
  return {
    fromNs: first?.ns ?? 0n,
    toNs,
    startedAt: first?.timestamp ?? "",
    spanCount: spans.length,
    logCount: logs.length,
    nodeCount: new Set([...spans, ...logs].map(({ node }) => node)).size,
  };
}

function summary(trace: ShownTrace, extent: TraceExtent): string {
  const { spanCount, logCount, nodeCount } = extent;
  const partial = trace.isPartial ? " (partial)" : "";
  return (
    `from ${sixDigits(extent.startedAt)}, ${formatNs(extent.toNs - extent.fromNs)}: ` +
    `${counted(spanCount, "span")} of ${counted(nodeCount, "node")}, ` +
    `${counted(logCount, "log record")}${partial}`
  );
}

function missingParents(count: number): string {
  const spans = count === 1 ? "1 span stands" : `${count} spans stand`;
  const parents = count === 1 ? "its parent is" : "their parents are";
  return `${spans} at the top because ${parents} not stored`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function timeOf(timestamp: string): bigint {
  return parseRfc3339(timestamp) ?? 0n;
}

/** A duration with one digit behind the point, in the unit that suits its size, or another's. */
function formatNs(ns: bigint, sizeNs: bigint = ns): string {
  const value = Number(ns);
  if (sizeNs < 1_000_000n) return `${(value / 1_000).toFixed(1)} us`;
  if (sizeNs < 10_000_000_000n) return `${(value / 1_000_000).toFixed(1)} ms`;
  return `${(value / 1_000_000_000).toFixed(1)} s`;
}
