import type { Alarm, Scheduler } from "./scheduler.ts";

/**
 * Ticks at its start and then at whole intervals from it, whatever happens between: a late tick makes the
 * next one no later, and ticks that were missed are skipped. Paused, it is silent; resumed, it goes on at
 * the next whole interval.
 *
 *     start      1          2          3          4
 *     |----------|----------|----------|----------|
 *     tick       tick          tick (late)        tick
 */
export class IntervalTimer {
  readonly #intervalMs: number;
  readonly #scheduler: Scheduler;
  readonly #onTick: () => void;
  #startMs: number | undefined;
  /** The last interval that was ticked or skipped. */
  #lastIndex = -1;
  #alarm: Alarm | undefined;

  constructor(intervalNs: number, scheduler: Scheduler, onTick: () => void) {
    this.#intervalMs = intervalNs / 1e6;
    this.#scheduler = scheduler;
    this.#onTick = onTick;
  }

  start(): void {
    this.#startMs = this.#scheduler.monotonicMs();
    this.#wake(this.#startMs);
  }

  pause(): void {
    this.#alarm?.cancel();
    this.#alarm = undefined;
  }

  resume(): void {
    if (this.#startMs === undefined || this.#alarm !== undefined) return;
    this.#lastIndex = this.#indexAt(this.#startMs);
    this.#setAlarm(this.#startMs);
  }

  #wake(startMs: number): void {
    const index = this.#indexAt(startMs);
    const isDue = index > this.#lastIndex;
    this.#lastIndex = index;
    this.#setAlarm(startMs);
    if (isDue) this.#onTick();
  }

  #indexAt(startMs: number): number {
    const elapsedMs = this.#scheduler.monotonicMs() - startMs;
    return Math.max(this.#lastIndex, Math.floor(elapsedMs / this.#intervalMs));
  }

  #setAlarm(startMs: number): void {
    const dueMs = startMs + (this.#lastIndex + 1) * this.#intervalMs;
    const delayMs = Math.max(0, dueMs - this.#scheduler.monotonicMs());
    // Rounded up, since an alarm that comes too early only has to be set again.
    this.#alarm = this.#scheduler.after(Math.ceil(delayMs), () => this.#wake(startMs));
  }
}
