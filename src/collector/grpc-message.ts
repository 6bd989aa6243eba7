import type { MemoryLimiter, Reservation } from "./memory-limiter.ts";
import { MEMORY_REFUSED_MESSAGE } from "./memory-limiter.ts";
import type { Refusal } from "./refusal.ts";
import { encodeRefusal, refuse } from "./refusal.ts";
import type { ChunkSink } from "./request-body.ts";
import { BodyAssembler, tooLarge } from "./request-body.ts";

/** Compressed flag u8, length u32 big endian; then the message, length bytes. */
const PREFIX_BYTES = 5;

/** A status line travels in the trailers, whose block clients limit to 8 KiB and more. */
const STATUS_MESSAGE_CHARS_MAX = 1000;

/** One message as it came. */
export interface GrpcMessage {
  readonly isCompressed: boolean;
  readonly body: Buffer;
}

/**
 * Puts together the one message of a unary call. Its length is known after five bytes, and it is
 * reserved before anything more is kept.
 *
 * Source: gRPC over HTTP2, "Length-Prefixed-Message".
 */
export class GrpcMessageReader implements ChunkSink {
  readonly #limiter: MemoryLimiter;
  readonly #bytesMax: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #reservation: Reservation | undefined;
  #assembler: BodyAssembler | undefined;

  constructor(limiter: MemoryLimiter, bytesMax: number) {
    this.#limiter = limiter;
    this.#bytesMax = bytesMax;
  }

  get lengthBytes(): number | undefined {
    return this.#assembler?.lengthBytes;
  }

  /** Holds the message; undefined until its length is known. */
  get reservation(): Reservation | undefined {
    return this.#reservation;
  }

  add(chunk: Buffer): Refusal | undefined {
    let rest = chunk;
    if (this.#prefixBytes < PREFIX_BYTES) {
      rest = chunk.subarray(chunk.copy(this.#prefix, this.#prefixBytes));
      this.#prefixBytes += chunk.length - rest.length;
      if (this.#prefixBytes < PREFIX_BYTES) return undefined;
      const refusal = this.#begin();
      if (refusal !== undefined) return refusal;
    }
    const assembler = this.#assembler;
    const missing = (assembler?.lengthBytes ?? 0) - (assembler?.sizeBytes ?? 0);
    if (rest.length > missing) return refuse("invalid", "a unary call has one message");
    return rest.length === 0 ? undefined : assembler?.add(rest);
  }

  /** The message after the stream's end, or why there is none. */
  finish(): GrpcMessage | Refusal {
    const assembler = this.#assembler;
    if (assembler === undefined || assembler.sizeBytes !== assembler.lengthBytes) {
      return refuse("invalid", "the call ended before its message did");
    }
    return { isCompressed: this.#prefix[0] === 1, body: assembler.finish() };
  }

  #begin(): Refusal | undefined {
    if (this.#prefix.readUInt8(0) > 1) return refuse("invalid", "this is no gRPC message");
    const lengthBytes = this.#prefix.readUInt32BE(1);
    if (lengthBytes > this.#bytesMax) return tooLarge(this.#bytesMax);
    const reservation = this.#limiter.tryReserve(lengthBytes);
    if (reservation === undefined) return refuse("memory", MEMORY_REFUSED_MESSAGE);
    this.#reservation = reservation;
    this.#assembler = new BodyAssembler({ reservation, bytesMax: this.#bytesMax, lengthBytes });
    return undefined;
  }
}

/** A message with its prefix, not compressed. */
export function frameMessage(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/**
 * The trailers of a refused call. Where it may be sent again or its bytes are at fault, the details
 * say so in `grpc-status-details-bin` (OTLP-013); others carry none, since RESOURCE_EXHAUSTED with
 * RetryInfo would be sent again.
 */
export function refusalTrailers(refusal: Refusal): Readonly<Record<string, string>> {
  const message = refusal.message.slice(0, STATUS_MESSAGE_CHARS_MAX).toWellFormed();
  const trailers = { "grpc-status": String(refusal.code), "grpc-message": encodeURI(message) };
  if (refusal.retryAfterMs === undefined && refusal.reason !== "invalid") return trailers;
  const details = Buffer.from(encodeRefusal({ ...refusal, message }, "protobuf"));
  // Binary metadata is base64 without padding.
  return { ...trailers, "grpc-status-details-bin": details.toString("base64").replace(/=+$/, "") };
}
