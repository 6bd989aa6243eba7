import { randomBytes } from "node:crypto";
import { copyPayload } from "./payload.ts";
import type { Payload } from "./transport.ts";

/**
 * A message in Redis, which keeps one value for each:
 *
 *     offset  size  field
 *     0       4     "DORA"
 *     4       4     header bytes, u32
 *     8       8     the outbox: random, new for each
 *     16      4     its messages before this one, u32, modulo 2^32
 *     20            the header, then the payload
 *
 * All numbers are little-endian. A value that does not begin so was written by another program: it is all payload.
 */
export const ENVELOPE_BYTES = 20;

const MAGIC = Buffer.from("DORA");

export interface Envelope {
  readonly header: Buffer;
  readonly payload: Buffer;
  /** The outbox, in hex, and the message's number; undefined for a value of another program. */
  readonly outbox: string | undefined;
  readonly number: number;
}

/** Numbers the messages of one outbox. */
export class EnvelopeWriter {
  readonly #outbox = randomBytes(8);
  #number = 0;

  write(header: Uint8Array, payload: Payload, payloadBytes: number): Buffer {
    const envelope = Buffer.allocUnsafe(ENVELOPE_BYTES + header.length + payloadBytes);
    MAGIC.copy(envelope);
    envelope.writeUInt32LE(header.length, 4);
    this.#outbox.copy(envelope, 8);
    envelope.writeUInt32LE(this.#number, 16);
    this.#number = (this.#number + 1) >>> 0;
    envelope.set(header, ENVELOPE_BYTES);
    copyPayload(envelope, ENVELOPE_BYTES + header.length, payload);
    return envelope;
  }
}

export function readEnvelope(value: Buffer): Envelope {
  const isOurs = value.length >= ENVELOPE_BYTES && value.subarray(0, 4).equals(MAGIC);
  const headerEnd = isOurs ? ENVELOPE_BYTES + value.readUInt32LE(4) : 0;
  if (!isOurs || headerEnd > value.length) {
    return { header: Buffer.alloc(0), payload: value, outbox: undefined, number: 0 };
  }
  return {
    header: value.subarray(ENVELOPE_BYTES, headerEnd),
    payload: value.subarray(headerEnd),
    outbox: value.toString("hex", 8, 16),
    number: value.readUInt32LE(16),
  };
}
