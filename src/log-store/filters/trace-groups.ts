/** Bytes of a trace id; a row without one has zeros. */
export const ID_BYTES = 16;

/** The rows of a block by trace id: each id's rows are a chain in ascending order. */
export class TraceGroups {
  /** Of each group: its first row, whose id is the group's. */
  readonly firstRows: Uint32Array;
  count = 0;
  /** Of each row: the next one of its group, or `LAST_ROW`. */
  readonly nextRows: Uint32Array;
  readonly #ids: Uint8Array;

  /** `ids` has 16 bytes a row and stands at a multiple of 4 in its memory. */
  constructor(ids: Uint8Array) {
    const rows = ids.length / ID_BYTES;
    this.#ids = ids;
    this.firstRows = new Uint32Array(rows);
    this.nextRows = new Uint32Array(rows).fill(LAST_ROW);
    this.#group(new Uint32Array(ids.buffer, ids.byteOffset, ids.length / 4), rows);
  }

  #group(words: Uint32Array, rows: number): void {
    const lastRows = new Uint32Array(rows);
    // Group number plus 1; 0 is an empty place.
    const places = new Uint32Array(2 ** Math.ceil(Math.log2(2 * rows + 1)));
    const mask = places.length - 1;
    for (let row = 0; row < rows; row++) {
      const at = 4 * row;
      if ((words[at] | words[at + 1] | words[at + 2] | words[at + 3]) === 0) continue;
      let place = hashOf(words, at) & mask;
      while (places[place] !== 0 && !isEqualId(words, at, 4 * this.firstRows[places[place] - 1])) {
        place = (place + 1) & mask;
      }
      const known = places[place];
      if (known === 0) {
        this.firstRows[this.count] = row;
        lastRows[this.count] = row;
        this.count += 1;
        places[place] = this.count;
      } else {
        this.nextRows[lastRows[known - 1]] = row;
        lastRows[known - 1] = row;
      }
    }
  }

  /** The groups in the order of their ids. */
  sorted(): readonly number[] {
    const ids = Buffer.from(this.#ids.buffer, this.#ids.byteOffset, this.#ids.byteLength);
    // The first four bytes above the group's number: exact below 2^53, and sorted natively.
    const keys = new Float64Array(this.count);
    for (let group = 0; group < this.count; group++) {
      keys[group] = ids.readUInt32BE(this.firstRows[group] * ID_BYTES) * KEY_SCALE + group;
    }
    keys.sort();
    const groups = Array.from(keys, (key) => key % KEY_SCALE);
    let from = 0;
    for (let to = 1; to <= groups.length; to++) {
      if (to < groups.length && isEqualPrefix(keys[from], keys[to])) continue;
      if (to - from > 1) this.#sortEqual(groups, from, to, ids);
      from = to;
    }
    return groups;
  }

  /** Sorts groups whose ids begin alike. */
  #sortEqual(groups: number[], from: number, to: number, ids: Buffer): void {
    const part = groups.slice(from, to).toSorted((left, right) => {
      const leftAt = this.firstRows[left] * ID_BYTES;
      const rightAt = this.firstRows[right] * ID_BYTES;
      return ids.compare(ids, rightAt, rightAt + ID_BYTES, leftAt, leftAt + ID_BYTES);
    });
    for (const [index, group] of part.entries()) groups[from + index] = group;
  }
}

export const LAST_ROW = 0xffff_ffff;

/** Above every group's number. */
const KEY_SCALE = 2 ** 20;

function isEqualPrefix(left: number, right: number): boolean {
  return Math.floor(left / KEY_SCALE) === Math.floor(right / KEY_SCALE);
}

function hashOf(words: Uint32Array, at: number): number {
  let hash = Math.imul(words[at] ^ (words[at + 1] >>> 3), 0x9e3779b1);
  hash = Math.imul(hash ^ words[at + 2] ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ words[at + 3] ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function isEqualId(words: Uint32Array, left: number, right: number): boolean {
  return (
    words[left] === words[right] &&
    words[left + 1] === words[right + 1] &&
    words[left + 2] === words[right + 2] &&
    words[left + 3] === words[right + 3]
  );
}
