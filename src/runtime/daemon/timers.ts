/** Where delays come from, so that tests can let them pass. */
export interface Timers {
  /** Calls `run` once, in so many milliseconds; what is returned calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
