import { ACKNOWLEDGED, CanaryWindow, DOUBLED, FOUND, PUSHED } from "./canary-window.ts";
import { CanaryTally } from "./canary-tally.ts";

/** After its acknowledgement a record may take this long to be found or pushed before it is missed. */
export const PATIENCE_MS = 10_000;

/** What was found stays under watch this long, so that a loss after a restart is noticed. */
const LOOK_BACK_MS = 600_000;

/** Spans under watch at the most; older ones are joined first. */
const SPANS_MAX = 600;

/** The first numbers that are missing or doubled, to be named. */
const NAMED_MAX = 5;

/** Numbers from `from` to below `to`, and when the first of them was sent. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
  readonly sinceUnixMs: number;
}

/** A range, and how many records were found in it. */
export interface FoundRange extends NumberRange {
  readonly found: number;
}

/**
 * The canary's books: which numbers were sent, acknowledged, pushed and found, and what that says.
 * Pure: it is told what happened, and when.
 *
 * Numbers are sent in their order and one request after the other, so that all below `answered` have
 * their answer, and so that a live search which pushed one must push all that follow it.
 *
 * Concurrency: one thread. Memory: that of the window.
 */
export class CanaryLedger {
  readonly tally = new CanaryTally();
  readonly #window: CanaryWindow;
  /** All below have their answer. */
  #answered = 0;
  /** All below were judged: found by search, or missing. */
  #searched = 0;
  /** All below were judged: pushed, or not to be expected, or missed. */
  #followed = 0;
  /** What the live search that stands now has pushed; undefined before its first push. */
  #live: { readonly first: number; last: number } | undefined;
  /** How many more records the live search may not push, since it said so. */
  #excused = 0;
  #watched: FoundRange[] = [];
  readonly #named: number[] = [];

  constructor(capacity: number) {
    this.#window = new CanaryWindow(capacity);
  }

  /** How many numbers may be sent now. 0 where none was judged for long, as without a query API. */
  get room(): number {
    return this.#window.room;
  }

  /** Nothing more is to come: each number that was acknowledged is judged. */
  get isSettled(): boolean {
    return this.#searched === this.#answered && this.#followed === this.#answered;
  }

  /** Some of the numbers that are missing or doubled. */
  get named(): readonly number[] {
    return this.#named;
  }

  /** Gives the next `count` numbers, of which the first is returned. */
  send(count: number, nowUnixMs: number): number {
    const first = this.#window.end;
    for (let index = 0; index < count; index++) this.#window.give(nowUnixMs);
    this.tally.add("sent", count);
    return first;
  }

