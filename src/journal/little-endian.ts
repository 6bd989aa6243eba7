/** Unsigned 64-bit numbers as doubles: exact up to 2^53, which no count or position here passes. */

const U32 = 2 ** 32;

export function writeU64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32LE(value % U32, offset);
  bytes.writeUInt32LE(Math.floor(value / U32), offset + 4);
}

/** The number at `offset`; past 2^53 it is no safe integer, and the caller refuses it. */
export function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * U32 + bytes.readUInt32LE(offset);
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
