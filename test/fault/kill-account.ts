import type { PerSignal } from "../../src/log-store/counters.ts";
import type { SignalCounters } from "../../src/log-store/ingest.ts";

/** Findings of one kind that are named; the rest is counted. */
const NAMED_MAX = 5;
const START_CAPACITY = 65_536;

const GIVEN = 1;
const ACKNOWLEDGED = 2;

/** What was found wrong: each should stay 0. */
export interface KillFindings {
  /** Acknowledged, and not there. */
  lost: number;
  twice: number;
  /** There, and never sent so. */
  invented: number;
  /** Starts at which the counts did not add up, fell, or were others than was found. */
  broken: number;
  /** Sentences on the first of each. */
  readonly sentences: string[];
}

/**
 * Which numbers were given to a store, which of them it acknowledged, and what it should hold
 * therefore. Numbers are sent in the order of their times.
 */
export class KillAccount {
  readonly findings: KillFindings = { lost: 0, twice: 0, invented: 0, broken: 0, sentences: [] };
  #state = new Uint8Array(START_CAPACITY);
  #sentUnixMs = new Float64Array(START_CAPACITY);
  #given = 0;
  #acknowledged = 0;
  #storedBefore = 0;

  get given(): number {
    return this.#given;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** The next `count` numbers, of which the first is returned. */
  give(count: number, nowUnixMs: number): number {
    const first = this.#given;
    this.#reserve(first + count);
    this.#state.fill(GIVEN, first, first + count);
    this.#sentUnixMs.fill(nowUnixMs, first, first + count);
    this.#given += count;
    return first;
  }

  acknowledge(first: number, count: number): void {
    this.#state.fill(ACKNOWLEDGED, first, first + count);
    this.#acknowledged += count;
  }

  /**
   * Compares with all that a store holds from a time on. Of what was acknowledged, all that was sent
   * at `dueUnixMs` or later must be there; what is older may have expired.
   */
  compare(
    numbers: Float64Array,
    { fromUnixMs, dueUnixMs }: { readonly fromUnixMs: number; readonly dueUnixMs: number },
  ): void {
    const from = this.#firstSince(fromUnixMs);
    const seen = new Uint8Array(this.#given - from);
    for (const number of numbers) {
      if (number < from || number >= this.#given) this.#find("invented", `record ${number}`);
      else if (seen[number - from]++ > 0) this.#find("twice", `record ${number}`);
    }
    for (let number = Math.max(from, this.#firstSince(dueUnixMs)); number < this.#given; number++) {
      if (this.#state[number] !== ACKNOWLEDGED || seen[number - from] > 0) continue;
      const sent = new Date(this.#sentUnixMs[number]).toISOString();
      this.#find("lost", `record ${number}, sent at ${sent}`);
    }
  }

  /** The law, and that nothing of what was stored is forgotten; at each start. */
  checkCounters(counters: PerSignal<SignalCounters>): void {
    const broken = Object.entries(counters).filter(([, counts]) => {
      const { stored, rejected, filtered, deduplicated, dropped, pending } = counts;
      const sum = stored + rejected + filtered + deduplicated + dropped + pending;
      return counts.received !== sum || counts.damaged > 0 || dropped > 0;
    });
    for (const [signal, counts] of broken) {
      this.#find("broken", `the counts of ${signal}: ${JSON.stringify(counts)}`);
    }
    const stored = storedOf(counters);
    if (stored < this.#storedBefore || stored < this.#acknowledged) {
      const least = Math.max(this.#storedBefore, this.#acknowledged);
      this.#find("broken", `stored fell to ${stored}, there were ${least}`);
    }
    this.#storedBefore = stored;
  }

  /** While nothing is under way: what is counted is what was acknowledged, and is there or expired. */
  checkTotals(counters: PerSignal<SignalCounters>, found: number): void {
    const stored = storedOf(counters);
    const expired = Object.values(counters).reduce((sum, one) => sum + one.expired, 0);
    if (stored !== this.#acknowledged) {
      this.#find("broken", `${stored} stored, ${this.#acknowledged} acknowledged`);
    }
    if (stored !== found + expired) {
      this.#find("broken", `${stored} stored, ${found} found and ${expired} expired`);
    }
  }

  invent(sentence: string): void {
    this.#find("invented", sentence);
  }

  complain(sentence: string): void {
    this.#find("broken", sentence);
  }

  #find(kind: "lost" | "twice" | "invented" | "broken", what: string): void {
    this.findings[kind] += 1;
    if (this.findings[kind] <= NAMED_MAX) this.findings.sentences.push(`${kind}: ${what}`);
  }

  /** The first number that was sent at a time or later. */
  #firstSince(unixMs: number): number {
    let low = 0;
    let high = this.#given;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sentUnixMs[middle] < unixMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #reserve(count: number): void {
    if (count <= this.#state.length) return;
    const length = 2 * Math.max(count, this.#state.length);
    const [state, sent] = [new Uint8Array(length), new Float64Array(length)];
    state.set(this.#state);
    sent.set(this.#sentUnixMs);
    [this.#state, this.#sentUnixMs] = [state, sent];
  }
}

function storedOf(counters: PerSignal<SignalCounters>): number {
  return Object.values(counters).reduce((sum, { stored }) => sum + stored, 0);
}
