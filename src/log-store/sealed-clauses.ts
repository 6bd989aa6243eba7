import { crc32 } from "node:zlib";
import { decodePlanes } from "./column-codec.ts";
import type { ColumnCache } from "./column-cache.ts";
import type { ChunkUse, ClauseSource } from "./clauses/clause-column.ts";
import { ClauseDirectory } from "./clauses/clause-directory.ts";
import type { ClauseShapes, ClauseTemplates } from "./clauses/clause-dictionary.ts";
import { chunksName, directoryName, shapeIdsName } from "./clauses/clause-writer.ts";
import type { Section } from "./segment-format.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { SegmentSections } from "./segment-sections.ts";

interface SealedClausesParts {
  readonly column: string;
  readonly segment: SegmentSections;
  readonly sections: ReadonlyMap<string, Section>;
  readonly rows: number;
  /** Of the block, in the cache. */
  readonly key: string;
  readonly cache: ColumnCache;
}

/** A block's column of clauses on disk, read as it is asked for. */
export class SealedClauses implements ClauseSource {
  readonly #parts: SealedClausesParts;

  constructor(parts: SealedClausesParts) {
    this.#parts = parts;
  }

  templates(): ClauseTemplates {
    const { segment, column, cache } = this.#parts;
    return segment.templates(column, cache);
  }

  shapes(): ClauseShapes {
    const { segment, column, cache } = this.#parts;
    return segment.shapes(column, cache);
  }

  shapeIds(): Uint32Array {
    const { segment, column, rows } = this.#parts;
    return this.derived("shape_ids", () => {
      const section = this.#section(shapeIdsName(column));
      return decodePlanes(segment.readSection(section), rows);
    });
  }

  directory(): ClauseDirectory {
    const { segment, column, cache, key } = this.#parts;
    const directoryKey = `${key}/${column}.directory`;
    const known = cache.get(directoryKey);
    if (known instanceof ClauseDirectory) return known;
    const section = this.#section(directoryName(column));
    const directory = new ClauseDirectory(segment.readSection(section));
    cache.set(directoryKey, directory);
    return directory;
  }

  chunk(index: number, use: ChunkUse): Uint8Array {
    const { column, cache, key } = this.#parts;
    const chunkKey = `${key}/${column}.chunk.${index}`;
    const known = cache.get(chunkKey);
    if (known instanceof Uint8Array) return known;
    const chunk = this.#readChunk(index);
    if (use === "scan") cache.offer(chunkKey, chunk);
    else cache.set(chunkKey, chunk);
    return chunk;
  }

  #readChunk(index: number): Uint8Array {
    const { segment, column } = this.#parts;
    const { chunkOffsets, chunkSizes, chunkRawSizes, chunkCrcs } = this.directory();
    const what = `chunk ${index} of ${column}`;
    const section = this.#section(chunksName(column));
    const bytes = segment.readPart(section, chunkOffsets[index], chunkSizes[index]);
    if (crc32(bytes) !== chunkCrcs[index]) {
      throw new SegmentDamage(segment.path, `${what} fails its checksum`);
    }
    const isRaw = bytes.length === chunkRawSizes[index];
    const raw = isRaw ? bytes : segment.decompress(what, bytes, chunkRawSizes[index]);
    segment.bytesRead += raw.length;
    return raw;
  }

  derived(name: string, make: () => Uint32Array): Uint32Array {
    const { column, cache, key } = this.#parts;
    const fullKey = `${key}/${column}.${name}`;
    const known = cache.get(fullKey);
    if (known instanceof Uint32Array) return known;
    const made = make();
    cache.set(fullKey, made);
    return made;
  }

  #section(name: string): Section {
    const section = this.#parts.sections.get(name);
    if (section !== undefined) return section;
    throw new SegmentDamage(this.#parts.segment.path, `section ${name} is missing`);
  }
}
