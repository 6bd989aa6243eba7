import {
  HOP_END,
  HOP_SENT_AT,
  HOP_START,
  isFailed,
  isHandled,
  nsBetween,
  traceKey,
} from "./hop-bytes.ts";
import { HOP_BYTES } from "../protocol/hops.ts";

/** A trace is decided on so long after its first hop came. */
export const SAMPLE_WAIT_MS = 1000;
/** Handled so long after it was sent, a message is slow. */
const SLOW_NS = 100e6;
/** Spans a second that are kept of traces that are neither failed nor slow, and of those that are. */
export const SPANS_PER_SECOND = 50;
export const NOTABLE_SPANS_PER_SECOND = 200;
/** Tokens that are saved up, in seconds. */
const BURST_SECONDS = 5;
/** Hops that wait; beyond, the oldest traces are decided at once. */
const HELD_HOPS_MAX = 100_000;
/** Decisions that are remembered for hops that come later: at least so many, at most twice that. */
const DECISIONS_MAX = 50_000;

/** One hop in the copy of its frame. */
export interface HeldHop<Source> {
  readonly source: Source;
  readonly body: Buffer;
  readonly at: number;
}

export interface SampleCounts {
  /** Spans that were kept, and those that were left out by the cap. */
  readonly kept: number;
  readonly left: number;
}

interface HeldTrace<Source> {
  readonly sinceMs: number;
  readonly hops: HeldHop<Source>[];
  isNotable: boolean;
}

/** Tokens, of which each span takes one; a trace is begun only with one left. */
class Budget {
  readonly #perSecond: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#atMs = nowMs;
  }

  /** A trace is whole or not at all, so it may take more than there is; then others wait longer. */
  take(count: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens -= count;
    return true;
  }

  /** For hops of a trace that is kept already. */
  spend(count: number): void {
    this.#tokens -= count;
  }

  #refill(nowMs: number): void {
    const gained = ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond * BURST_SECONDS, this.#tokens + gained);
    this.#atMs = nowMs;
  }
}

/**
 * Decides which traces become spans, each as a whole, after a short wait for what it turns out to be.
 *
 *     hops ──► held a second by trace ──► failed or slow? ──► kept, up to a cap for those
 *                                          else           ──► kept, up to a cap; the rest counted
 *
 * Hops that come after their trace's decision follow it.
 */
export class TraceSampler<Source> {
  readonly #emit: (hop: HeldHop<Source>) => void;
  readonly #usual: Budget;
  readonly #notable: Budget;
  /** In the order in which they began. */
  readonly #held = new Map<string, HeldTrace<Source>>();
  #heldHops = 0;
  /** Two generations: the older is forgotten when the younger is full. */
  #decisions = new Map<string, boolean>();
  #olderDecisions = new Map<string, boolean>();
  #kept = 0;
  #left = 0;

  constructor(
    nowMs: number,
    emit: (hop: HeldHop<Source>) => void,
    caps: { readonly usual?: number; readonly notable?: number } = {},
  ) {
    this.#emit = emit;
    this.#usual = new Budget(caps.usual ?? SPANS_PER_SECOND, nowMs);
    this.#notable = new Budget(caps.notable ?? NOTABLE_SPANS_PER_SECOND, nowMs);
  }

  get counts(): SampleCounts {
    return { kept: this.#kept, left: this.#left };
  }

  get held(): number {
    return this.#heldHops;
  }

  /** The hops of a frame's body, which must stay as it is. */
  add(source: Source, body: Buffer, nowMs: number): void {
    for (let at = 0; at + HOP_BYTES <= body.length; at += HOP_BYTES) {
      this.#addHop({ source, body, at }, nowMs);
    }
    while (this.#heldHops > HELD_HOPS_MAX) this.#decideOldest(nowMs);
  }

  /** Decides what has waited long enough. */
  sweep(nowMs: number): void {
    for (const trace of this.#held.values()) {
      if (nowMs - trace.sinceMs < SAMPLE_WAIT_MS) return;
      this.#decideOldest(nowMs);
    }
  }

  /** Decides all at once, for the end. */
  flush(nowMs: number): void {
    while (this.#held.size > 0) this.#decideOldest(nowMs);
  }

  #addHop(hop: HeldHop<Source>, nowMs: number): void {
    const key = traceKey(hop.body, hop.at);
    const held = this.#held.get(key);
    if (held !== undefined) {
      held.hops.push(hop);
      held.isNotable ||= isNotable(hop);
      this.#heldHops += 1;
      return;
    }
    const isKept = this.#decisions.get(key) ?? this.#olderDecisions.get(key);
    if (isKept === undefined) {
      this.#held.set(key, { sinceMs: nowMs, hops: [hop], isNotable: isNotable(hop) });
      this.#heldHops += 1;
      return;
    }
    // A trace that goes on is remembered on.
    this.#remember(key, isKept);
    if (isKept) {
      this.#usual.spend(1);
      this.#kept += 1;
      this.#emit(hop);
    } else {
      this.#left += 1;
    }
  }

  #decideOldest(nowMs: number): void {
    for (const [key, trace] of this.#held) {
      this.#held.delete(key);
      this.#heldHops -= trace.hops.length;
      const budget = trace.isNotable ? this.#notable : this.#usual;
      const isKept = budget.take(trace.hops.length, nowMs);
      this.#remember(key, isKept);
      if (isKept) {
        this.#kept += trace.hops.length;
        for (const hop of trace.hops) this.#emit(hop);
      } else {
        this.#left += trace.hops.length;
      }
      return;
    }
  }

  #remember(key: string, isKept: boolean): void {
    if (this.#decisions.size >= DECISIONS_MAX && !this.#decisions.has(key)) {
      this.#olderDecisions = this.#decisions;
      this.#decisions = new Map();
    }
    this.#decisions.set(key, isKept);
  }
}

function isNotable({ body, at }: HeldHop<unknown>): boolean {
  if (isFailed(body, at)) return true;
  if (isHandled(body, at)) return nsBetween(body, at, HOP_SENT_AT, HOP_END) > SLOW_NS;
  return nsBetween(body, at, HOP_START, HOP_END) > SLOW_NS;
}
