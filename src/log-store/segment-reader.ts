import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32, zstdDecompressSync } from "node:zlib";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Block, BytesColumn, DictColumn, Dictionary, TimeColumn } from "./block.ts";
import { bytesColumn, PackedDictionary } from "./block.ts";
import { addSigned, decodeDeltas, decodeOffsets } from "./column-codec.ts";
import type { ColumnCache } from "./column-cache.ts";
import { shapeIdsName } from "./clauses/clause-writer.ts";
import { WholeValues } from "./clauses/whole-values.ts";
import { AttributeRowReader } from "./clauses/attribute-rows.ts";
import { ClauseColumn, ClauseRowReader } from "./clauses/clause-column.ts";
import {
  ClauseShapes,
  ClauseTemplates,
  shapesName,
  templatesName,
} from "./clauses/clause-dictionary.ts";
import { TraceIndex } from "./filters/trace-index-reader.ts";
import { SegmentDamage } from "./segment-damage.ts";
import { SealedClauses } from "./sealed-clauses.ts";
import type { Section, SegmentFooter } from "./segment-format.ts";
import {
  distanceName,
  SEGMENT_FOOTER_BYTES_MAX,
  SEGMENT_MAGIC,
  SEGMENT_TRAILER_BYTES,
  SEGMENT_VERSION,
  segmentFooter,
} from "./segment-format.ts";

/**
 * An open segment file. Synchronous: it is used in workers and by the offline command line.
 *
 * Errors: `SegmentDamage` where the footer or, later, a section fails its checksum;
 *         `STORE_FORMAT_UNKNOWN` for a newer version.
 * Cost:   one file handle, and the footer in memory.
 */
export class SegmentReader {
  readonly path: string;
  readonly footer: SegmentFooter;
  readonly #fd: number;
  readonly #blocks: (SealedBlock | undefined)[] = [];
  readonly #dictionaries = new Map<string, Dictionary>();
  /** Bytes read and decompressed so far, for budgets. */
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

  /** The templates (shapes) of a column that is kept as clauses. */
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

  /** Bytes of a section from `offset` on, not checked: what is there has a checksum of its own. */
  readPart(section: Section, offset: number, size: number): Uint8Array {
    return this.#readAt(section.offset + offset, size, section.name);
  }

  /** A section's raw bytes, checked, in memory of their own. */
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

  /** What `bytes` were before zstd. */
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

/** A block on disk. Columns come from the cache, or are read, checked, decompressed and decoded. */
class SealedBlock implements Block {
  readonly rows: number;
  readonly #segment: SegmentReader;
  readonly #sections: ReadonlyMap<string, Section>;
  readonly #key: string;
  readonly #cache: ColumnCache;
  readonly #traceIndex: TraceIndex | undefined;
  readonly #clauses = new Map<string, ClauseColumn>();

  constructor(segment: SegmentReader, index: number, cache: ColumnCache) {
    const { rows, sections } = segment.footer.blocks[index];
    this.rows = rows;
    this.#segment = segment;
    this.#sections = new Map(sections.map((section) => [section.name, section]));
    this.#key = `${segment.path}#${index}`;
    this.#cache = cache;
    this.#traceIndex = TraceIndex.of(segment, index, cache);
  }

  u8(name: string): Uint8Array {
    return this.#column(name, Uint8Array, (raw) => this.#expect(name, raw, raw.length));
  }

