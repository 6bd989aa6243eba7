import { AppError } from "../core/errors.ts";

/** What a `QuerySlots` holds at the most. */
export interface QuerySlotLimits {
  /** What runs in a slot, for the message: "queries". */
  readonly what: string;
  readonly perPrincipalMax: number;
  readonly totalMax: number;
}

/**
 * Counts what runs at once, for each principal (SEC-015).
 *
 * Errors: `acquire` throws `QUERY_TOO_MANY` where a limit is reached; nothing waits.
 */
export class QuerySlots {
  readonly #limits: QuerySlotLimits;
  /** Only principals that hold a slot, so that it does not grow with those that came by. */
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(limits: QuerySlotLimits) {
    this.#limits = limits;
  }

  /** Takes a slot. Gives what releases it, once, however often it is called. */
  acquire(principal: string): () => void {
    const { what, perPrincipalMax, totalMax } = this.#limits;
    const held = this.#held.get(principal) ?? 0;
    if (held >= perPrincipalMax) {
      throw new AppError("QUERY_TOO_MANY", `${held} ${what} of yours run, the most at once`);
    }
    if (this.#total >= totalMax) {
      throw new AppError("QUERY_TOO_MANY", `${this.#total} ${what} run, the most at once`);
    }
    this.#held.set(principal, held + 1);
    this.#total++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(principal);
      isHeld = false;
    };
  }

  #release(principal: string): void {
    this.#total--;
    const held = this.#held.get(principal) ?? 0;
    if (held > 1) this.#held.set(principal, held - 1);
    else this.#held.delete(principal);
  }
}
