import { compileFilter } from "./compile-filter.ts";
import type { FollowBatch, FollowRequest } from "./log-store.ts";
import { entryWriter } from "./entry-writer.ts";
import { LineBuffer } from "./line-buffer.ts";
import type { OpenBlockSlice } from "./open-block.ts";
import { OpenBlockReader } from "./open-block.ts";
import type { Predicate } from "./predicate.ts";

/**
 * One live search: evaluates its filter over each committed batch, and keeps the hits until its
 * reader takes them.
 *
 * Concurrency: `offer` is called by the receiving thread right after a commit; it never waits.
 */
export class Follower {
  readonly signal: FollowRequest["signal"];
  readonly #predicate: Predicate;
  readonly #bufferBytesMax: number;
  #batches: { readonly lines: Uint8Array; readonly count: number }[] = [];
  #bufferedBytes = 0;
  #missed = 0;
  #wake: (() => void) | undefined;

  constructor(request: FollowRequest) {
    this.signal = request.signal;
    this.#predicate = compileFilter(request.filter, request.signal);
    this.#bufferBytesMax = request.bufferBytesMax;
  }

  /** Looks at rows that were just committed. */
  offer(slice: OpenBlockSlice): void {
    const block = new OpenBlockReader(slice);
    const mask = new Uint8Array(block.rows).fill(1);
    this.#predicate.narrow(block, mask);
    if (!mask.includes(1)) return;
    const write = entryWriter(this.signal, block);
    const time = block.time("time");
    const seq = block.f64("seq");
    const lines = new LineBuffer();
    let count = 0;
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      // A reader that is behind costs a count, not a line.
      if (this.#bufferedBytes + lines.length >= this.#bufferBytesMax) {
        this.#missed += 1;
        continue;
      }
      write(row, lines, { day: time.day[row], ns: time.ns[row], seq: seq[row] });
      count += 1;
    }
    if (count > 0) {
      const taken = lines.take();
      this.#batches.push({ lines: taken, count });
      this.#bufferedBytes += taken.length;
    }
    this.#wake?.();
  }

  /** The hits since the last call, or undefined once `signal` is aborted. Waits for some. */
  async take(signal: AbortSignal): Promise<FollowBatch | undefined> {
    while (this.#batches.length === 0 && this.#missed === 0 && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#wake = wake;
      signal.addEventListener("abort", wake);
      await promise;
      signal.removeEventListener("abort", wake);
    }
    if (signal.aborted) return undefined;
    const batches = this.#batches;
    const missed = this.#missed;
    this.#batches = [];
    this.#bufferedBytes = 0;
    this.#missed = 0;
    return {
      lines: Buffer.concat(batches.map(({ lines }) => lines)),
      count: batches.reduce((sum, { count }) => sum + count, 0),
      missed,
    };
  }
}
