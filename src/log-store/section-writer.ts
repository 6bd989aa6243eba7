import { constants, crc32, zstdCompressSync } from "node:zlib";
import type { Section, SegmentFooter } from "./segment-format.ts";
import { SEGMENT_MAGIC, SEGMENT_TRAILER_BYTES } from "./segment-format.ts";

/** Sections below this are kept raw: a frame's header would eat the gain. */
const COMPRESS_BYTES_MIN = 64;

const CHUNK_BYTES_MIN = 16 * 1024;

const SAMPLE_BYTES = 4096;

/** Makes the sections of a file, which leave it in order as they are taken. */
export class SectionWriter {
  readonly #compressionLevel: number;
  #parts: Uint8Array[] = [SEGMENT_MAGIC];
  #offset = SEGMENT_MAGIC.length;

  constructor(compressionLevel: number) {
    this.#compressionLevel = compressionLevel;
  }

  /**
   * Adds a section; `raw` may be overwritten afterwards. Where it may well be random, such as ids,
   * samples tell whether it is worth compressing.
   */
  add(name: string, raw: Uint8Array, mayBeRandom = false): Section {
    const isLeft = raw.length < COMPRESS_BYTES_MIN || (mayBeRandom && this.#isRandom(raw));
    const compressed = isLeft ? raw : compress(raw, this.#compressionLevel);
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

  /** Whether neither the beginning nor the middle gets smaller. */
  #isRandom(raw: Uint8Array): boolean {
    return [0, raw.length >>> 1].every((start) => {
      const sample = raw.subarray(start, start + SAMPLE_BYTES);
      return compress(sample, this.#compressionLevel).length >= sample.length;
    });
  }

  /** Adds parts that are compressed already, and have checksums of their own, as one section. */
  addChunks(name: string, chunks: readonly Uint8Array[]): Section {
    const offset = this.#offset;
    let crc = 0;
    for (const chunk of chunks) {
      crc = crc32(chunk, crc);
      this.#parts.push(chunk);
      this.#offset += chunk.length;
    }
    const size = this.#offset - offset;
    return { name, offset, size, rawSize: size, codec: "raw", crc };
  }

  /** The bytes compressed, or a copy of them where that is not smaller. */
  compress(raw: Uint8Array): Uint8Array {
    const compressed = compress(raw, this.#compressionLevel);
    return compressed.length < raw.length ? compressed : Uint8Array.from(raw);
  }

  /** Adds the footer and what follows it: nothing comes behind. */
  finish(footer: SegmentFooter): void {
    const text = Buffer.from(JSON.stringify(footer));
    const trailer = Buffer.alloc(SEGMENT_TRAILER_BYTES);
    trailer.writeUInt32LE(text.length, 0);
    trailer.writeUInt32LE(crc32(text), 4);
    trailer.set(SEGMENT_MAGIC, 8);
    this.#parts.push(text, trailer);
  }

  /** The parts since the last call, which are no longer kept here. */
  take(): readonly Uint8Array[] {
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }
}

function compress(raw: Uint8Array, level: number): Uint8Array {
  // Most results fit one chunk: in those of the default size much time goes into joining.
  const chunkSize = Math.max(CHUNK_BYTES_MIN, raw.length >>> 2);
  return zstdCompressSync(raw, {
    chunkSize,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  });
}
