import type { NodeConfig } from "../protocol/node-messages.ts";
import type { DaemonLink } from "./daemon-link.ts";
import type { EventStream } from "./event-stream.ts";
import type { HopRecorder } from "./hop-recorder.ts";
import type { NodeLog } from "./node-log.ts";
import type { NodeOutputs } from "./node-outputs.ts";

const INTERVAL_MS = 1000;
/** Where nothing changes: a hundred idle nodes that woke each second would use a good part of a core. */
const QUIET_INTERVAL_MS = 5000;

interface GaugeSetup {
  readonly daemon: Pick<DaemonLink, "trySend" | "dropped">;
  readonly events: Pick<EventStream, "queues">;
  readonly hops: HopRecorder;
  readonly log: Pick<NodeLog, "warn">;
  readonly outputs: Pick<NodeOutputs, "all">;
  readonly connections: () => number;
}

/**
 * Tells the daemon how the node does: once a second, and every five seconds while it handles and sends nothing and
 * nothing else changes. That it comes is also the sign that the node lives.
 */
export class GaugeReporter {
  readonly #setup: GaugeSetup;
  #timer: NodeJS.Timeout | undefined;
  #lastUse = performance.eventLoopUtilization();
  #isQuiet = false;
  readonly #quietMs: number;
  #lastState = "";
  #untold = 0;
  /** Messages of which was told that they may be lost. */
  #toldUnconfirmed = 0;

  constructor({ silenceMaxMs = Infinity }: Pick<NodeConfig, "silenceMaxMs">, setup: GaugeSetup) {
    this.#setup = setup;
    this.#quietMs = Math.max(INTERVAL_MS, Math.min(QUIET_INTERVAL_MS, silenceMaxMs));
  }

  start(): void {
    this.#setup.hops.onFlush = () => this.#wake();
    this.#lookAfter(INTERVAL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#setup.hops.onFlush = undefined;
    this.#report();
  }

  #lookAfter(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), milliseconds);
  }

  #look(): void {
    this.#report();
    const state = this.#state();
    // What came in the last second is told together with the rate that it means, so one more follows a change.
    this.#isQuiet = state === this.#lastState;
    this.#lastState = state;
    this.#lookAfter(this.#isQuiet ? this.#quietMs : INTERVAL_MS);
  }

  #wake(): void {
    if (!this.#isQuiet) return;
    this.#isQuiet = false;
    this.#lookAfter(INTERVAL_MS);
  }

  /** All that is told but the use of the event loop. */
  #state(): string {
    const { events, outputs, connections } = this.#setup;
    const inputs = events.queues.map(({ queued, received, dropped }) => {
      return `${queued} ${received} ${dropped}`;
    });
    const lost = Array.from(outputs.all, ({ unconfirmed }) => unconfirmed);
    return [connections(), ...inputs, ...lost].join(" ");
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
