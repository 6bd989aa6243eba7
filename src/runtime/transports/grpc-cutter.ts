import { FrameError } from "./frame.ts";
import { GRPC_MESSAGE_BYTES_MAX, PREFIX_BYTES } from "./grpc-messages.ts";

/**
 * Cuts the bytes of a call into messages. One that lies in one chunk is handed on as a view of it.
 *
 * Limits: holds one chunk and one message.
 * Errors: `FrameError` from `add` and `resume`.
 * Source: gRPC over HTTP2, "Length-Prefixed-Message".
 */
export class GrpcCutter {
  readonly #take: (message: Buffer) => void;
  readonly #bytesMax: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  #partial: Buffer | undefined;
  #partialBytes = 0;
  #rest: Buffer | undefined;
  #isPaused = false;

  constructor(take: (message: Buffer) => void, bytesMax = GRPC_MESSAGE_BYTES_MAX) {
    this.#take = take;
    this.#bytesMax = bytesMax;
  }

  /** Hands on no more until `resume`; one more chunk may be added, and is kept. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on with what was left; false where it was paused again. */
  resume(): boolean {
    this.#isPaused = false;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) this.add(rest);
    return !this.#isPaused;
  }

  add(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#isPaused) {
        this.#rest = chunk.subarray(position);
        return;
      }
      position +=
        this.#partial === undefined
          ? this.#begin(chunk, position)
          : this.#fill(this.#partial, chunk, position);
    }
  }

  #begin(chunk: Buffer, start: number): number {
    const used = chunk.copy(this.#prefix, this.#prefixBytes, start);
    this.#prefixBytes += used;
    if (this.#prefixBytes < PREFIX_BYTES) return used;
    this.#prefixBytes = 0;
    if (this.#prefix[0] !== 0) throw new FrameError("a message is compressed, or none");
    const bytes = this.#prefix.readUInt32BE(1);
    if (bytes > this.#bytesMax) throw new FrameError(`a message of ${bytes} bytes is too large`);
    const end = start + used + bytes;
    if (end <= chunk.length) {
      this.#take(chunk.subarray(start + used, end));
      return used + bytes;
    }
    this.#partial = Buffer.allocUnsafe(bytes);
    this.#partialBytes = 0;
    return used;
  }

  #fill(partial: Buffer, chunk: Buffer, start: number): number {
    const used = chunk.copy(partial, this.#partialBytes, start);
    this.#partialBytes += used;
    if (this.#partialBytes === partial.length) {
      this.#partial = undefined;
      this.#take(partial);
    }
    return used;
  }
}
