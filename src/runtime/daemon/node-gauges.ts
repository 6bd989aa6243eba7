import type { NodeGauges } from "../protocol/node-messages.ts";

/** The last gauges of a node's process, and the rates between the last two. */
export class NodeGaugesReading {
  #last: { readonly gauges: NodeGauges; readonly atMs: number } | undefined;
  #perSecond = new Map<string, number>();

  get connections(): number {
    return this.#last?.gauges.connections ?? 0;
  }

  messagesPerSecond(input: string): number {
    return this.#perSecond.get(input) ?? 0;
  }

  /** `nowMs` is monotonic. */
  take(gauges: NodeGauges, nowMs: number): void {
    const previous = this.#last;
    const before = new Map(previous?.gauges.inputs.map(({ input, received }) => [input, received]));
    const seconds = previous === undefined ? 0 : (nowMs - previous.atMs) / 1000;
    // Two at once tell no rate.
    if (seconds > 0.1) {
      this.#perSecond = new Map(
        gauges.inputs.map(({ input, received }) => {
          const since = received - (before.get(input) ?? received);
          return [input, Math.max(0, since / seconds)];
        }),
      );
    }
    if (previous === undefined || seconds > 0.1) this.#last = { gauges, atMs: nowMs };
  }

  clear(): void {
    this.#last = undefined;
    this.#perSecond.clear();
  }
}
