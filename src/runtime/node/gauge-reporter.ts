import type { DaemonLink } from "./daemon-link.ts";
import type { EventStream } from "./event-stream.ts";
import type { HopRecorder } from "./hop-recorder.ts";
import type { NodeLog } from "./node-log.ts";
import type { NodeOutputs } from "./node-outputs.ts";

const INTERVAL_MS = 1000;

interface GaugeSetup {
  readonly daemon: DaemonLink;
  readonly events: EventStream;
  readonly hops: HopRecorder;
  readonly log: NodeLog;
  readonly outputs: NodeOutputs;
  readonly connections: () => number;
}

/** Tells the daemon once a second how the node does; that it comes is also the sign that the node lives. */
export class GaugeReporter {
  readonly #setup: GaugeSetup;
  #timer: NodeJS.Timeout | undefined;
  #lastUse = performance.eventLoopUtilization();
  #untold = 0;
  /** Messages of which was told that they may be lost. */
  #toldUnconfirmed = 0;

  constructor(setup: GaugeSetup) {
    this.#setup = setup;
  }

  start(): void {
    this.#timer = setInterval(() => this.#report(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#report();
  }

  #report(): void {
    const { daemon, events, outputs, connections } = this.#setup;
    const use = performance.eventLoopUtilization();
    // No number where no time has passed, and a hair above 1 where clocks round.
    const { utilization } = performance.eventLoopUtilization(use, this.#lastUse);
    daemon.trySend({
      type: "gauges",
      gauges: {
        eventLoopUtilization: Number.isNaN(utilization) ? 0 : Math.min(1, utilization),
        connections: connections(),
        inputs: events.queues.map((queue) => ({
          input: queue.config.id,
          queued: queue.queued,
          received: queue.received,
          dropped: queue.dropped,
        })),
        outputs: Array.from(outputs.all, ({ config, unconfirmed }) => {
          return { output: config.id, unconfirmed };
        }),
      },
    });
    this.#lastUse = use;
    this.#tellUnconfirmed();
    this.#tellLosses();
  }

  #tellUnconfirmed(): void {
    const { log, outputs } = this.#setup;
    const meant = [...outputs.all].filter(({ unconfirmed }) => unconfirmed > 0);
    const unconfirmed = meant.reduce((sum, output) => sum + output.unconfirmed, 0);
    if (unconfirmed === this.#toldUnconfirmed) return;
    log.warn("messages may be lost: a receiver went away before it had confirmed them", {
      messages: unconfirmed - this.#toldUnconfirmed,
      outputs: meant.map(({ config }) => config.id).join(", "),
    });
    this.#toldUnconfirmed = unconfirmed;
  }

  #tellLosses(): void {
    const { daemon, hops, log } = this.#setup;
    const lost = daemon.dropped + hops.dropped;
    if (lost === this.#untold) return;
    log.warn("telemetry of this node was lost: its daemon did not take it", {
      messages: daemon.dropped,
      hops: hops.dropped,
    });
    this.#untold = lost;
  }
}
