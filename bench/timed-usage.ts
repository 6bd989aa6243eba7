/** Wall and CPU time of what is run again and again. */
export class TimedUsage {
  readonly #cpuSeconds: () => number;
  readonly #times: number[] = [];
  #cpu = 0;

  constructor(readCpuSeconds: () => number) {
    this.#cpuSeconds = readCpuSeconds;
  }

  async time(run: () => Promise<unknown>): Promise<void> {
    const before = this.#cpuSeconds();
    const startedMs = performance.now();
    await run();
    this.#times.push(performance.now() - startedMs);
    this.#cpu += this.#cpuSeconds() - before;
  }

  /** Least and median time in ms, then CPU ms of a run. */
  text(): string {
    const ordered = this.#times.toSorted((left, right) => left - right);
    const median = ordered[ordered.length >> 1] ?? 0;
    const cpuMs = (this.#cpu * 1000) / ordered.length;
    return `${(ordered[0] ?? 0).toFixed(1)} / ${median.toFixed(1)} / ${cpuMs.toFixed(0)}`;
  }
}
