import { crc32 } from "node:zlib";
import type { Signal } from "../core/record.ts";
import { asBuffer, readU64, writeU64 } from "./little-endian.ts";

/** What the first bytes of a journal file say. */
export interface FileHeader {
  readonly fileNumber: number;
  /** The file whose frames come before this one's; 0 where there is none. */
  readonly previousNumber: number;
  /** How much of that file counts. What stands behind it was told to its sender as failed. */
  readonly previousBytes: number;
  /** Every number below it was given away before this file's first frame. */
  readonly nextSeq: number;
  readonly droppedTotals: SignalCounts;
  /** Stands in each frame of the file; see frame-codec.ts. */
  readonly salt: number;
}

/** Records, by signal. */
export type SignalCounts = { readonly [signal in Signal]: number };

/**
 * The bytes of a journal file's header, little-endian. They stand twice, one copy behind the other,
 * so that no damage of one place hides how much of the previous file counts.
 *
 *     offset size field
 *      0      8   magic "doraJRNL"
 *      8      4   version, 1
 *     12      4   crc32 of bytes 0 to 11; these 16 bytes stay the same in all versions
 *     16      8   file number
 *     24      8   previous file's number
 *     32      8   previous file's valid length, bytes
 *     40      8   next sequence number
 *     48      8   dropped log records, since the store was created
 *     56      8   dropped spans
 *     64      8   dropped metric points
 *     72      4   salt
 *     76     48   0
 *    124      4   crc32 of bytes 0 to 123
 *
 * Source: docs/format.md "Journal".
 */
export const FILE_HEADER_BYTES = 2 * 128;

const COPY_BYTES = 128;
const JOURNAL_VERSION = 1;
const MAGIC = Buffer.from("doraJRNL", "latin1");
const VERSION_AT = 8;
const VERSION_CRC_AT = 12;
const COPY_CRC_AT = 124;

export function encodeFileHeader(header: FileHeader): Uint8Array {
  const bytes = Buffer.alloc(FILE_HEADER_BYTES);
  const copy = bytes.subarray(0, COPY_BYTES);
  MAGIC.copy(copy);
  copy.writeUInt32LE(JOURNAL_VERSION, VERSION_AT);
  copy.writeUInt32LE(crc32(copy.subarray(0, VERSION_CRC_AT)), VERSION_CRC_AT);
  writeU64(copy, header.fileNumber, 16);
  writeU64(copy, header.previousNumber, 24);
  writeU64(copy, header.previousBytes, 32);
  writeU64(copy, header.nextSeq, 40);
  writeU64(copy, header.droppedTotals.logs, 48);
  writeU64(copy, header.droppedTotals.traces, 56);
  writeU64(copy, header.droppedTotals.metrics, 64);
  copy.writeUInt32LE(header.salt, 72);
  copy.writeUInt32LE(crc32(copy.subarray(0, COPY_CRC_AT)), COPY_CRC_AT);
  copy.copy(bytes, COPY_BYTES);
  return bytes;
}

export type FileHeaderReading =
  /** `damagedCopies` is 1 where only one of the two copies is whole. */
  | { readonly state: "ok"; readonly header: FileHeader; readonly damagedCopies: number }
  | { readonly state: "damaged" }
  /** The file ends before its header does. */
  | { readonly state: "short" }
  | { readonly state: "unknown-version"; readonly version: number };

/** Reads the header at the start of `head`, which is a file's first `FILE_HEADER_BYTES` bytes. */
export function readFileHeader(head: Uint8Array): FileHeaderReading {
  if (head.length < FILE_HEADER_BYTES) return { state: "short" };
  const bytes = asBuffer(head);
  const copies = [bytes.subarray(0, COPY_BYTES), bytes.subarray(COPY_BYTES, FILE_HEADER_BYTES)];
  const headers: FileHeader[] = [];
  for (const copy of copies) {
    const version = readVersion(copy);
    if (version === undefined) continue;
    if (version !== JOURNAL_VERSION) return { state: "unknown-version", version };
    if (crc32(copy.subarray(0, COPY_CRC_AT)) !== copy.readUInt32LE(COPY_CRC_AT)) continue;
    headers.push(readCopy(copy));
  }
  const header = headers[0];
  if (header === undefined) return { state: "damaged" };
  return { state: "ok", header, damagedCopies: copies.length - headers.length };
}

/** The version, where its checksum holds: a damaged byte is never taken for another version. */
function readVersion(copy: Buffer): number | undefined {
  const isHeader =
    copy.subarray(0, MAGIC.length).equals(MAGIC) &&
    crc32(copy.subarray(0, VERSION_CRC_AT)) === copy.readUInt32LE(VERSION_CRC_AT);
  return isHeader ? copy.readUInt32LE(VERSION_AT) : undefined;
}

function readCopy(copy: Buffer): FileHeader {
  return {
    fileNumber: readU64(copy, 16),
    previousNumber: readU64(copy, 24),
    previousBytes: readU64(copy, 32),
    nextSeq: readU64(copy, 40),
    droppedTotals: {
      logs: readU64(copy, 48),
      traces: readU64(copy, 56),
      metrics: readU64(copy, 64),
    },
    salt: copy.readUInt32LE(72),
  };
}
