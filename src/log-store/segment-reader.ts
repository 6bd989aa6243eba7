import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32, zstdDecompressSync } from "node:zlib";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Block, Dictionary } from "./block.ts";
import { bytesColumn, PackedDictionary } from "./block.ts";
import {
  ClauseShapes,
  ClauseTemplates,
  shapesName,
  templatesName,
} from "./clauses/clause-dictionary.ts";
import { decodeOffsets } from "./column-codec.ts";
import type { ColumnCache } from "./column-cache.ts";
import { SealedBlock } from "./sealed-block.ts";
import { SegmentDamage } from "./segment-damage.ts";
import type { Section, SegmentFooter } from "./segment-format.ts";
import {
  SEGMENT_FOOTER_BYTES_MAX,
  SEGMENT_MAGIC,
  SEGMENT_TRAILER_BYTES,
  SEGMENT_VERSION,
  segmentFooter,
} from "./segment-format.ts";
import type { SegmentSections } from "./segment-sections.ts";

/**
 * An open segment file. Synchronous: it is used in workers and by the offline command line.
 *
 * Errors: `SegmentDamage` where the footer or, later, a section fails its checksum;
 *         `STORE_FORMAT_UNKNOWN` for a newer version.
 * Cost:   one file handle, and the footer in memory.
 */
export class SegmentReader implements SegmentSections {
  readonly path: string;
  readonly footer: SegmentFooter;
  readonly #fd: number;
  readonly #blocks: (SealedBlock | undefined)[] = [];
  readonly #dictionaries = new Map<string, Dictionary>();
  bytesRead = 0;

  constructor(path: string) {
    this.path = path;
    this.#fd = openSync(path, "r");
    try {
      this.footer = this.#readFooter();
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** A block of the segment; its columns are read as they are asked for, through `cache`. */
  block(index: number, cache: ColumnCache): Block {
    const known = this.#blocks[index];
    if (known !== undefined) return known;
    const made = new SealedBlock(this, index, cache);
    this.#blocks[index] = made;
    return made;
  }

  templates(column: string, cache: ColumnCache): ClauseTemplates {
    return this.#clauseDictionary(templatesName(column), ClauseTemplates, cache);
  }

  shapes(column: string, cache: ColumnCache): ClauseShapes {
    return this.#clauseDictionary(shapesName(column), ClauseShapes, cache);
  }

  #clauseDictionary<T extends { readonly byteLength: number }>(
    name: string,
    type: {
      readonly prototype: T;
      new (lengths: Uint8Array, bytes: Uint8Array, count: number): T;
    },
    cache: ColumnCache,
  ): T {
    const key = `${this.path}/${name}`;
    const cached = cache.get(key);
    if (cached instanceof type) return cached;
    const { lengths, data, count } = this.#dictionaryHeader(name);
    const dictionary = new type(this.readSection(lengths), this.readSection(data), count);
    cache.set(key, dictionary);
    return dictionary;
  }

  readPart(section: Section, offset: number, size: number): Uint8Array {
    return this.#readAt(section.offset + offset, size, section.name);
  }

  readSection(section: Section): Uint8Array {
    const bytes = this.#readAt(section.offset, section.size, section.name);
    if (crc32(bytes) !== section.crc) {
      throw new SegmentDamage(this.path, `section ${section.name} fails its checksum`);
    }
    const raw = section.codec === "zstd" ? this.#decompress(section, bytes) : bytes;
    this.bytesRead += raw.length;
    return raw;
  }

  dictionary(name: string): Dictionary {
    const known = this.#dictionaries.get(name);
    if (known !== undefined) return known;
    const header = this.#dictionaryHeader(name);
    const offsets = decodeOffsets(this.readSection(header.lengths), header.count);
    const entries = bytesColumn(this.readSection(header.data), offsets, 0, header.count);
    const dictionary = new PackedDictionary(entries, header.count);
    this.#dictionaries.set(name, dictionary);
    return dictionary;
  }

  #dictionaryHeader(name: string): SegmentFooter["dictionaries"][number] {
    const header = this.footer.dictionaries.find((candidate) => candidate.name === name);
    if (header === undefined) throw new SegmentDamage(this.path, `dictionary ${name} is missing`);
    return header;
  }

  #decompress({ name, rawSize }: Section, bytes: Uint8Array): Uint8Array {
    return this.decompress(`section ${name}`, bytes, rawSize);
  }

  decompress(what: string, bytes: Uint8Array, rawSize: number): Uint8Array {
    try {
      const chunkSize = Math.max(64, rawSize);
      const raw = zstdDecompressSync(bytes, { maxOutputLength: chunkSize, chunkSize });
      // Typed arrays want memory that is aligned; a small result may stand in a shared pool.
      if (raw.length === rawSize) return raw.byteOffset % 8 === 0 ? raw : Uint8Array.from(raw);
    } catch (error) {
      throw new SegmentDamage(this.path, `${what} does not decompress`, error);
    }
    throw new SegmentDamage(this.path, `${what} has another size than it says`);
  }

  #readFooter(): SegmentFooter {
    const size = fstatSync(this.#fd).size;
    const trailerAt = size - SEGMENT_TRAILER_BYTES;
    if (trailerAt < SEGMENT_MAGIC.length) throw new SegmentDamage(this.path, "the file is cut off");
    const head = this.#readAt(0, SEGMENT_MAGIC.length, "head");
    const trailer = this.#readAt(trailerAt, SEGMENT_TRAILER_BYTES, "trailer");
    const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
    const length = view.getUint32(0, true);
    const isOurs = [head, trailer.subarray(8)].every(
      (magic) => Buffer.compare(magic, SEGMENT_MAGIC) === 0,
    );
    if (!isOurs || length > Math.min(trailerAt, SEGMENT_FOOTER_BYTES_MAX)) {
      throw new SegmentDamage(this.path, "the head or the trailer is damaged");
    }
    const text = this.#readAt(trailerAt - length, length, "footer");
    if (crc32(text) !== view.getUint32(4, true)) {
      throw new SegmentDamage(this.path, "the footer fails its checksum");
    }
    return parseFooter(this.path, text);
  }

  #readAt(offset: number, size: number, what: string): Uint8Array {
    // A pooled buffer would not be aligned for typed arrays.
    const bytes = new Uint8Array(size);
    let end = 0;
    while (end < size) {
      const count = readSync(this.#fd, bytes, end, size - end, offset + end);
      if (count === 0) throw new SegmentDamage(this.path, `${what} reaches past the file's end`);
      end += count;
    }
    return bytes;
  }
}

function parseFooter(path: string, text: Uint8Array): SegmentFooter {
  const json: unknown = JSON.parse(new TextDecoder().decode(text));
  const version = versionOf(json);
  if (version > SEGMENT_VERSION) {
    throw new AppError(
      "STORE_FORMAT_UNKNOWN",
      `${path} has version ${version} of the segment format, this dora reads up to ${SEGMENT_VERSION}`,
    );
  }
  const parsed = segmentFooter.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new SegmentDamage(path, `the footer is malformed: ${errorMessage(parsed.error)}`);
}

function versionOf(json: unknown): number {
  const isVersioned = typeof json === "object" && json !== null && "version" in json;
  return isVersioned && typeof json.version === "number" ? json.version : 0;
}
