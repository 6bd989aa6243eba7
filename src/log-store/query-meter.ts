import type { QueryBudget, SearchEnd } from "./log-store.ts";

/**
 * Counts what a query has cost, and says when it must stop. Time counts only while the query
 * runs, not while its reader is slow or another query has the thread.
 */
export class QueryMeter {
  readonly #budget: QueryBudget;
  readonly #nowMs: () => number;
  #ranMs = 0;
  #resumedMs: number;
  scannedBytes = 0;
  scannedRows = 0;
  readonly #damage = new Set<string>();

  constructor(budget: QueryBudget, nowMs: () => number) {
    this.#budget = budget;
    this.#nowMs = nowMs;
    this.#resumedMs = nowMs();
  }

  /** Call before and after handing control away. */
  pause(): void {
    this.#ranMs += this.#nowMs() - this.#resumedMs;
  }

  resume(): void {
    this.#resumedMs = this.#nowMs();
  }

  /** What is met in row after row is told once. */
  addDamage(reason: string): void {
    this.#damage.add(reason);
  }

  /** Why the query must stop now, or undefined. */
  exhausted(): string | undefined {
    const ranMs = this.#ranMs + this.#nowMs() - this.#resumedMs;
    if (ranMs > this.#budget.timeMs) {
      return `stopped after its time of ${this.#budget.timeMs} ms`;
    }
    if (this.scannedBytes > this.#budget.scanBytes) {
      return `stopped after reading ${this.scannedBytes} bytes, its limit is ${this.#budget.scanBytes}`;
    }
    return undefined;
  }

  end(stopped: string | undefined, cursor: string | undefined): SearchEnd {
    const reasons = stopped === undefined ? [...this.#damage] : [...this.#damage, stopped];
    return {
      status: reasons.length === 0 ? "complete" : "partial",
      reasons,
      ...(cursor === undefined ? {} : { cursor }),
      scannedBytes: this.scannedBytes,
      scannedRows: this.scannedRows,
    };
  }
}
