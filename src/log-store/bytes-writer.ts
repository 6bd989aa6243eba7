import type { ByteRanges } from "../wire/byte-ranges.ts";
import { copyBytes } from "../wire/byte-ranges.ts";
import type { OpenBlock } from "./open-block.ts";
import { OpenBlockReader } from "./open-block.ts";
import { BLOCK_ROWS_MAX } from "./table-schema.ts";

/** All columns of an open block, to be written. */
export function writableColumns(block: OpenBlock): OpenBlockReader {
  return new OpenBlockReader(block.slice(0, BLOCK_ROWS_MAX));
}

/** Writes one `bytes` column of the block being filled. */
export class BytesWriter {
  readonly #data: Uint8Array;
  readonly #offsets: Uint32Array;

  constructor(columns: OpenBlockReader, name: string) {
    this.#data = columns.bytes(name).data;
    this.#offsets = columns.offsets(name);
  }

  /** Whether `length` bytes more fit behind row `index - 1`. */
  fits(index: number, length: number): boolean {
    return this.#offsets[index] + length <= this.#data.length;
  }

  write(index: number, source: Uint8Array, start: number, end: number): void {
    this.#offsets[index + 1] = copyBytes(source, start, end, this.#data, this.#offsets[index]);
  }

  writeRanges(index: number, source: Uint8Array, ranges: ByteRanges): void {
    this.#offsets[index + 1] = ranges.copy(source, this.#data, this.#offsets[index]);
  }
}

/** Writes an id of `width` bytes at row `index`; `start` -1 writes zeros, which is absent. */
export function writeId(
  target: Uint8Array,
  width: 8 | 16,
  index: number,
  source: Uint8Array,
  start: number,
): void {
  const offset = index * width;
  if (start < 0) target.fill(0, offset, offset + width);
  else for (let byte = 0; byte < width; byte++) target[offset + byte] = source[start + byte];
}
