import { AppError } from "../../core/errors.ts";

/** A frame of JSON: one message. */
export const FRAME_JSON = 1;
/** A frame of hops: `HOP_BYTES` each. */
export const FRAME_HOPS = 2;

const HEAD_BYTES = 5;
/** The largest frame; a peer that announces more is cut off. */
export const FRAME_BYTES_MAX = 4 * 1024 * 1024;

export interface Frame {
  readonly kind: number;
  readonly body: Buffer;
}

/**
 * A frame of the node protocol.
 *
 *     offset size field
 *     0      4    bytes of the body, little endian
 *     4      1    kind: 1 JSON, 2 hops
 *     5      …    body
 */
export function encodeFrame(kind: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame[4] = kind;
  frame.set(body, HEAD_BYTES);
  return frame;
}

export function encodeJsonFrame(message: unknown): Buffer {
  return encodeFrame(FRAME_JSON, Buffer.from(JSON.stringify(message)));
}

/**
 * Cuts what a socket gives into frames.
 *
 * Errors: `NODE_PROTOCOL` where a frame is larger than `FRAME_BYTES_MAX`: then nothing after it can
 *         be read, and the socket must be closed.
 */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** Frames that are complete with `chunk`; their bodies are valid until the next call. */
  *read(chunk: Buffer): Generator<Frame> {
    let data = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (data.length >= HEAD_BYTES) {
      const size = data.readUInt32LE(0);
      if (size > FRAME_BYTES_MAX) {
        this.#pending = Buffer.alloc(0);
        const limit = `at most ${FRAME_BYTES_MAX}`;
        throw new AppError(
          "NODE_PROTOCOL",
          `a frame announces ${size} bytes, ${limit} are allowed`,
        );
      }
      if (data.length < HEAD_BYTES + size) break;
      const kind = data[4] ?? 0;
      const body = data.subarray(HEAD_BYTES, HEAD_BYTES + size);
      data = data.subarray(HEAD_BYTES + size);
      yield { kind, body };
    }
    // A copy: the socket's chunk is reused, and a small rest must not hold a large chunk.
    this.#pending = data.length === 0 ? Buffer.alloc(0) : Buffer.from(data);
  }
}
