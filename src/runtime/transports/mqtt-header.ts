/** As packets have them. */
export interface UserProperties {
  [name: string]: string | string[];
}

/** The user property of MQTT 5 that holds the header, in base64; as often as it takes, in order. */
const HEADER_PROPERTY = "dora-header";

/** A property's text has at most 65,535 bytes. */
const PIECE_BYTES_MAX = 48_000;

/** The sender's outbox and how many messages it sent before, modulo 2^32: `1f…:42`. */
const NUMBER_PROPERTY = "dora-number";

export function encodeProperties(header: Uint8Array, number: string): UserProperties {
  const pieces: string[] = [];
  for (let start = 0; start < header.length; start += PIECE_BYTES_MAX) {
    const piece = header.subarray(start, start + PIECE_BYTES_MAX);
    pieces.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("base64"));
  }
  return { [HEADER_PROPERTY]: pieces, [NUMBER_PROPERTY]: number };
}

/** The outbox and the number; undefined for a message of another program. */
export function decodeNumber(
  properties: UserProperties | undefined,
): { readonly outbox: string; readonly number: number } | undefined {
  const text = properties?.[NUMBER_PROPERTY];
  const found = typeof text === "string" ? /^([0-9a-f]{16}):(\d{1,10})$/.exec(text) : null;
  return found === null ? undefined : { outbox: found[1] ?? "", number: Number(found[2]) };
}

/** The header, or nothing for a message of another program. */
export function decodeHeader(properties: UserProperties | undefined): Buffer {
  const found = properties?.[HEADER_PROPERTY];
  if (found === undefined) return Buffer.alloc(0);
  const pieces = typeof found === "string" ? [found] : found;
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64")));
}
