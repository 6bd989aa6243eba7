/**
 * How long a query may run before others get their turn: short beside what a reader notices, long
 * beside what a turn costs.
 */
export const SLICE_MS = 2;

/** Work that takes its turns among others. */
export interface TurnTaker {
  /** False while it waits for something and wants no turn. */
  readonly isReady: boolean;
}

/**
 * Says whose turn it is, of several that share one thread: by turns the one that has had the least
 * time so far, and the one whose last turn is the longest ago. So who needs little is soon done
 * however many others are at work, and nobody waits for ever.
 */
export class ScanTurns<Taker extends TurnTaker> {
  /** With the milliseconds that each has had; the last turn the longest ago first. */
  readonly #takers = new Map<Taker, number>();
  #isForLeast = false;

  /** A newcomer has had no time, so the next turn but one at the latest is its own. */
  add(taker: Taker): void {
    this.#takers.set(taker, 0);
  }

  remove(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** Who has the next turn; undefined where nobody is ready. */
  next(): Taker | undefined {
    this.#isForLeast = !this.#isForLeast;
    let chosen: Taker | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [taker, hadMs] of this.#takers) {
      if (!taker.isReady) continue;
      if (!this.#isForLeast) return taker;
      // Of equal ones the newest: who has been here for long has had its chances.
      if (hadMs > least) continue;
      chosen = taker;
      least = hadMs;
    }
    return chosen;
  }

  /** Counts a turn that it has had, unless it is gone. */
  spend(taker: Taker, ms: number): void {
    const hadMs = this.#takers.get(taker);
    if (hadMs === undefined) return;
    this.#takers.delete(taker);
    this.#takers.set(taker, hadMs + ms);
  }
}
