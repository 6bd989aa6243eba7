import type { Alarm, Scheduler } from "../../../src/runtime/node/scheduler.ts";

/** Time that stands until the test moves it. */
export class ManualScheduler implements Scheduler {
  #nowMs = 0;
  #alarms: { readonly dueMs: number; readonly task: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(milliseconds: number, task: () => void): Alarm {
    const alarm = { dueMs: this.#nowMs + milliseconds, task };
    this.#alarms.push(alarm);
    return { cancel: () => this.#remove(alarm) };
  }

  /** Moves time, and runs what falls due, each at its time. */
  advance(milliseconds: number): void {
    const endMs = this.#nowMs + milliseconds;
    for (;;) {
      const due = this.#alarms
        .filter(({ dueMs }) => dueMs <= endMs)
        .sort((left, right) => left.dueMs - right.dueMs)[0];
      if (due === undefined) break;
      this.#remove(due);
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.task();
    }
    this.#nowMs = endMs;
  }

  /** Moves time as a busy process sees it: what fell due runs only now. */
  stall(milliseconds: number): void {
    this.#nowMs += milliseconds;
    this.advance(0);
  }

  #remove(alarm: { readonly dueMs: number; readonly task: () => void }): void {
    this.#alarms = this.#alarms.filter((each) => each !== alarm);
  }
}
