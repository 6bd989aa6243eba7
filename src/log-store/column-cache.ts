/** A column, or something made of columns that knows its size. */
interface Cached {
  readonly byteLength: number;
}

/**
 * The most recently used decompressed columns, up to a number of bytes.
 *
 * What a search passes over goes into a part of its own, `offer`, that gives way beyond a quarter of the
 * bytes: so a search of more than fits here does not drive out what every search needs.
 *
 * Concurrency: one for each thread.
 */
export class ColumnCache {
  readonly #bytesMax: number;
  readonly #kept = new RecentColumns();
  readonly #passed = new RecentColumns();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): Cached | undefined {
    return this.#kept.get(key) ?? this.#passed.get(key);
  }

  set(key: string, column: Cached): void {
    this.#kept.set(key, column);
    this.#makeRoom();
  }

  /** Keeps what was read in passing. */
  offer(key: string, column: Cached): void {
    this.#passed.set(key, column);
    this.#makeRoom();
  }

  #makeRoom(): void {
    while (this.#kept.bytes + this.#passed.bytes > this.#bytesMax) {
      const isOver = this.#passed.bytes > this.#bytesMax / 4;
      const from = isOver || this.#kept.count <= 1 ? this.#passed : this.#kept;
      if (from.count <= 1) return;
      from.dropOldest();
    }
  }
}

class RecentColumns {
  /** Least recently used first. */
  readonly #columns = new Map<string, Cached>();
  bytes = 0;

  get count(): number {
    return this.#columns.size;
  }

  get(key: string): Cached | undefined {
    const column = this.#columns.get(key);
    if (column === undefined) return undefined;
    this.#columns.delete(key);
    this.#columns.set(key, column);
    return column;
  }

  set(key: string, column: Cached): void {
    this.bytes += column.byteLength - (this.#columns.get(key)?.byteLength ?? 0);
    this.#columns.delete(key);
    this.#columns.set(key, column);
  }

  dropOldest(): void {
    for (const [key, { byteLength }] of this.#columns) {
      this.#columns.delete(key);
      this.bytes -= byteLength;
      return;
    }
  }
}