  /** The request with all numbers up to here is on disk, says the service. */
  acknowledge(nowMs: number, latencyMs: number): void {
    const window = this.#window;
    this.tally.add("acknowledged", window.end - this.#answered);
    this.tally.record("acknowledge", latencyMs);
    for (; this.#answered < window.end; this.#answered++) {
      window.acknowledge(this.#answered, nowMs);
      if (window.has(this.#answered, PUSHED)) this.tally.record("push", 0);
    }
  }

  /** The service will not take the numbers up to here, or never answered: they may be there or not. */
  giveUp(reason: "refused" | "unanswered"): void {
    if (reason === "refused") this.tally.add("refused", this.#window.end - this.#answered);
    this.#answered = this.#window.end;
  }

  /** A live search gave this number. */
  push(number: number, nowMs: number): void {
    const window = this.#window;
    if (number >= window.end) return;
    this.#live ??= { first: number, last: -1 };
    if (number < this.#live.last) this.tally.add("outOfOrder");
    this.#live.last = Math.max(this.#live.last, number);
    if (!window.holds(number) || window.has(number, PUSHED)) {
      this.#double(number);
      return;
    }
    window.set(number, PUSHED);
    this.tally.add("pushed");
    if (window.has(number, ACKNOWLEDGED)) {
      this.tally.record("push", nowMs - window.acknowledgedMs(number));
    }
  }

  /** The live search said that it left so many out. */
  leaveOut(count: number): void {
    this.tally.add("leftOut", count);
    this.#excused += count;
  }

  /** The live search broke: what it had not pushed yet is not to be expected any more. */
  endLive(nowMs: number): void {
    if (this.#live !== undefined) this.judgeLive(nowMs);
    this.#live = undefined;
    this.#excused = 0;
    this.tally.add("reconnected");
  }

  /** Looks for numbers that should have been pushed by now. */
  judgeLive(nowMs: number): void {
    const window = this.#window;
    const first = this.#live?.first ?? this.#answered;
    for (; this.#followed < this.#answered; this.#followed++) {
      const number = this.#followed;
      const isDue = number >= first && window.has(number, ACKNOWLEDGED);
      if (!isDue || window.has(number, PUSHED)) continue;
      if (nowMs - window.acknowledgedMs(number) < PATIENCE_MS) break;
      if (this.#excused > 0) this.#excused -= 1;
      else this.tally.add("notPushed");
    }
    this.#slide();
  }

  /** The next numbers to be searched for; undefined where all were. */
  nextSearch(countMax: number): NumberRange | undefined {
    const from = this.#searched;
    if (from === this.#answered) return undefined;
    const to = Math.min(this.#answered, from + countMax);
    return { from, to, sinceUnixMs: this.#window.sentUnixMs(from) };
  }

  /** One search over a range, oldest first: `see` each number that it gives, then `end` it. */
  beginSearch({ from, to }: NumberRange): {
    see(number: number): void;
    /** To be called where the answer was whole, with the time at which it was asked. */
    end(startedMs: number): void;
  } {
    const window = this.#window;
    let last = -1;
    return {
      see: (number) => {
        // Another search may have judged some of them meanwhile.
        if (number < Math.max(from, this.#searched) || number >= to) return;
        if (number === last) {
          this.#double(number);
        } else if (number < last) {
          this.tally.add("outOfOrder");
        } else if (!window.has(number, FOUND)) {
          window.set(number, FOUND);
          this.tally.add("found");
        }
        last = Math.max(last, number);
      },
      end: (startedMs) => this.#judgeSearch(to, startedMs),
    };
  }

  #judgeSearch(to: number, startedMs: number): void {
    const window = this.#window;
    const from = this.#searched;
    let found = 0;
    for (; this.#searched < to; this.#searched++) {
      const number = this.#searched;
      if (window.has(number, FOUND)) {
        found += window.has(number, DOUBLED) ? 2 : 1;
      } else if (window.has(number, ACKNOWLEDGED)) {
        // Asked again later: who is behind another collector may be there with a delay.
        if (startedMs - window.acknowledgedMs(number) < PATIENCE_MS) break;
        this.tally.add("missing");
        this.#name(number);
      }
    }
    if (this.#searched > from) this.#watch(from, found);
    this.#slide();
  }

  #watch(from: number, found: number): void {
    const sinceUnixMs = this.#window.sentUnixMs(from);
    this.#watched.push({ from, to: this.#searched, sinceUnixMs, found });
    const oldestUnixMs = sinceUnixMs - LOOK_BACK_MS;
    const young = this.#watched.filter((range) => range.sinceUnixMs >= oldestUnixMs);
    this.#watched = young.slice(-SPANS_MAX);
  }

  /** All that was found in the last ten minutes and must still be there; undefined for nothing. */
  get watched(): FoundRange | undefined {
    if (this.#watched.length === 0) return undefined;
    const { from, sinceUnixMs } = this.#watched[0];
    const to = this.#watched[this.#watched.length - 1].to;
    return { from, to, sinceUnixMs, found: this.#watched.reduce((sum, one) => sum + one.found, 0) };
  }

  /** The service counts so many in a range that `watched` gave. */
  recount({ to, found }: FoundRange, counted: number): void {
    const isWatched = this.#watched.some((range) => range.from < to);
    if (counted === found || !isWatched) return;
    this.tally.add(counted < found ? "missing" : "doubled", Math.abs(found - counted));
    // Counted once: only what was found since then is watched from now on.
    this.#watched = this.#watched.filter((range) => range.from >= to);
  }

  #double(number: number): void {
    if (this.#window.holds(number)) {
      if (this.#window.has(number, DOUBLED)) return;
      this.#window.set(number, DOUBLED);
    }
    this.tally.add("doubled");
    this.#name(number);
  }

  #name(number: number): void {
    if (this.#named.length < NAMED_MAX) this.#named.push(number);
  }

  #slide(): void {
    this.#window.slideTo(Math.min(this.#searched, this.#followed));
  }
}
