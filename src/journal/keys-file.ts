import { crc32 } from "node:zlib";
import type { Frame } from "./frame.ts";
import { RETRY_KEY_BYTES } from "./frame-codec.ts";
import { RETRY_WINDOW_MS } from "./limits.ts";
import { asBuffer, readU64, writeU64 } from "./little-endian.ts";

/** One request that is remembered: what a duplicate of it is answered with. */
export interface RetryEntry {
  readonly receivedUnixMs: number;
  readonly receivedCount: number;
  readonly rejectedCount: number;
}

/**
 * The retry keys of one journal file, as they stand in a keys file, little-endian:
 *
 *     offset size field
 *      0     16   retry key
 *     16      8   received, Unix milliseconds
 *     24      4   received count
 *     28      4   rejected count
 */
const ENTRY_BYTES = 32;

/** Packed, since a file of small requests has hundreds of thousands. Used by the journal alone. */
export class RetryKeyList {
  #bytes = Buffer.alloc(0);
  #count = 0;
  #newestUnixMs = Number.NEGATIVE_INFINITY;

  get count(): number {
    return this.#count;
  }

  /** A duplicate is remembered by the request that it repeats, so its own frame adds nothing. */
  addFrame(frame: Frame): void {
    if (frame.isDuplicate) return;
    this.add(frame.retryKey, {
      receivedUnixMs: frame.receivedUnixMs,
      receivedCount: frame.receivedCount,
      rejectedCount: frame.rejected.length,
    });
  }

  add(key: Uint8Array, entry: RetryEntry): void {
    const offset = this.#count * ENTRY_BYTES;
    if (offset === this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(16 * ENTRY_BYTES, 2 * offset));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#bytes.set(key, offset);
    writeU64(this.#bytes, entry.receivedUnixMs, offset + 16);
    this.#bytes.writeUInt32LE(entry.receivedCount, offset + 24);
    this.#bytes.writeUInt32LE(entry.rejectedCount, offset + 28);
    this.#count++;
    this.#newestUnixMs = Math.max(this.#newestUnixMs, entry.receivedUnixMs);
  }

  /** Whether any key is still within the retry window. */
  isLiveAt(nowUnixMs: number): boolean {
    return this.#newestUnixMs > nowUnixMs - RETRY_WINDOW_MS;
  }

  *entries(): Generator<readonly [key: Uint8Array, entry: RetryEntry]> {
    for (let offset = 0; offset < this.#count * ENTRY_BYTES; offset += ENTRY_BYTES) {
      const entry = {
        receivedUnixMs: readU64(this.#bytes, offset + 16),
        receivedCount: this.#bytes.readUInt32LE(offset + 24),
        rejectedCount: this.#bytes.readUInt32LE(offset + 28),
      };
      yield [this.#bytes.subarray(offset, offset + RETRY_KEY_BYTES), entry];
    }
  }

  /** Those that are within the retry window. */
  selectLive(nowUnixMs: number): RetryKeyList {
    const live = new RetryKeyList();
    for (const [key, entry] of this.entries()) {
      if (entry.receivedUnixMs > nowUnixMs - RETRY_WINDOW_MS) live.add(key, entry);
    }
    return live;
  }

  packed(): Uint8Array {
    return this.#bytes.subarray(0, this.#count * ENTRY_BYTES);
  }
}

/**
 * The bytes of a keys file, little-endian:
 *
 *     offset size field
 *      0      8   magic "doraKEYS"
 *      8      4   version, 1
 *     12      4   crc32 of bytes 0 to 11; these 16 bytes stay the same in all versions
 *     16      8   count
 *     24      4   crc32 of the entries
 *     28      4   crc32 of bytes 0 to 27
 *     32      -   entries of 32 bytes
 *
 * Source: docs/format.md "Journal".
 */
const KEYS_HEADER_BYTES = 32;
const KEYS_VERSION = 1;
const MAGIC = Buffer.from("doraKEYS", "latin1");

export function encodeKeysFile(keys: RetryKeyList): readonly Uint8Array[] {
  const entries = keys.packed();
  const header = Buffer.alloc(KEYS_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(KEYS_VERSION, 8);
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  writeU64(header, keys.count, 16);
  header.writeUInt32LE(crc32(entries), 24);
  header.writeUInt32LE(crc32(header.subarray(0, 28)), 28);
  return [header, entries];
}

export type KeysFileReading =
  | { readonly state: "ok"; readonly keys: RetryKeyList }
  | { readonly state: "damaged" }
  | { readonly state: "unknown-version"; readonly version: number };

export function readKeysFile(file: Uint8Array): KeysFileReading {
  const bytes = asBuffer(file);
  const isHeader =
    bytes.length >= KEYS_HEADER_BYTES &&
    bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
    crc32(bytes.subarray(0, 12)) === bytes.readUInt32LE(12);
  if (!isHeader) return { state: "damaged" };
  const version = bytes.readUInt32LE(8);
  if (version !== KEYS_VERSION) return { state: "unknown-version", version };
  const entries = bytes.subarray(KEYS_HEADER_BYTES);
  const isWhole =
    crc32(bytes.subarray(0, 28)) === bytes.readUInt32LE(28) &&
    readU64(bytes, 16) * ENTRY_BYTES === entries.length &&
    crc32(entries) === bytes.readUInt32LE(24);
  if (!isWhole) return { state: "damaged" };
  const keys = new RetryKeyList();
  for (let offset = 0; offset < entries.length; offset += ENTRY_BYTES) {
    keys.add(entries.subarray(offset, offset + RETRY_KEY_BYTES), {
      receivedUnixMs: readU64(entries, offset + 16),
      receivedCount: entries.readUInt32LE(offset + 24),
      rejectedCount: entries.readUInt32LE(offset + 28),
    });
  }
  return { state: "ok", keys };
}
