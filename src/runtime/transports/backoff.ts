const FIRST_DELAY_MS = 10;
const DELAY_MS_MAX = 2_000;

/** Delays between attempts: from 10 ms, doubling, to 2 s; each between half and the whole of its step, so
 * that many who lost the same peer do not come back at once. */
export class Backoff {
  #stepMs = FIRST_DELAY_MS;

  nextDelayMs(): number {
    const delayMs = this.#stepMs * (0.5 + Math.random() / 2);
    this.#stepMs = Math.min(this.#stepMs * 2, DELAY_MS_MAX);
    return delayMs;
  }

  reset(): void {
    this.#stepMs = FIRST_DELAY_MS;
  }
}
