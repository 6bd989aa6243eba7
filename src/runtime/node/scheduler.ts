/** Where time and alarms come from, so that tests can set them. */
export interface Scheduler {
  /** Time that never goes back, in milliseconds. */
  monotonicMs(): number;
  /** Runs the task once; never before so many milliseconds, give or take one. */
  after(milliseconds: number, task: () => void): Alarm;
}

export interface Alarm {
  cancel(): void;
}

/** `setTimeout` takes no more than this, and would fire at once. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export const systemScheduler: Scheduler = {
  monotonicMs: () => performance.now(),
  after: (milliseconds, task) => {
    const timeout = setTimeout(task, Math.min(milliseconds, DELAY_MAX_MS));
    return { cancel: () => clearTimeout(timeout) };
  },
};
