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
    this.chunkOffsets = everyNth(chunks, 4, 0, Float64Array);
    this.chunkSizes = everyNth(chunks, 4, 1, Uint32Array);
    this.chunkRawSizes = everyNth(chunks, 4, 2, Uint32Array);
    this.chunkCrcs = everyNth(chunks, 4, 3, Uint32Array);
    this.partTemplates = everyNth(parts, 5, 0, Uint32Array);
    this.partFirsts = everyNth(parts, 5, 1, Uint32Array);
    this.partCounts = everyNth(parts, 5, 2, Uint32Array);
    this.partChunks = everyNth(parts, 5, 3, Uint32Array);
    this.partOffsets = everyNth(parts, 5, 4, Uint32Array);
    this.byteLength = 4 * parts.length + 5 * chunks.length;
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

function everyNth<T extends Uint32Array | Float64Array>(
  values: readonly number[],
  step: number,
  from: number,
  type: new (length: number) => T,
): T {
  const made = new type(values.length / step);
  for (let index = 0; index < made.length; index++) made[index] = values[from + step * index];
  return made;
}
