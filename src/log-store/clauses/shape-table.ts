const EMPTY_SLOT = -1;

/** Gives equal sequences of template ids equal numbers, and counts how often each was asked for. */
export class ShapeTable {
  count = 0;
  /** Shape `i` is `ids[offsets[i], offsets[i + 1])`. */
  ids: Uint32Array<ArrayBuffer> = new Uint32Array(8192);
  offsets: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  /** Rows of each shape. */
  uses: Uint32Array<ArrayBuffer> = new Uint32Array(1024);
  #slots = new Int32Array(4096).fill(EMPTY_SLOT);
  #last = -1;

  intern(source: Uint32Array, length: number): number {
    let id = this.#last;
    if (id < 0 || !this.#isShape(id, source, length)) id = this.#find(source, length);
    this.uses[id] += 1;
    this.#last = id;
    return id;
  }

  #find(source: Uint32Array, length: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashIds(source, 0, length) & mask;
    for (;;) {
      const id = this.#slots[slot];
      if (id === EMPTY_SLOT) return this.#add(source, length, slot);
      if (this.#isShape(id, source, length)) return id;
      slot = (slot + 1) & mask;
    }
  }

  #isShape(id: number, source: Uint32Array, length: number): boolean {
    const start = this.offsets[id];
    if (this.offsets[id + 1] - start !== length) return false;
    for (let index = 0; index < length; index++) {
      if (this.ids[start + index] !== source[index]) return false;
    }
    return true;
  }

  #add(source: Uint32Array, length: number, slot: number): number {
    const id = this.count++;
    const start = this.offsets[id];
    while (start + length > this.ids.length) this.ids = grown(this.ids);
    if (id + 2 > this.offsets.length) {
      this.offsets = grown(this.offsets);
      this.uses = grown(this.uses);
    }
    for (let index = 0; index < length; index++) this.ids[start + index] = source[index];
    this.offsets[id + 1] = start + length;
    this.#slots[slot] = id;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(EMPTY_SLOT);
    const mask = this.#slots.length - 1;
    for (let id = 0; id < this.count; id++) {
      let slot = hashIds(this.ids, this.offsets[id], this.offsets[id + 1]) & mask;
      while (this.#slots[slot] !== EMPTY_SLOT) slot = (slot + 1) & mask;
      this.#slots[slot] = id;
    }
  }
}

function hashIds(ids: Uint32Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ (end - start);
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ ids[index], 0x9e3779b1);
  return hash ^ (hash >>> 15);
}

function grown(values: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(values.length * 2);
  larger.set(values);
  return larger;
}
