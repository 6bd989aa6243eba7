import type { Introductions } from "./introductions.ts";
import type { NodeRun } from "./node-run.ts";
import type { Timers } from "./timers.ts";

/** A node waits so long for a receiver; one may be in a long delay before its restart. */
const HOLD_MS = 10_000;

/**
 * Nodes that were started anew while some that they send to are being started too: they begin once
 * these listen, or what they send first would go nowhere.
 */
export class HeldStarts {
  readonly #links: Introductions;
  readonly #timers: Timers;
  readonly #begin: (node: NodeRun) => void;
  /** Each with what takes its time limit back. */
  readonly #held = new Map<NodeRun, () => void>();

  constructor(links: Introductions, timers: Timers, begin: (node: NodeRun) => void) {
    this.#links = links;
    this.#timers = timers;
    this.#begin = begin;
  }

  /** A node listens in a dataflow that runs: begins it, and those that waited for it. */
  onListening(node: NodeRun): void {
    // One that has begun has only lost its connection, or has new inputs.
    if (node.hasBegun) this.#begin(node);
    else
      this.#held.set(
        node,
        this.#timers.after(HOLD_MS, () => this.#letGo(node)),
      );
    this.onChange();
  }

  /** A node listens, or has ended. */
  onChange(): void {
    for (const node of this.#held.keys()) {
      const receivers = [...this.#links.receiversOf(node).keys()];
      if (!receivers.some(isComing)) this.#letGo(node);
    }
  }

  #letGo(node: NodeRun): void {
    this.#held.get(node)?.();
    this.#held.delete(node);
    // It may have ended while it waited.
    if (node.isListening) this.#begin(node);
  }
}

/** It will listen before long. */
function isComing(node: NodeRun): boolean {
  return !node.isListening && ["starting", "restarting"].includes(node.state) && !node.isDynamic;
}
