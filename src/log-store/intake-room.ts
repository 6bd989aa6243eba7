/** How long a request waits for room. Senders give up after 10 s, as the OpenTelemetry SDKs do. */
export const ROOM_WAIT_MS = 5000;

/**
 * Requests that came while too much waits to be sealed. A sender that waits a little is slowed down
 * to the pace of sealing; one that is refused sends all of its bytes again.
 *
 * Concurrency: one thread. Requests are let in one at a time, in the order in which they came.
 */
export class IntakeRoom {
  readonly #isFull: () => boolean;
  readonly #waiting = new Set<(isLetIn: boolean) => void>();

  constructor(isFull: () => boolean) {
    this.#isFull = isFull;
  }

  /** Whether a request can be taken at once: there is room, and nobody waits for it. */
  get isFree(): boolean {
    return this.#waiting.size === 0 && !this.#isFull();
  }

  /**
   * Resolves to true when it is this request's turn, and to false where that takes longer than
   * `ROOM_WAIT_MS`. After its turn the request calls `letNextIn`.
   */
  wait(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isLetIn: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve(isLetIn);
      };
      const timer = setTimeout(() => settle(false), ROOM_WAIT_MS);
      this.#waiting.add(settle);
    });
  }

  /** Lets in the one that has waited longest, where there is room. */
  letNextIn(): void {
    if (this.#isFull()) return;
    for (const settle of this.#waiting) return settle(true);
  }

  /** Lets all in, to be told that the store is closed. */
  letAllIn(): void {
    for (const settle of this.#waiting) settle(true);
  }
}
