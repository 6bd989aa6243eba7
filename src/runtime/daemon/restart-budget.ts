import type { RestartRules } from "../dataflow/dataflow.ts";

/**
 * Says whether a node is started again, and when: a delay that doubles with each restart of the
 * window, up to a limit of restarts in it.
 */
export class RestartBudget {
  readonly #rules: RestartRules;
  /** When each restart of the window was granted, oldest first. */
  #granted: number[] = [];

  constructor(rules: RestartRules) {
    this.#rules = rules;
  }

  /** The delay before the next start; undefined where there is none. `nowMs` is monotonic. */
  grant(isFailure: boolean, nowMs: number): number | undefined {
    const { policy, restartsMax, delayMs, delayMaxMs, windowMs } = this.#rules;
    if (policy === "never" || (policy === "on-failure" && !isFailure)) return undefined;
    if (windowMs > 0) this.#granted = this.#granted.filter((atMs) => nowMs - atMs < windowMs);
    if (restartsMax > 0 && this.#granted.length >= restartsMax) return undefined;
    const doublings = Math.min(this.#granted.length, DOUBLINGS_MAX);
    this.#granted.push(nowMs);
    // Without a limit and a window the list would grow for ever; past this only its length counts.
    if (restartsMax === 0 && this.#granted.length > DOUBLINGS_MAX) this.#granted.shift();
    return Math.min(delayMs * 2 ** doublings, delayMaxMs);
  }
}

/** Beyond any delay that a file may name. */
const DOUBLINGS_MAX = 40;
