import type { RefusalReason } from "./refusal.ts";

/** How a request came. */
const RECEIVER_TRANSPORTS = ["http", "grpc"] as const;
export type ReceiverTransport = (typeof RECEIVER_TRANSPORTS)[number];

/** What became of a request: stored, or the reason why not. */
export type RequestOutcome = "stored" | RefusalReason;

export interface RequestCount {
  readonly transport: ReceiverTransport;
  readonly outcome: RequestOutcome;
  readonly count: number;
}

/**
 * Counts requests by transport and outcome, for the metrics. Refused requests are no part of the
 * store's law: their records were never received.
 */
export class ReceiverStats {
  readonly #counts: Readonly<Record<ReceiverTransport, Map<RequestOutcome, number>>> = {
    http: new Map(),
    grpc: new Map(),
  };

  add(transport: ReceiverTransport, outcome: RequestOutcome): void {
    this.#counts[transport].set(outcome, this.count(transport, outcome) + 1);
  }

  count(transport: ReceiverTransport, outcome: RequestOutcome): number {
    return this.#counts[transport].get(outcome) ?? 0;
  }

  /** One entry a pair that was seen. */
  snapshot(): readonly RequestCount[] {
    return RECEIVER_TRANSPORTS.flatMap((transport) =>
      Array.from(this.#counts[transport], ([outcome, count]) => ({ transport, outcome, count })),
    );
  }
}
