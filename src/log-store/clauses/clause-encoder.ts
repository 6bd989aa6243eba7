import { crc32 } from "node:zlib";
import { copyBytes } from "../../wire/byte-ranges.ts";
import { encodePlanes, VarintWriter } from "../column-codec.ts";
import type { ClauseRecorder } from "./clause-recorder.ts";

/** Slots of a chunk, raw; a usual row's clauses stand in a handful of chunks. */
export const CHUNK_BYTES = 128 * 1024;

/** A chunk ends early where a clause this large would follow, which then stands alone. */
const LARGE_CLAUSE_BYTES = 64 * 1024;

/** Slots of equal length begin with this and the length; others with the lengths of all. */
export const EQUAL_LENGTHS = 1;
export const OWN_LENGTHS = 0;

/** What a block's clauses are on disk. */
export interface EncodedClauses {
  /** Each row's shape, in byte planes. */
  readonly shapes: Uint8Array;
  /** Where each template's slots stand: `ClauseDirectory` reads it. */
  readonly directory: Uint8Array;
  /** Chunks, compressed one by one, without gaps. */
  readonly chunks: readonly Uint8Array[];
}

/**
 * Encodes what a recorder has of a block. Clauses of one template stand together, in the order of
 * their rows, and within a part of a chunk slot by slot: neighbours are alike, which compresses well,
 * and a search in one slot reads nothing else.
 *
 *     directory  chunk count, { size, raw size, CRC-32 of the compressed bytes, parts }…,
 *                part: template (as the difference to the part before), clauses, offset in the chunk
 *     part       for each slot: lengths, then bytes
 */
export function encodeClauses(
  recorder: ClauseRecorder,
  data: Uint8Array,
  compress: (raw: Uint8Array) => Uint8Array,
): EncodedClauses {
  const order = clausesByTemplate(recorder);
  const writer = new ChunkWriter(recorder, data, compress);
  for (let from = 0; from < order.length;) {
    const template = recorder.clauseTemplates[order[from]];
    let to = from + 1;
    while (to < order.length && recorder.clauseTemplates[order[to]] === template) to += 1;
    writer.addTemplate(template, order, from, to);
    from = to;
  }
  const { chunks, directory } = writer.finish();
  return {
    shapes: encodePlanes(recorder.shapeIds, recorder.rows),
    directory,
    chunks,
  };
}

/** The block's clauses that have slots, ordered by template and then by row: a counting sort. */
function clausesByTemplate({ clauses, clauseTemplates, templates }: ClauseRecorder): Uint32Array {
  const starts = new Uint32Array(templates.count + 1);
  for (let clause = 0; clause < clauses; clause++) starts[clauseTemplates[clause] + 1] += 1;
  for (let id = 0; id < templates.count; id++) starts[id + 1] += starts[id];
  const order = new Uint32Array(clauses);
  for (let clause = 0; clause < clauses; clause++)
    order[starts[clauseTemplates[clause]]++] = clause;
  return order;
}

class ChunkWriter {
  readonly #recorder: ClauseRecorder;
  readonly #data: Uint8Array;
  readonly #compress: (raw: Uint8Array) => Uint8Array;
  readonly #chunks: Uint8Array[] = [];
  readonly #directory = new VarintWriter();
  /** Of the chunk at hand: its parts in the directory. */
  #parts = new VarintWriter();
  #partCount = 0;
  #raw = new Uint8Array(CHUNK_BYTES + LARGE_CLAUSE_BYTES);
  #end = 0;
  #lastTemplate = 0;

  constructor(
    recorder: ClauseRecorder,
    data: Uint8Array,
    compress: (raw: Uint8Array) => Uint8Array,
  ) {
    this.#recorder = recorder;
    this.#data = data;
    this.#compress = compress;
  }

