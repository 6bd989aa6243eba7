import { z } from "zod";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import type { SignalCounters } from "./ingest.ts";

/** What the manifest keeps of one signal: everything but what the journal alone knows. */
export const storedCounters = z.object({
  received: z.number().int().nonnegative(),
  stored: z.number().int().nonnegative(),
  rejected: z.number().int().nonnegative(),
  filtered: z.number().int().nonnegative(),
  deduplicated: z.number().int().nonnegative(),
  expired: z.number().int().nonnegative(),
  damaged: z.number().int().nonnegative(),
});
export type StoredCounters = z.infer<typeof storedCounters>;

const ZERO: StoredCounters = {
  received: 0,
  stored: 0,
  rejected: 0,
  filtered: 0,
  deduplicated: 0,
  expired: 0,
  damaged: 0,
};

/** What became of one request's records. */
export interface RequestCounts {
  readonly received: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly isDuplicate: boolean;
}

/** The counters of one signal. Each movement keeps the law of `SignalCounters`. */
class SignalTally {
  #counters: StoredCounters = ZERO;
  #pending = 0;

  restore(counters: StoredCounters): void {
    this.#counters = counters;
  }

  get committed(): StoredCounters {
    return this.#counters;
  }

  begin({ received }: RequestCounts): void {
    this.#pending += received;
  }

  drop({ received }: RequestCounts): void {
    this.#pending -= received;
  }

  commit(counts: RequestCounts): void {
    this.#pending -= counts.received;
    this.replay(counts);
  }

  /** Counts a request that is in the journal, of this process or of one before it. */
  replay({ received, rejected, filtered, isDuplicate }: RequestCounts): void {
    const now = this.#counters;
    this.#counters = {
      ...now,
      received: now.received + received,
      stored: now.stored + (isDuplicate ? 0 : received - rejected - filtered),
      rejected: now.rejected + (isDuplicate ? 0 : rejected),
      filtered: now.filtered + (isDuplicate ? 0 : filtered),
      deduplicated: now.deduplicated + (isDuplicate ? received : 0),
    };
  }

  lose(kind: "expired" | "damaged", rows: number): void {
    this.#counters = { ...this.#counters, [kind]: this.#counters[kind] + rows };
  }

  /** `dropped` is the journal's count of records whose write failed. */
  report(dropped: number): SignalCounters {
    const { received, ...counters } = this.#counters;
    return {
      received: received + this.#pending + dropped,
      ...counters,
      dropped,
      pending: this.#pending,
    };
  }
}

/** One value for each signal. */
export type PerSignal<T> = Readonly<Record<Signal, T>>;

export function perSignal<T>(make: (signal: Signal) => T): PerSignal<T> {
  return { logs: make("logs"), traces: make("traces"), metrics: make("metrics") };
}

/** The store's counters, for all signals. */
export class Counters {
  readonly #tallies = perSignal(() => new SignalTally());

  of(signal: Signal): SignalTally {
    return this.#tallies[signal];
  }

  restore(counters: PerSignal<StoredCounters>): void {
    for (const signal of SIGNALS) this.#tallies[signal].restore(counters[signal]);
  }

  committed(): PerSignal<StoredCounters> {
    return perSignal((signal) => this.#tallies[signal].committed);
  }

  report(dropped: PerSignal<number>): PerSignal<SignalCounters> {
    return perSignal((signal) => this.#tallies[signal].report(dropped[signal]));
  }
}

export const ZERO_COUNTERS: PerSignal<StoredCounters> = perSignal(() => ZERO);
