import { VarintReader } from "../column-codec.ts";

/** Where the slots of a block's clauses stand: its chunks, and the parts in them. Immutable. */
export class ClauseDirectory {
  readonly chunkCount: number;
  /** Of each chunk: its offset from the first one's, sizes and checksum. */
  readonly chunkOffsets: Float64Array;
  readonly chunkSizes: Uint32Array;
  readonly chunkRawSizes: Uint32Array;
  readonly chunkCrcs: Uint32Array;
  /** Of each part: its template (rising), how many clauses stand before it, how many it has. */
  readonly partTemplates: Uint32Array;
  readonly partFirsts: Uint32Array;
  readonly partCounts: Uint32Array;
  readonly partChunks: Uint32Array;
  readonly partOffsets: Uint32Array;
  readonly byteLength: number;

  constructor(bytes: Uint8Array) {
    const reader = new VarintReader(bytes);
    this.chunkCount = reader.read();
    const parts: number[] = [];
    const chunks: number[] = [];
    let template = 0;
    let clauses = 0;
    let offset = 0;
    for (let chunk = 0; chunk < this.chunkCount && !reader.isAtEnd; chunk++) {
      const size = reader.read();
      chunks.push(offset, size, reader.read(), reader.read());
      offset += size;
      for (let left = reader.read(); left > 0 && !reader.isAtEnd; left--) {
        const difference = reader.read();
        if (difference !== 0) clauses = 0;
        template += difference;
        const count = reader.read();
        parts.push(template, clauses, count, chunk, reader.read());
        clauses += count;
      }
    }
    const field = (values: number[], width: number, index: number): number[] =>
      values.filter((_, position) => position % width === index);
    this.chunkOffsets = Float64Array.from(field(chunks, 4, 0));
    this.chunkSizes = Uint32Array.from(field(chunks, 4, 1));
    this.chunkRawSizes = Uint32Array.from(field(chunks, 4, 2));
    this.chunkCrcs = Uint32Array.from(field(chunks, 4, 3));
    this.partTemplates = Uint32Array.from(field(parts, 5, 0));
    this.partFirsts = Uint32Array.from(field(parts, 5, 1));
    this.partCounts = Uint32Array.from(field(parts, 5, 2));
    this.partChunks = Uint32Array.from(field(parts, 5, 3));
    this.partOffsets = Uint32Array.from(field(parts, 5, 4));
    this.byteLength = 20 * parts.length;
  }

  /** Sets how many clauses each template with slots has; other templates are left as they are. */
  countClauses(counts: Uint32Array): void {
    for (let part = 0; part < this.partTemplates.length; part++) {
      counts[this.partTemplates[part]] = this.partFirsts[part] + this.partCounts[part];
    }
  }

  /** The first part of a template, or -1. */
  firstPart(template: number): number {
    let low = 0;
    let high = this.partTemplates.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.partTemplates[middle] < template) low = middle + 1;
      else high = middle;
    }
    return this.partTemplates[low] === template ? low : -1;
  }

  /** The part that holds a template's clause `ordinal`; the template has it. */
  partOf(template: number, ordinal: number): number {
    let part = this.firstPart(template);
    while (ordinal >= this.partFirsts[part] + this.partCounts[part]) part += 1;
    return part;
  }
}
