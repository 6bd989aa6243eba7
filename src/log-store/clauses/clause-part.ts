import { assert } from "../../core/assert.ts";
import { EQUAL_LENGTHS } from "./clause-encoder.ts";

/** A part of a chunk: slot `s` of its clause `i` is `data[starts[s * count + i], ends[…])`. */
export interface Part {
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly count: number;
  /** Clauses of the template before this part. */
  readonly first: number;
}

/** Where a part stands in its chunk. */
export interface PartPlace {
  readonly data: Uint8Array;
  readonly offset: number;
  /** Clauses, and the slots that each has. */
  readonly count: number;
  readonly slots: number;
  readonly first: number;
}

export function readPart({ data, offset, count, slots, first }: PartPlace): Part {
  const starts = new Uint32Array(slots * count);
  const ends = new Uint32Array(slots * count);
  let at = offset;
  for (let slot = 0; slot < slots; slot++) at = readSlot(data, at, { starts, ends, slot, count });
  assert(at <= data.length, "a part reaches past its chunk");
  return { data, starts, ends, count, first };
}

/** The clause that is the template's `ordinal`th, alone. */
export function readClause(
  { data, offset, count, slots, first }: PartPlace,
  ordinal: number,
): Part {
  const starts = new Uint32Array(slots);
  const ends = new Uint32Array(slots);
  const clause = ordinal - first;
  let at = offset;
  for (let slot = 0; slot < slots; slot++) {
    at = findSlot(data, at, { starts, ends, slot, count, clause });
  }
  assert(at <= data.length, "a part reaches past its chunk");
  return { data, starts, ends, count: 1, first: ordinal };
}

/** Reads one slot's lengths; returns the slot's end in the chunk. */
function readSlot(
  data: Uint8Array,
  start: number,
  part: {
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
    readonly slot: number;
    readonly count: number;
  },
): number {
  const { starts, ends, slot, count } = part;
  const first = slot * count;
  const isEqual = data[start] === EQUAL_LENGTHS;
  let at = start + 1;
  for (let index = 0; index < (isEqual ? 1 : count); index++) {
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = data[at++];
      length |= (byte & 0x7f) << shift;
      if (!(byte >= 0x80)) break;
      shift += 7;
    }
    ends[first + index] = length;
  }
  if (isEqual) ends.fill(ends[first], first, first + count);
  for (let index = first; index < first + count; index++) {
    starts[index] = at;
    at += ends[index];
    ends[index] = at;
  }
  return at;
}

/** Finds one clause's slot, and returns where the slot of all of the part's clauses ends. */
function findSlot(
  data: Uint8Array,
  start: number,
  part: {
    readonly starts: Uint32Array;
    readonly ends: Uint32Array;
    readonly slot: number;
    readonly count: number;
    readonly clause: number;
  },
): number {
  const { slot, count, clause } = part;
  const isEqual = data[start] === EQUAL_LENGTHS;
  let at = start + 1;
  let before = 0;
  let own = 0;
  let all = 0;
  for (let index = 0; index < (isEqual ? 1 : count); index++) {
    let length = 0;
    let shift = 0;
    for (;;) {
      const byte = data[at++];
      length |= (byte & 0x7f) << shift;
      if (!(byte >= 0x80)) break;
      shift += 7;
    }
    if (index === clause) {
      before = all;
      own = length;
    }
    all += length;
  }
  if (isEqual) {
    own = all;
    before = clause * own;
    all = count * own;
  }
  part.starts[slot] = at + before;
  part.ends[slot] = at + before + own;
  return at + all;
}
