import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Reservation } from "./memory-limiter.ts";
import { MEMORY_REFUSED_MESSAGE } from "./memory-limiter.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";

/** Bytes that the inflater gives at once: one trip to the thread pool each. */
const INFLATE_CHUNK_BYTES = 64 * 1024;

/** The least that is allocated for a body whose length is not known. */
const CAPACITY_BYTES_MIN = 16 * 1024;

/** Takes the chunks of a body as they come; a refusal ends the reading. */
export interface ChunkSink {
  /** The length that the sender announced, where it is known by now. */
  readonly lengthBytes: number | undefined;
  add(chunk: Buffer): Refusal | undefined;
}

/** How fast a body must come, so that a slow sender cannot hold memory for long (SEC-006). */
export interface BodyPace {
  /** A body may take this long however small it is; the pace is checked as often. */
  readonly graceMs: number;
  readonly bytesPerSecondMin: number;
  /** A body of known length must come evenly enough to be whole by then. */
  readonly wholeMs: number;
}

/**
 * Puts the chunks of a body together within a limit, every byte of it reserved before it is kept.
 *
 * A body that comes in one chunk is that chunk; one of known length is copied once, into a buffer
 * of its size. Otherwise the buffer doubles, and what is reserved is its capacity: a list of chunks
 * would let a sender of one-byte chunks use a hundred times what is counted.
 */
export class BodyAssembler implements ChunkSink {
  readonly lengthBytes: number | undefined;
  readonly #bytesMax: number;
  readonly #reservation: Reservation;
  /** What the reservation held before: the bytes of others, as of the compressed body. */
  readonly #reservedBefore: number;
  #buffer: Buffer = Buffer.alloc(0);
  #sizeBytes = 0;

  /** With `lengthBytes` the caller has reserved that many, without it nothing. */
  constructor(options: {
    readonly reservation: Reservation;
    readonly bytesMax: number;
    readonly lengthBytes?: number | undefined;
  }) {
    this.lengthBytes = options.lengthBytes;
    this.#bytesMax = options.bytesMax;
    this.#reservation = options.reservation;
    this.#reservedBefore = options.reservation.bytes - (options.lengthBytes ?? 0);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(chunk: Buffer): Refusal | undefined {
    const endBytes = this.#sizeBytes + chunk.length;
    if (endBytes > this.#bytesMax) return tooLarge(this.#bytesMax);
    if (endBytes === this.lengthBytes && this.#sizeBytes === 0) {
      this.#buffer = chunk;
    } else {
      if (endBytes > this.#buffer.length && !this.#reserveCapacity(endBytes)) {
        return refuse("memory", MEMORY_REFUSED_MESSAGE);
      }
      chunk.copy(this.#buffer, this.#sizeBytes);
    }
    this.#sizeBytes = endBytes;
    return undefined;
  }

  /** The body so far. No chunk may be added after it. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#sizeBytes);
  }

  #reserveCapacity(bytes: number): boolean {
    const doubled = Math.min(this.#bytesMax, Math.max(CAPACITY_BYTES_MIN, 2 * bytes));
    const capacityBytes = Math.max(bytes, this.lengthBytes ?? doubled);
    const missing = this.#reservedBefore + capacityBytes - this.#reservation.bytes;
    if (missing > 0 && !this.#reservation.grow(missing)) return false;
    // Not from Node's pool, of which one slice keeps all.
    const larger = Buffer.allocUnsafeSlow(capacityBytes);
    this.#buffer.copy(larger, 0, 0, this.#sizeBytes);
    this.#buffer = larger;
    return true;
  }
}

/**
 * Reads a stream into a sink until it ends.
 *
 * Shape:  undefined at the stream's end; else why the reading stopped. The stream is then paused,
 *         and what to do with its rest is the caller's to say.
 */
export function readInto(
  source: Readable,
  sink: ChunkSink,
  pace: BodyPace,
): Promise<Refusal | undefined> {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    let receivedBytes = 0;
    const settle = (refusal: Refusal | undefined): void => {
      clearInterval(timer);
      source.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      if (refusal !== undefined) source.pause();
      resolve(refusal);
    };
    const onData = (chunk: Buffer): void => {
      receivedBytes += chunk.length;
      const refusal = sink.add(chunk);
      if (refusal !== undefined) settle(refusal);
    };
    const onEnd = (): void => settle(undefined);
    const onClose = (): void => settle(refuse("aborted", "the client went away"));
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - startedMs;
      if (receivedBytes < leastBytes(pace, elapsedMs, sink.lengthBytes)) {
        settle(refuse("slow", `the body came too slowly: ${receivedBytes} bytes so far`));
      }
    }, pace.graceMs);
    source.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
    if (source.destroyed) onClose();
  });
}

