import { HOP_BYTES } from "../protocol/hops.ts";
import { HOP_END, HOP_PARENT, HOP_SPAN, HOP_START, HOP_TRACE, isHandled } from "./hop-bytes.ts";

/** Handled hops of a node that are remembered: more than come in the time that output is held. */
const HOPS_MAX = 4096;
/** A line comes through a pipe: it may reach us so long after the handler that wrote it ended. */
const PIPE_DELAY_NS = 5e6;

export interface ActiveHop {
  readonly traceId: string;
  readonly spanId: string;
}

/**
 * When a node handled what, so that its output finds the trace that it belongs to.
 *
 *     handlers   ├── A ──┤  ├─ B ─┤
 *     lines           ▲ A      ▲ B   ▲ B (up to 5 ms after its end)    ▲ none
 *
 * Pitfalls: handlers that follow one another faster than the pipe can be taken for each other.
 */
export class HandledHops {
  /** Times count from here, so that doubles hold their nanoseconds. */
  #originNs: bigint | undefined;
  readonly #starts = new Float64Array(HOPS_MAX);
  readonly #ends = new Float64Array(HOPS_MAX);
  readonly #ids = Buffer.alloc(HOPS_MAX * (HOP_PARENT - HOP_TRACE));
  #count = 0;
  #latestEnd = -Infinity;

  add(body: Buffer): void {
    for (let at = 0; at + HOP_BYTES <= body.length; at += HOP_BYTES) {
      if (isHandled(body, at)) this.#add(body, at);
    }
  }

  /** True where no hop that covers that time can come any more, if hops come in their order. */
  isPast(unixNs: bigint): boolean {
    return this.#originNs !== undefined && Number(unixNs - this.#originNs) <= this.#latestEnd;
  }

  /** The handler that ran at that time, the last begun of several; else one that had just ended. */
  find(unixNs: bigint): ActiveHop | undefined {
    if (this.#originNs === undefined) return undefined;
    const time = Number(unixNs - this.#originNs);
    let open = -1;
    let ended = -1;
    const first = Math.max(0, this.#count - HOPS_MAX);
    for (let number = this.#count - 1; number >= first; number--) {
      const slot = number % HOPS_MAX;
      const start = this.#starts[slot] ?? 0;
      const end = this.#ends[slot] ?? 0;
      // A hop is told at its end: those before this one ended before it.
      if (end < time - PIPE_DELAY_NS) break;
      if (start > time) continue;
      if (end >= time) {
        if (open === -1 || start > (this.#starts[open] ?? 0)) open = slot;
      } else if (ended === -1 || end > (this.#ends[ended] ?? 0)) {
        ended = slot;
      }
    }
    const found = open === -1 ? ended : open;
    return found === -1 ? undefined : this.#idsOf(found);
  }

  #add(body: Buffer, at: number): void {
    const start = body.readBigUInt64LE(at + HOP_START);
    this.#originNs ??= start;
    const slot = this.#count % HOPS_MAX;
    const end = Number(body.readBigUInt64LE(at + HOP_END) - this.#originNs);
    this.#starts[slot] = Number(start - this.#originNs);
    this.#ends[slot] = end;
    body.copy(this.#ids, slot * (HOP_PARENT - HOP_TRACE), at + HOP_TRACE, at + HOP_PARENT);
    this.#count += 1;
    if (end > this.#latestEnd) this.#latestEnd = end;
  }

  #idsOf(slot: number): ActiveHop {
    const start = slot * (HOP_PARENT - HOP_TRACE);
    const split = start + (HOP_SPAN - HOP_TRACE);
    return {
      traceId: this.#ids.toString("hex", start, split),
      spanId: this.#ids.toString("hex", split, start + (HOP_PARENT - HOP_TRACE)),
    };
  }
}
