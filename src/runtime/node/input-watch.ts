import type { Alarm, Scheduler } from "./scheduler.ts";

/**
 * Notices when nothing has come on an input for so long. What came and still waits for the node's own code
 * is no silence of the sender. Each message sets a number alone, no alarm.
 */
export class InputWatch {
  readonly #timeoutMs: number;
  readonly #scheduler: Scheduler;
  readonly #input: { readonly isWaiting: () => boolean; readonly onTimeout: () => void };
  #lastMs = 0;
  #alarm: Alarm | undefined;
  #isStarted = false;

  constructor(
    timeoutMs: number,
    scheduler: Scheduler,
    input: { readonly isWaiting: () => boolean; readonly onTimeout: () => void },
  ) {
    this.#timeoutMs = timeoutMs;
    this.#scheduler = scheduler;
    this.#input = input;
  }

  start(): void {
    this.#isStarted = true;
    this.touch();
  }

  stop(): void {
    this.#isStarted = false;
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }

  /** Something came. */
  touch(): void {
    this.#lastMs = this.#scheduler.monotonicMs();
    if (this.#isStarted) this.#alarm ??= this.#after(this.#timeoutMs);
  }

  #after(milliseconds: number): Alarm {
    return this.#scheduler.after(Math.ceil(milliseconds), () => this.#look());
  }

  #look(): void {
    this.#alarm = undefined;
    if (this.#input.isWaiting()) {
      this.touch();
      return;
    }
    const restMs = this.#lastMs + this.#timeoutMs - this.#scheduler.monotonicMs();
    if (restMs > 0) this.#alarm = this.#after(restMs);
    // The next message starts the watch again.
    else this.#input.onTimeout();
  }
}
