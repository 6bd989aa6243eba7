/** A column, or something made of columns that knows its size. */
interface Cached {
  readonly byteLength: number;
}

/**
 * The most recently used decompressed columns, up to a number of bytes.
 *
 * Concurrency: one for each thread.
 */
export class ColumnCache {
  readonly #bytesMax: number;
  /** Least recently used first. */
  readonly #columns = new Map<string, Cached>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): Cached | undefined {
    const column = this.#columns.get(key);
    if (column === undefined) return undefined;
    this.#columns.delete(key);
    this.#columns.set(key, column);
    return column;
  }

  set(key: string, column: Cached): void {
    this.#columns.set(key, column);
    this.#bytes += column.byteLength;
    for (const [oldest, value] of this.#columns) {
      if (this.#bytes <= this.#bytesMax || oldest === key) break;
      this.#columns.delete(oldest);
      this.#bytes -= value.byteLength;
    }
  }
}
