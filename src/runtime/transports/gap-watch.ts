/** Outboxes that are watched; the one not heard of for longest is forgotten. */
const OUTBOXES_MAX = 10_000;

const HALF = 2 ** 31;

/** Tells by the numbers that senders give their messages how many did not arrive. */
export class GapWatch {
  /** The number that the next message of each outbox should have. */
  readonly #expected = new Map<string, number>();

  /** How many messages are missing before this one; none where it was here before. Numbers are modulo 2^32. */
  missingBefore(outbox: string, number: number): number {
    const expected = this.#expected.get(outbox);
    const missing = expected === undefined ? 0 : (number - expected) >>> 0;
    if (missing >= HALF) return 0;
    // Set anew, so that the map's first is the one not heard of for longest.
    this.#expected.delete(outbox);
    this.#expected.set(outbox, (number + 1) >>> 0);
    if (this.#expected.size > OUTBOXES_MAX) {
      const [oldest] = this.#expected.keys();
      if (oldest !== undefined) this.#expected.delete(oldest);
    }
    return missing;
  }
}
