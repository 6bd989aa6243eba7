import { AppError } from "../../core/errors.ts";
import type { CoordinatorLimits } from "./limits.ts";

/** Counts the streams of events, for each principal. Nothing waits. */
export class StreamSlots {
  readonly #limits: Pick<CoordinatorLimits, "streamsMax" | "streamsPerPrincipalMax">;
  /** Only principals that have a stream. */
  readonly #held = new Map<string, number>();
  #total = 0;

  constructor(limits: Pick<CoordinatorLimits, "streamsMax" | "streamsPerPrincipalMax">) {
    this.#limits = limits;
  }

  /** Gives what releases it; to be called once. Errors: `QUERY_TOO_MANY`. */
  acquire(principal: string): () => void {
    const held = this.#held.get(principal) ?? 0;
    const { streamsMax, streamsPerPrincipalMax } = this.#limits;
    if (held >= streamsPerPrincipalMax || this.#total >= streamsMax) {
      throw new AppError("QUERY_TOO_MANY", "too many streams of events are followed at once", {
        hint: "close one of them",
      });
    }
    this.#held.set(principal, held + 1);
    this.#total += 1;
    return () => {
      this.#total -= 1;
      const left = (this.#held.get(principal) ?? 1) - 1;
      if (left > 0) this.#held.set(principal, left);
      else this.#held.delete(principal);
    };
  }
}
