const EMPTY_SLOT = -1;

/**
 * Templates by their hash: bytes one behind the other, and an open-addressing table of ids. The
 * caller compares, since a clause stands in pieces where a template stands whole.
 */
export class TemplateTable {
  count = 0;
  /** Template `i` is `bytes[offsets[i], offsets[i + 1])`. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(64 * 1024);
  offsets: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  hashes: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  /** Letters of each template's mixed words: `LETTER_BITS`. */
  letters: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  #slots = new Int32Array(4096).fill(EMPTY_SLOT);

  /** `fixed` get the first ids, and are never found by a hash. */
  constructor(fixed: readonly Uint8Array[]) {
    for (const bytes of fixed) {
      const start = this.begin(bytes.length);
      this.bytes.set(bytes, start);
      this.offsets[++this.count] = start + bytes.length;
    }
  }

  firstSlot(hash: number): number {
    return hash & (this.#slots.length - 1);
  }

  nextSlot(slot: number): number {
    return (slot + 1) & (this.#slots.length - 1);
  }

  /** The id in a slot of the table; negative where it is empty. */
  at(slot: number): number {
    return this.#slots[slot];
  }

  /** Makes room for a new template, whose bytes the caller writes from the returned offset on. */
  begin(length: number): number {
    const start = this.offsets[this.count];
    if (start + length > this.bytes.length) {
      const larger = new Uint8Array(2 * (this.bytes.length + length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    if (this.count + 2 > this.offsets.length) {
      const offsets = new Uint32Array(this.offsets.length * 2);
      offsets.set(this.offsets);
      this.offsets = offsets;
      const hashes = new Uint32Array(this.hashes.length * 2);
      hashes.set(this.hashes);
      this.hashes = hashes;
      const letters = new Uint32Array(this.letters.length * 2);
      letters.set(this.letters);
      this.letters = letters;
    }
    return start;
  }

  /** Takes what was written since `begin` as a template, and returns its id. */
  commit(length: number, hash: number): number {
    const id = this.count++;
    this.offsets[id + 1] = this.offsets[id] + length;
    this.hashes[id] = hash;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    else this.#place(id);
    return id;
  }

  #place(id: number): void {
    let slot = this.firstSlot(this.hashes[id]);
    while (this.#slots[slot] !== EMPTY_SLOT) slot = this.nextSlot(slot);
    this.#slots[slot] = id;
  }

  #rehash(): void {
    const taken = this.#slots.filter((id) => id !== EMPTY_SLOT);
    this.#slots = new Int32Array(this.#slots.length * 2).fill(EMPTY_SLOT);
    for (const id of taken) this.#place(id);
    this.#place(this.count - 1);
  }
}
