import type { Clock } from "../../core/clock.ts";
import { formatTraceparent, newSpanId, newTraceId, parseTraceparent } from "../node/trace.ts";
import type { TraceContext } from "../node/trace.ts";
import type { StartSpan } from "../protocol/run-telemetry.ts";
import type { NodeRun } from "./node-run.ts";

/** The variables by which a process is told of a trace. Source: OpenTelemetry, environment variables as context carriers */
export const CARRIERS = ["TRACEPARENT", "TRACESTATE", "BAGGAGE"] as const;
/** Source: W3C Baggage, 3.3.2 */
const BAGGAGE_LENGTH_MAX = 8192;

type Open = Pick<StartSpan, "spanId" | "startUnixNs" | "restarts">;

/**
 * A span for each start of a node's process, which the process is told of as its parent. The trace is that of whoever
 * started the dataflow, where it was given, else one of the dataflow's own.
 */
export class StartSpans {
  readonly #clock: Clock;
  readonly #origin: TraceContext | undefined;
  readonly #traceId: string;
  readonly #baggage: string | undefined;
  /** By node; of processes that do not run yet. */
  readonly #open = new Map<string, Open>();

  /** `environment`: what was given with the start; the daemon's own carriers are about another trace. */
  constructor(environment: Readonly<Record<string, string>>, clock: Clock) {
    this.#clock = clock;
    const { TRACEPARENT: parent = "", TRACESTATE: state, BAGGAGE: baggage } = environment;
    this.#origin = parseTraceparent(parent, state);
    this.#traceId = this.#origin?.traceId ?? newTraceId();
    this.#baggage = (baggage ?? "").length <= BAGGAGE_LENGTH_MAX ? baggage : undefined;
  }

  /** A process of the node is about to be started: its carriers. */
  begin({ id, restarts }: NodeRun): Readonly<Record<string, string>> {
    const span = { spanId: newSpanId(), startUnixNs: this.#clock.nowUnixNs(), restarts };
    this.#open.set(id, span);
    const traceState = this.#origin?.traceState ?? "";
    return {
      TRACEPARENT: formatTraceparent(this.#traceId, span.spanId, this.#origin?.traceFlags),
      ...(traceState === "" ? {} : { TRACESTATE: traceState }),
      ...(this.#baggage === undefined ? {} : { BAGGAGE: this.#baggage }),
    };
  }

  /** It runs now, or has ended before it did. */
  onState(node: NodeRun): void {
    const span = this.#open.get(node.id);
    if (span === undefined || node.state === "starting") return;
    this.#open.delete(node.id);
    node.telemetry?.started({
      ...span,
      traceId: this.#traceId,
      parentSpanId: this.#origin?.spanId,
      endUnixNs: this.#clock.nowUnixNs(),
      isFailed: node.state !== "running",
    });
  }
}
