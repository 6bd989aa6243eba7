import { FilterLines, linesFor } from "./filter-lines.ts";

/** Has many divisors, so that a filter folds to nearly any size. */
const FOLDABLE_LINES = 2520;

/**
 * A filter of keys whose number is known only at the end: it is built large and then folded to the
 * size that they need.
 *
 * Limits: with more than `keysMax` different keys it lets more others pass.
 */
export class FilterBuilder {
  readonly #lines: FilterLines;
  readonly #bitsPerKey: number;

  constructor(keysMax: number, bitsPerKey: number) {
    this.#bitsPerKey = bitsPerKey;
    const multiple = Math.max(1, Math.ceil(linesFor(keysMax, bitsPerKey) / FOLDABLE_LINES));
    this.#lines = new FilterLines(multiple * FOLDABLE_LINES);
  }

  add(high: number, low: number): void {
    this.#lines.add(high, low);
  }

  /** The filter as it stands in a file, empty where there is no key; begins the next one. */
  take(): Uint8Array {
    const filter = this.#encode();
    this.#lines.clear();
    return filter;
  }

  #encode(): Uint8Array {
    const keys = this.#lines.estimateKeys();
    if (keys === 0) return new Uint8Array(0);
    const wanted = linesFor(keys, this.#bitsPerKey);
    let parts = Math.max(1, Math.floor(this.#lines.count / wanted));
    while (this.#lines.count % parts !== 0) parts -= 1;
    return this.#lines.folded(parts).encode();
  }
}
