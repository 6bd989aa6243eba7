import { FRAME_HEAD_BYTES, FrameError, isFrameHead } from "./frame.ts";

/** Where frames go. */
export interface FrameSink {
  /** Before a frame's bytes are kept. Errors: `FrameError` for a frame that is too large, or not in its place. */
  check(type: number, headerBytes: number, payloadBytes: number): void;
  /** Memory for a payload that came in pieces; at least so many bytes. */
  allocate(bytes: number): Buffer;
  /** One frame; false where no more are to come until `resume`. */
  take(frame: Frame): boolean;
}

/** The reader's one frame, filled anew each time: keep the parts, not the whole. */
export interface Frame {
  readonly type: number;
  readonly link: number;
  readonly header: Buffer;
  readonly payload: Buffer;
}

/**
 * Cuts a stream of bytes into frames. A frame that lies in one chunk is handed on as a view of it, without a
 * copy; a frame that does not is put together once in memory of its own size.
 *
 * Limits: holds one chunk and one frame.
 * Errors: `FrameError` from `add` and `resume`; the stream is of no use after it.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #frame = { type: 0, link: 0, header: EMPTY, payload: EMPTY };
  /** Of a head that is cut by a chunk's end. */
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  /** A frame that is being put together. */
  #partial: { readonly header: Buffer; readonly payload: Buffer } | undefined;
  #partialBytes = 0;
  #rest = EMPTY;
  #isPaused = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Takes the next chunk. At most once between a false of the sink, or `pause`, and `resume`. */
  add(chunk: Buffer): void {
    this.#read(chunk);
  }

  /** Hands on no more until `resume`; what is added is kept. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on with what was left; false where the sink wants no more again. */
  resume(): boolean {
    this.#isPaused = false;
    const rest = this.#rest;
    this.#rest = EMPTY;
    this.#read(rest);
    return !this.#isPaused;
  }

  #read(chunk: Buffer): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#isPaused) {
        this.#rest = chunk.subarray(position);
        return;
      }
      if (this.#partial !== undefined) position += this.#fillPartial(chunk, position);
      else if (this.#headBytes > 0 || chunk.length - position < FRAME_HEAD_BYTES) {
        position += this.#fillHead(chunk, position);
      } else {
        position += this.#readFrame(chunk, position);
      }
    }
  }

  /** Reads a frame whose head lies in the chunk; returns the bytes used. */
  #readFrame(chunk: Buffer, start: number): number {
    this.#readHead(chunk, start);
    const headerBytes = chunk.readUInt32LE(start + 4);
    const payloadBytes = chunk.readUInt32LE(start + 8);
    const headerStart = start + FRAME_HEAD_BYTES;
    const end = headerStart + headerBytes + payloadBytes;
    if (end > chunk.length) {
      this.#beginPartial(headerBytes, payloadBytes);
      return FRAME_HEAD_BYTES;
    }
    this.#emit(
      chunk.subarray(headerStart, headerStart + headerBytes),
      chunk.subarray(headerStart + headerBytes, end),
    );
    return end - start;
  }

  #fillHead(chunk: Buffer, start: number): number {
    const copied = chunk.copy(this.#head, this.#headBytes, start);
    this.#headBytes += copied;
    if (this.#headBytes < FRAME_HEAD_BYTES) return copied;
    this.#headBytes = 0;
    this.#readHead(this.#head, 0);
    this.#beginPartial(this.#head.readUInt32LE(4), this.#head.readUInt32LE(8));
    return copied;
  }

  #readHead(bytes: Buffer, start: number): void {
    if (!isFrameHead(bytes, start)) throw new FrameError("this is no frame");
    const type = bytes.readUInt32LE(start);
    this.#sink.check(type, bytes.readUInt32LE(start + 4), bytes.readUInt32LE(start + 8));
    this.#frame.type = type;
    this.#frame.link = bytes.readUInt32LE(start + 12);
  }

  #beginPartial(headerBytes: number, payloadBytes: number): void {
    if (headerBytes + payloadBytes === 0) {
      this.#emit(EMPTY, EMPTY);
      return;
    }
    this.#partialBytes = 0;
    this.#partial = {
      header: Buffer.allocUnsafe(headerBytes),
      payload: this.#sink.allocate(payloadBytes),
    };
  }

  #fillPartial(chunk: Buffer, start: number): number {
    const partial = this.#partial;
    if (partial === undefined) return 0;
    const { header, payload } = partial;
    let used = 0;
    if (this.#partialBytes < header.length) {
      used = chunk.copy(header, this.#partialBytes, start);
      this.#partialBytes += used;
    }
    if (this.#partialBytes >= header.length) {
      const copied = chunk.copy(payload, this.#partialBytes - header.length, start + used);
      this.#partialBytes += copied;
      used += copied;
    }
    if (this.#partialBytes === header.length + payload.length) {
      this.#partial = undefined;
      this.#emit(header, payload);
    }
    return used;
  }

  #emit(header: Buffer, payload: Buffer): void {
    this.#frame.header = header;
    this.#frame.payload = payload;
    this.#isPaused = !this.#sink.take(this.#frame);
    this.#frame.header = EMPTY;
    this.#frame.payload = EMPTY;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