function leastBytes(pace: BodyPace, elapsedMs: number, lengthBytes = 0): number {
  const flat = (pace.bytesPerSecondMin * elapsedMs) / 1000;
  const even = (lengthBytes * elapsedMs) / pace.wholeMs;
  return elapsedMs >= pace.wholeMs ? Infinity : Math.max(flat, even);
}

/**
 * Inflates gzip into a sink, counting what comes out and stopping at the sink's limit (SEC-004).
 *
 * Shape: undefined once all of it is inflated; `invalid` where it is no gzip, or is cut.
 */
function inflateGzip(compressed: Buffer, sink: ChunkSink): Promise<Refusal | undefined> {
  return new Promise((resolve) => {
    const gunzip = createGunzip({ chunkSize: INFLATE_CHUNK_BYTES });
    const settle = (refusal: Refusal | undefined): void => {
      gunzip.destroy();
      resolve(refusal);
    };
    gunzip.on("data", (chunk: Buffer) => {
      const refusal = sink.add(chunk);
      if (refusal !== undefined) settle(refusal);
    });
    gunzip.on("end", () => settle(undefined));
    gunzip.on("error", (error) => settle(refuse("invalid", `bad gzip: ${error.message}`)));
    gunzip.end(compressed);
  });
}

/** A body, decompressed, or why there is none. */
export type BodyResult =
  | { readonly status: "read"; readonly body: Buffer }
  | { readonly status: "refused"; readonly refusal: Refusal };

export interface BodyOptions {
  readonly compression: "none" | "gzip";
  /** The length before decompression, reserved by the caller; undefined where it is not known. */
  readonly lengthBytes: number | undefined;
  /** Before and after decompression. */
  readonly bytesMax: number;
  /** Holds the bytes of the result when this returns; the caller releases it in every case. */
  readonly reservation: Reservation;
  readonly pace: BodyPace;
}

/** Reads and inflates a body within its limits. */
export async function readBody(source: Readable, options: BodyOptions): Promise<BodyResult> {
  const assembler = new BodyAssembler(options);
  const isEmpty = options.lengthBytes === 0;
  const refusal = isEmpty ? undefined : await readInto(source, assembler, options.pace);
  if (refusal !== undefined) return { status: "refused", refusal };
  const body = assembler.finish();
  if (options.compression === "none") return { status: "read", body };
  return inflateBody(body, options);
}

/** Inflates a body that was read; its own bytes leave the reservation. */
export async function inflateBody(
  compressed: Buffer,
  { reservation, bytesMax }: Pick<BodyOptions, "reservation" | "bytesMax">,
): Promise<BodyResult> {
  const compressedBytes = reservation.bytes;
  const assembler = new BodyAssembler({ reservation, bytesMax });
  const refusal = await inflateGzip(compressed, assembler);
  if (refusal !== undefined) return { status: "refused", refusal };
  reservation.shrinkTo(reservation.bytes - compressedBytes);
  return { status: "read", body: assembler.finish() };
}

/** The refusal of a request past the size limit, before or after decompression (OTLP-006). */
export function tooLarge(bytesMax: number): Refusal {
  return refuse(
    "too_large",
    `the request is larger than ${bytesMax} bytes; send smaller batches, or raise the limit`,
  );
}
