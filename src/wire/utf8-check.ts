import { isUtf8 } from "node:buffer";

/** How much of a text is looked at in one go: the copies below take some times as much. */
const PIECE_BYTES = 64 * 1024;

/** The offset of the first byte that is not UTF-8; the length where all of it is. */
export function firstInvalidUtf8(source: Buffer): number {
  for (let start = 0; start < source.length;) {
    let end = Math.min(start + PIECE_BYTES, source.length);
    // A piece ends before the first byte of a character, which has three more at the most.
    for (let back = 0; back < 3 && isContinuation(source[end]); back++) end -= 1;
    const piece = source.subarray(start, end);
    if (!isUtf8(piece)) return start + firstDifference(piece);
    start = end;
  }
  return source.length;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Decoding replaces what is invalid, so the first difference on the way back is the place. */
function firstDifference(piece: Buffer): number {
  const repaired = Buffer.from(piece.toString("utf8"));
  let offset = 0;
  while (offset < piece.length && piece[offset] === repaired[offset]) offset += 1;
  return offset;
}
