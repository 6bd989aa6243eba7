const EMPTY_SLOT = -1;
const SLOTS_MIN = 256;

/**
 * Gives equal byte strings equal ids: an open-addressing hash table over entries that stand in
 * shared memory, so that readers in other threads see them without a copy.
 *
 * Concurrency: written by the receiving thread alone; readers read entries below the count that
 * they were told.
 */
export class DictionaryBuilder {
  count = 0;
  readonly #data: Uint8Array;
  /** Entry `i` is `data[offsets[i], offsets[i + 1])`. */
  readonly #offsets: Uint32Array;
  #slots = new Int32Array(SLOTS_MIN).fill(EMPTY_SLOT);
  #last = 0;

  constructor(data: Uint8Array, offsets: Uint32Array) {
    this.#data = data;
    this.#offsets = offsets;
  }

  clear(): void {
    this.count = 0;
    this.#last = 0;
    this.#offsets[0] = 0;
    this.#slots.fill(EMPTY_SLOT);
  }

  /** The id of `source[start, end)`, new if need be, or -1 where the dictionary is full. */
  intern(source: Uint8Array, start: number, end: number): number {
    // Neighbours mostly share their severity text, event name and resource.
    if (this.count > 0 && this.#isEntry(this.#last, source, start, end)) return this.#last;
    const mask = this.#slots.length - 1;
    let slot = hashBytes(source, start, end) & mask;
    for (;;) {
      const id = this.#slots[slot];
      if (id === EMPTY_SLOT) break;
      if (this.#isEntry(id, source, start, end)) return (this.#last = id);
      slot = (slot + 1) & mask;
    }
    return this.#add(source, start, end, slot);
  }

  #add(source: Uint8Array, start: number, end: number, slot: number): number {
    const offset = this.#offsets[this.count];
    const entryEnd = offset + end - start;
    const isFull = entryEnd > this.#data.length || this.count + 2 > this.#offsets.length;
    if (isFull) return -1;
    this.#data.set(source.subarray(start, end), offset);
    const id = this.count++;
    this.#offsets[id + 1] = entryEnd;
    this.#slots[slot] = id;
    if (this.count * 2 > this.#slots.length) this.#grow();
    return (this.#last = id);
  }

  #isEntry(id: number, source: Uint8Array, start: number, end: number): boolean {
    const offset = this.#offsets[id];
    if (this.#offsets[id + 1] - offset !== end - start) return false;
    const data = this.#data;
    for (let index = start; index < end; index++) {
      if (data[offset + index - start] !== source[index]) return false;
    }
    return true;
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(EMPTY_SLOT);
    const mask = slots.length - 1;
    for (let id = 0; id < this.count; id++) {
      let slot = hashBytes(this.#data, this.#offsets[id], this.#offsets[id + 1]) & mask;
      while (slots[slot] !== EMPTY_SLOT) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

/** FNV-1a, finished with a shift so that the low bits depend on all bytes. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ bytes[index], 0x01000193);
  return hash ^ (hash >>> 15);
}
