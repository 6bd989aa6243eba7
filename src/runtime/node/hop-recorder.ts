import { type Hop, HopWriter } from "../protocol/hops.ts";
import type { Alarm, Scheduler } from "./scheduler.ts";

/** Hops go to the daemon after so long, or when there are so many. */
const FLUSH_MS = 200;
const FLUSH_COUNT = 2048;

/**
 * Collects what the daemon is told of each message. While the daemon takes nothing, hops wait up to
 * `HOPS_MAX`; then further ones are dropped and counted.
 */
export class HopRecorder {
  readonly #writer = new HopWriter();
  readonly #scheduler: Scheduler;
  /** False where the daemon cannot take them now. */
  readonly #send: (body: () => Buffer) => boolean;
  #alarm: Alarm | undefined;
  /** Messages were handled or sent: called soon after the first of them, and some five times a second at most. */
  onFlush: (() => void) | undefined;

  constructor(scheduler: Scheduler, send: (body: () => Buffer) => boolean) {
    this.#scheduler = scheduler;
    this.#send = send;
  }

  /** Hops that were not recorded. */
  get dropped(): number {
    return this.#writer.dropped;
  }

  write(hop: Hop): void {
    this.#writer.write(hop);
    if (this.#writer.count % FLUSH_COUNT === 0) this.flush();
    else this.#alarm ??= this.#scheduler.after(FLUSH_MS, () => this.flush());
  }

  flush(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (this.#writer.count === 0) return;
    this.onFlush?.();
    if (!this.#send(() => this.#writer.take())) {
      this.#alarm = this.#scheduler.after(FLUSH_MS, () => this.flush());
    }
  }

  close(): void {
    this.flush();
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }
}
