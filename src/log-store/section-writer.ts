import { constants, crc32, zstdCompressSync } from "node:zlib";
import type { Section, SegmentFooter } from "./segment-format.ts";
import { SEGMENT_MAGIC, SEGMENT_TRAILER_BYTES } from "./segment-format.ts";

/** Sections below this are kept raw: a frame's header would eat the gain. */
const COMPRESS_BYTES_MIN = 64;

const CHUNK_BYTES_MIN = 16 * 1024;

/** Collects the sections of a file. */
export class SectionWriter {
  readonly #parts: Uint8Array[] = [SEGMENT_MAGIC];
  #offset = SEGMENT_MAGIC.length;

  /** Adds a section; `raw` may be overwritten afterwards. */
  add(name: string, raw: Uint8Array): Section {
    const compressed = raw.length < COMPRESS_BYTES_MIN ? raw : compress(raw);
    const isSmaller = compressed.length < raw.length;
    const bytes = isSmaller ? compressed : Uint8Array.from(raw);
    const section: Section = {
      name,
      offset: this.#offset,
      size: bytes.length,
      rawSize: raw.length,
      codec: isSmaller ? "zstd" : "raw",
      crc: crc32(bytes),
    };
    this.#parts.push(bytes);
    this.#offset += bytes.length;
    return section;
  }

  finish(footer: SegmentFooter): Uint8Array<ArrayBuffer> {
    const text = Buffer.from(JSON.stringify(footer));
    const trailer = Buffer.alloc(SEGMENT_TRAILER_BYTES);
    trailer.writeUInt32LE(text.length, 0);
    trailer.writeUInt32LE(crc32(text), 4);
    trailer.set(SEGMENT_MAGIC, 8);
    const total = this.#offset + text.length + SEGMENT_TRAILER_BYTES;
    const bytes = new Uint8Array(total);
    let end = 0;
    for (const part of [...this.#parts, text, trailer]) {
      bytes.set(part, end);
      end += part.length;
    }
    return bytes;
  }
}

function compress(raw: Uint8Array): Uint8Array {
  // Most results fit one chunk: in those of the default size much time goes into joining.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, raw.length >>> 2);
  return zstdCompressSync(raw, {
    chunkSize,
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
}
