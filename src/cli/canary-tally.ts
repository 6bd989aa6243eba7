import { LatencyHistogram, type LatencySummary } from "./canary-latency.ts";

/** What the canary counts. All but `retried` and `reconnected` are records. */
export const CANARY_COUNTS = [
  /** Handed to the service at least once. */
  "sent",
  "acknowledged",
  /** The service said that it will not take them. */
  "refused",
  /** Attempts that were repeated with the same bytes. */
  "retried",
  "pushed",
  "found",
  /** Acknowledged, and no search finds them, or none does any more. */
  "missing",
  /** Pushed or found more than once. */
  "doubled",
  /** Pushed or found behind one that was sent later. */
  "outOfOrder",
  /** Sent and acknowledged while a live search stood, and never pushed. */
  "notPushed",
  /** The live search itself said that it left them out, because this reader was slow. */
  "leftOut",
  /** Live searches that broke and were begun again. */
  "reconnected",
] as const;

export type CanaryCount = (typeof CANARY_COUNTS)[number];
export type CanaryCounts = Readonly<Record<CanaryCount, number>>;

/** What a span of time, or the whole run, brought. */
export interface CanaryFigures {
  readonly counts: CanaryCounts;
  /** From the first byte sent to the acknowledgement, a request. */
  readonly acknowledgeMs: LatencySummary | undefined;
  /** From the acknowledgement to the live push, a record. */
  readonly pushMs: LatencySummary | undefined;
}

type Latency = "acknowledge" | "push";

/** Counts and latencies, for the whole run and since the last report. */
export class CanaryTally {
  readonly #total = newSpan();
  readonly #interval = newSpan();

  add(count: CanaryCount, amount = 1): void {
    this.#total.counts[count] += amount;
    this.#interval.counts[count] += amount;
  }

  record(latency: Latency, latencyMs: number): void {
    this.#total[latency].record(latencyMs);
    this.#interval[latency].record(latencyMs);
  }

  get total(): CanaryFigures {
    return figuresOf(this.#total);
  }

  /** What came since the last call. */
  takeInterval(): CanaryFigures {
    const figures = figuresOf(this.#interval);
    for (const count of CANARY_COUNTS) this.#interval.counts[count] = 0;
    this.#interval.acknowledge.clear();
    this.#interval.push.clear();
    return figures;
  }
}

interface Span extends Record<Latency, LatencyHistogram> {
  readonly counts: Record<CanaryCount, number>;
}

function newSpan(): Span {
  return {
    counts: {
      sent: 0,
      acknowledged: 0,
      refused: 0,
      retried: 0,
      pushed: 0,
      found: 0,
      missing: 0,
      doubled: 0,
      outOfOrder: 0,
      notPushed: 0,
      leftOut: 0,
      reconnected: 0,
    },
    acknowledge: new LatencyHistogram(),
    push: new LatencyHistogram(),
  };
}

function figuresOf(span: Span): CanaryFigures {
  return {
    counts: { ...span.counts },
    acknowledgeMs: span.acknowledge.summary(),
    pushMs: span.push.summary(),
  };
}