  /** The clauses `order[from, to)`, which are all of one template. */
  addTemplate(template: number, order: Uint32Array, from: number, to: number): void {
    const slots = this.#slotCount(order[from]);
    let first = from;
    let bytes = 0;
    for (let index = from; index < to; index++) {
      const clauseBytes = this.#clauseBytes(order[index], slots);
      const isFull = this.#end + bytes + clauseBytes > CHUNK_BYTES;
      if (isFull && (index > first || this.#end > 0)) {
        this.#addPart(template, order, { from: first, to: index, slots, bytes });
        first = index;
        bytes = 0;
        this.#endChunk();
      }
      bytes += clauseBytes;
    }
    this.#addPart(template, order, { from: first, to, slots, bytes });
    if (this.#end > CHUNK_BYTES) this.#endChunk();
  }

  #slotCount(clause: number): number {
    const { clauseSlots, clauses, slots } = this.#recorder;
    return (clause + 1 < clauses ? clauseSlots[clause + 1] : slots) - clauseSlots[clause];
  }

  /** The bytes that a clause takes in a part, at most. */
  #clauseBytes(clause: number, slots: number): number {
    const { clauseSlots, slotStarts, slotEnds } = this.#recorder;
    const first = clauseSlots[clause];
    let bytes = 0;
    for (let slot = first; slot < first + slots; slot++) {
      const length = slotEnds[slot] - slotStarts[slot];
      bytes += length + (length < 128 ? 1 : 5);
    }
    return bytes;
  }

  #addPart(
    template: number,
    order: Uint32Array,
    part: {
      readonly from: number;
      readonly to: number;
      readonly slots: number;
      readonly bytes: number;
    },
  ): void {
    if (part.from === part.to) return;
    this.#parts.write(template - this.#lastTemplate);
    this.#parts.write(part.to - part.from);
    this.#parts.write(this.#end);
    this.#lastTemplate = template;
    this.#partCount += 1;
    this.#reserve(part.bytes + part.slots * PART_SLOT_BYTES);
    for (let slot = 0; slot < part.slots; slot++) {
      this.#writeSlot(order, part.from, part.to, slot);
    }
  }

  /** One slot of all clauses of a part: lengths, then bytes. */
  #writeSlot(order: Uint32Array, from: number, to: number, slot: number): void {
    const { clauseSlots, slotStarts, slotEnds } = this.#recorder;
    const raw = this.#raw;
    const firstSlot = clauseSlots[order[from]] + slot;
    const firstLength = slotEnds[firstSlot] - slotStarts[firstSlot];
    let isEqual = true;
    for (let index = from; index < to && isEqual; index++) {
      const at = clauseSlots[order[index]] + slot;
      isEqual = slotEnds[at] - slotStarts[at] === firstLength;
    }
    let end = this.#end;
    raw[end++] = isEqual ? EQUAL_LENGTHS : OWN_LENGTHS;
    for (let index = from; index < (isEqual ? from + 1 : to); index++) {
      const at = clauseSlots[order[index]] + slot;
      let length = slotEnds[at] - slotStarts[at];
      while (length >= 0x80) {
        raw[end++] = (length & 0x7f) | 0x80;
        length >>>= 7;
      }
      raw[end++] = length;
    }
    for (let index = from; index < to; index++) {
      const at = clauseSlots[order[index]] + slot;
      end = copyBytes(this.#data, slotStarts[at], slotEnds[at], raw, end);
    }
    this.#end = end;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#raw.length) return;
    const larger = new Uint8Array(this.#end + bytes + CHUNK_BYTES);
    larger.set(this.#raw.subarray(0, this.#end));
    this.#raw = larger;
  }

  #endChunk(): void {
    if (this.#partCount === 0) return;
    const raw = this.#raw.subarray(0, this.#end);
    const compressed = this.#compress(raw);
    this.#chunks.push(compressed);
    this.#directory.write(compressed.length);
    this.#directory.write(raw.length);
    this.#directory.write(crc32(compressed));
    this.#directory.write(this.#partCount);
    this.#directory.append(this.#parts);
    this.#parts = new VarintWriter();
    this.#partCount = 0;
    this.#end = 0;
  }

  finish(): { readonly directory: Uint8Array; readonly chunks: readonly Uint8Array[] } {
    this.#endChunk();
    const head = new VarintWriter();
    head.write(this.#chunks.length);
    head.append(this.#directory);
    return { directory: head.take(), chunks: this.#chunks };
  }
}

/** What a slot of a part takes beside its clauses' bytes. */
const PART_SLOT_BYTES = 8;
