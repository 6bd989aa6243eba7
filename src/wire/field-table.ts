/** One key of a table and what it stands for. */
interface Entry<Value> {
  readonly key: Uint8Array;
  readonly value: Value;
}

/**
 * Finds a value by a key that stands as ASCII bytes in a larger buffer, without making a string.
 *
 * An open-addressed table at a quarter full or less; the hash looks at the length and two bytes,
 * which tells OTLP's field names apart well enough that nearly every lookup compares one key.
 */
export class FieldTable<Value> {
  readonly #slots: (Entry<Value> | undefined)[];
  readonly #mask: number;

  constructor(entries: readonly { readonly key: string; readonly value: Value }[]) {
    const size = 2 ** Math.ceil(Math.log2(entries.length * 4 + 4));
    this.#mask = size - 1;
    this.#slots = Array.from({ length: size }, () => undefined);
    for (const { key, value } of entries) {
      const bytes = Buffer.from(key, "latin1");
      let slot = hash(bytes, 0, bytes.length) & this.#mask;
      while (this.#slots[slot] !== undefined) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = { key: bytes, value };
    }
  }

  find(bytes: Uint8Array, start: number, end: number): Value | undefined {
    if (start === end) return undefined;
    let slot = hash(bytes, start, end) & this.#mask;
    for (;;) {
      const entry = this.#slots[slot];
      if (entry === undefined) return undefined;
      if (isEqual(entry.key, bytes, start, end)) return entry.value;
      slot = (slot + 1) & this.#mask;
    }
  }
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  return (end - start) * 7 + bytes[start] * 3 + bytes[end - 1];
}

function isEqual(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false;
  for (let index = 0; index < key.length; index++) {
    if (key[index] !== bytes[start + index]) return false;
  }
  return true;
}