  u32(name: string): Uint32Array {
    return this.#column(name, Uint32Array, (raw) => {
      this.#expect(name, raw, raw.length / 4);
      return new Uint32Array(raw.buffer, raw.byteOffset, this.rows);
    });
  }

  f64(name: string): Float64Array {
    const isDelta = name !== "value";
    return this.#column(name, Float64Array, (raw) => {
      if (isDelta) return decodeDeltas(raw, new Float64Array(this.rows));
      this.#expect(name, raw, raw.length / 8);
      return new Float64Array(raw.buffer, raw.byteOffset, this.rows);
    });
  }

  time(name: string): TimeColumn {
    if (this.#sections.has(distanceName(name, "ns"))) return this.#timeBehind(name);
    return {
      day: this.#column(`${name}.day`, Int32Array, (raw) =>
        decodeDeltas(raw, new Int32Array(this.rows)),
      ),
      ns: this.#column(`${name}.ns`, Float64Array, (raw) =>
        decodeDeltas(raw, new Float64Array(this.rows)),
      ),
    };
  }

  #timeBehind(name: string): TimeColumn {
    const base = this.time("time");
    return {
      day: this.#column(distanceName(name, "day"), Int32Array, (raw) =>
        addSigned(raw, base.day, new Int32Array(this.rows)),
      ),
      ns: this.#column(distanceName(name, "ns"), Float64Array, (raw) =>
        addSigned(raw, base.ns, new Float64Array(this.rows)),
      ),
    };
  }

  ids(name: string): Uint8Array {
    if (name === "trace_id" && this.#traceIndex !== undefined) return this.#traceIndex.ids();
    const width = name === "trace_id" ? 16 : 8;
    return this.#column(name, Uint8Array, (raw) => this.#expect(name, raw, raw.length / width));
  }

  traceRows(id: Uint8Array): readonly number[] | undefined {
    return this.#traceIndex?.rowsOf(id);
  }

  dict(name: string): DictColumn {
    return { ids: this.u32(name), dictionary: this.#segment.dictionary(name) };
  }

  clauses(name: string): ClauseColumn | undefined {
    const known = this.#clauses.get(name);
    if (known !== undefined || !this.#sections.has(shapeIdsName(name))) return known;
    const source = new SealedClauses({
      column: name,
      segment: this.#segment,
      sections: this.#sections,
      rows: this.rows,
      key: this.#key,
      cache: this.#cache,
    });
    const column = new ClauseColumn(source, this.rows);
    this.#clauses.set(name, column);
    return column;
  }

  bytes(name: string): BytesColumn {
    const column = this.clauses(name);
    if (column !== undefined) return this.#wholeValues(name, column);
    const offsets = this.#column(`${name}.lengths`, Uint32Array, (raw) =>
      decodeOffsets(raw, this.rows),
    );
    const data = this.#column(name, Uint8Array, (raw) => raw);
    if (offsets[this.rows] !== data.length) {
      throw new SegmentDamage(this.#segment.path, `column ${name} has another size than its rows`);
    }
    return bytesColumn(data, offsets, 0, this.rows);
  }

  /** Every value of a column of clauses, put together. */
  #wholeValues(name: string, column: ClauseColumn): BytesColumn {
    const known = this.#cache.get(`${this.#key}/${name}`);
    if (known instanceof WholeValues) return known.column;
    const reader =
      name === "attributes" ? new AttributeRowReader(column) : new ClauseRowReader(column);
    const values = new WholeValues(reader, this.rows);
    this.#cache.set(`${this.#key}/${name}`, values);
    return values.column;
  }

  #column<T extends Uint8Array | Uint32Array | Int32Array | Float64Array>(
    name: string,
    type: { readonly prototype: T; new (length: number): T },
    decode: (raw: Uint8Array) => T,
  ): T {
    const key = `${this.#key}/${name}`;
    const cached = this.#cache.get(key);
    if (cached instanceof type) return cached;
    const section = this.#sections.get(name);
    if (section === undefined) {
      throw new SegmentDamage(this.#segment.path, `section ${name} is missing`);
    }
    const column = decode(this.#segment.readSection(section));
    this.#cache.set(key, column);
    return column;
  }

  #expect(name: string, raw: Uint8Array, rows: number): Uint8Array {
    if (rows === this.rows) return raw;
    throw new SegmentDamage(this.#segment.path, `column ${name} has ${rows} rows of ${this.rows}`);
  }
}
