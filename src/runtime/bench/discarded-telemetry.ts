import type { NodeIdentity, NodeTelemetry, RunTelemetry } from "../protocol/run-telemetry.ts";

const RATES = {
  inputPerSecond: 0,
  outputPerSecond: 0,
  inputBytesPerSecond: 0,
  outputBytesPerSecond: 0,
  latencyP50Ns: null,
  latencyP99Ns: null,
  handlingP50Ns: null,
  queued: 0,
  dropped: 0,
  errors: 0,
};

/** Keeps what nodes print, and nothing else: nodes tell of each message as always, it goes nowhere. */
export class DiscardedTelemetry implements RunTelemetry {
  /** By the node's id. */
  readonly #printed = new Map<string, string>();
  /** The standard error of all nodes. */
  errors = "";

  log(): void {}

  nodeStarted({ node }: NodeIdentity): NodeTelemetry {
    return {
      output: (stream, chunk) => {
        if (stream === "stderr") this.errors += chunk.toString();
        else this.#printed.set(node.id, this.printedBy(node.id) + chunk.toString());
      },
      log: () => {},
      hops: () => {},
      gauges: () => {},
      inputAdded: () => {},
      started: () => {},
      usage: () => {},
      rates: () => RATES,
      ended: () => {},
    };
  }

  printedBy(node: string): string {
    return this.#printed.get(node) ?? "";
  }
}
