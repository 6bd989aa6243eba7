import type { CanaryCounts, CanaryFigures } from "./canary-tally.ts";
import type { LatencySummary } from "./canary-latency.ts";
import type { Piece } from "./output.ts";

/** A report: of an interval, or at the end of the whole run. */
export interface CanaryReport {
  readonly kind: "interval" | "final";
  readonly run: string;
  /** ISO 8601. */
  readonly time: string;
  /** Since the run began. */
  readonly elapsedMs: number;
  readonly figures: CanaryFigures;
}

/** Records that were acknowledged and are not as they should be. */
export function faultCount(counts: CanaryCounts): number {
  return counts.missing + counts.doubled + counts.notPushed;
}

/** A report as one JSON object. Counts are those of the interval, or of the whole run. */
export function reportJson({ kind, run, time, elapsedMs, figures }: CanaryReport): string {
  const { counts, acknowledgeMs, pushMs } = figures;
  return JSON.stringify({
    type: kind,
    run,
    time,
    elapsed_ms: Math.round(elapsedMs),
    sent: counts.sent,
    acknowledged: counts.acknowledged,
    refused: counts.refused,
    retried: counts.retried,
    seen_live: counts.pushed,
    seen_by_search: counts.found,
    missing: counts.missing,
    duplicates: counts.doubled,
    out_of_order: counts.outOfOrder,
    not_pushed: counts.notPushed,
    left_out: counts.leftOut,
    reconnected: counts.reconnected,
    acknowledge_ms: roundedMs(acknowledgeMs),
    acknowledged_to_pushed_ms: roundedMs(pushMs),
  });
}

function roundedMs(summary: LatencySummary | undefined): LatencySummary | null {
  if (summary === undefined) return null;
  const round = (ms: number): number => Math.round(ms * 1000) / 1000;
  return { p50: round(summary.p50), p99: round(summary.p99), max: round(summary.max) };
}

/** An interval as one line, the whole run as some. */
export function reportLines(report: CanaryReport): readonly (readonly Piece[])[] {
  return report.kind === "interval" ? [intervalLine(report)] : finalLines(report);
}

function intervalLine({ time, figures }: CanaryReport): readonly Piece[] {
  const { counts, acknowledgeMs, pushMs } = figures;
  const parts = [
    `${amount(counts.sent)} sent`,
    `${amount(counts.acknowledged)} acknowledged${latencyText(acknowledgeMs)}`,
    `${amount(counts.pushed)} seen live${latencyText(pushMs)}`,
    `${amount(counts.found)} found`,
    ...unusual(counts).map(([what, count]) => `${amount(count)} ${what}`),
  ];
  const faults = faultCount(counts);
  return [
    { text: `[${time}] `, style: "dim" },
    `${parts.join(", ")}; `,
    faults === 0
      ? { text: "nothing lost, nothing doubled", style: "success" }
      : { text: faultText(counts), style: "error" },
  ];
}

function finalLines({ run, elapsedMs, figures }: CanaryReport): readonly (readonly Piece[])[] {
  const { counts, acknowledgeMs, pushMs } = figures;
  const unanswered = counts.sent - counts.acknowledged - counts.refused;
  const rows: readonly (readonly [string, number, string])[] = [
    ["sent", counts.sent, ""],
    ["acknowledged", counts.acknowledged, latencyText(acknowledgeMs)],
    ["seen live", counts.pushed, latencyText(pushMs, " after the acknowledgement")],
    ["seen by search", counts.found, ""],
    ["missing", counts.missing, ""],
    ["doubled", counts.doubled, ""],
    ["not pushed", counts.notPushed, ""],
    ...(unanswered === 0 ? [] : [["unanswered", unanswered, ""] as const]),
    ...unusual(counts).map(([what, count]) => [what, count, ""] as const),
  ];
  return [
    [{ text: `canary ${run}, ${(elapsedMs / 1000).toFixed(1)} s`, style: "bold" }],
    ...rows.map(([what, count, more]): readonly Piece[] => {
      const isFault = count > 0 && (FAULTS as readonly string[]).includes(what);
      const figure = amount(count).padStart(14);
      return [
        `  ${what.padEnd(16)}`,
        isFault ? { text: figure, style: "error" } : figure,
        { text: more, style: "dim" },
      ];
    }),
  ];
}

const FAULTS = ["missing", "doubled", "not pushed"] as const;

/** What is no fault of the store and yet to be known, where there was any. */
function unusual(counts: CanaryCounts): readonly (readonly [string, number])[] {
  const all: readonly (readonly [string, number])[] = [
    ["refused", counts.refused],
    ["attempts repeated", counts.retried],
    ["out of order", counts.outOfOrder],
    ["left out by the live search", counts.leftOut],
    ["live search begun again", counts.reconnected],
  ];
  return all.filter(([, count]) => count > 0);
}

/** `3 MISSING, 1 DOUBLED` */
export function faultText(counts: CanaryCounts): string {
  const all: readonly (readonly [string, number])[] = [
    ["MISSING", counts.missing],
    ["DOUBLED", counts.doubled],
    ["NOT PUSHED", counts.notPushed],
  ];
  return all
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${amount(count)} ${what}`)
    .join(", ");
}

function latencyText(summary: LatencySummary | undefined, what = ""): string {
  if (summary === undefined) return "";
  const { p50, p99, max } = summary;
  return ` (p50 ${millis(p50)}, p99 ${millis(p99)}, max ${millis(max)}${what})`;
}

function millis(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

function amount(count: number): string {
  return count.toLocaleString("en-US");
}
