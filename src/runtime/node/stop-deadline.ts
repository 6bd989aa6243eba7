import { CLOSE_TIMEOUT_MS } from "../transports/transport.ts";
import type { LinkSender } from "./link-sender.ts";
import type { Alarm, Scheduler } from "./scheduler.ts";

/** Of the time that the daemon grants for the end, what the last messages get; the rest is for saying so. */
const CLOSE_SHARE = 0.8;
/** What receivers that are slow get of it. */
const SLOW_SHARE = 0.5;

/** The time that a node has once it was told to stop, and whom it waits for meanwhile. */
export class StopDeadline {
  readonly #scheduler: Scheduler;
  /** When the process will be ended, by the monotonic clock. */
  #endMs: number | undefined;
  #giveUpAlarm: Alarm | undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** What the last messages have of the time that is left; before a stop, of the time without one. */
  get closeBudgetMs(): number {
    if (this.#endMs === undefined) return CLOSE_TIMEOUT_MS;
    return Math.max(0, (this.#endMs - this.#scheduler.monotonicMs()) * CLOSE_SHARE);
  }

  /** A receiver that is gone, or does not read, must not hold up the end of this node. */
  begin(graceMs: number, senders: () => readonly LinkSender[]): void {
    this.#endMs = this.#scheduler.monotonicMs() + graceMs;
    for (const sender of senders()) sender.stopWaitingForLost();
    this.#giveUpAlarm ??= this.#scheduler.after(graceMs * SLOW_SHARE, () => {
      for (const sender of senders()) sender.giveUp();
    });
  }

  cancel(): void {
    this.#giveUpAlarm?.cancel();
  }
}
