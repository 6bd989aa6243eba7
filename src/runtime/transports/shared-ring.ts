/**
 * Megabytes between two processes of one machine: the sender writes them into a file in memory, the
 * receiver reads them out, and only their places go through the socket. Each byte is copied twice, as in
 * a socket, but in larger steps, by both processors at once, and without the kernel's small buffers.
 *
 * The file is unlinked as soon as both have it open, so that no crash leaves it behind.
 *
 *     0        tail                 head        sizeBytes
 *     ├─ free ──┼─ written, not taken ─┼── free ──┤
 */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { FrameError } from "./frame.ts";

/** Bound to what a link may keep in memory beside its processes. */
export const RING_BYTES = 4 * 1024 * 1024;

/** One step: while the receiver copies one, the sender writes the next. */
const RING_STEP_BYTES = 1024 * 1024;

const RING_NAME = /^dora-ring-[0-9a-f-]{36}$/;

/** The sender's side: creates the file. */
export class RingWriter {
  readonly name: string;
  readonly #path: string;
  readonly #file: number;
  #head = 0;
  #usedBytes = 0;
  /** Where the last `write` put its bytes. */
  writtenOffset = 0;

  /** Errors: those of `openSync`, where the folder cannot be written. */
  constructor(folder: string) {
    this.name = `dora-ring-${randomUUID()}`;
    this.#path = join(folder, this.name);
    const { O_RDWR, O_CREAT, O_EXCL } = constants;
    this.#file = openSync(this.#path, O_RDWR | O_CREAT | O_EXCL, 0o600);
  }

  /** Writes as much of `source` from `start` as fits in one step, and returns how much: 0 where the
   * ring is full. Errors: those of `writeSync`, where memory is out. */
  write(source: Uint8Array, start: number): number {
    // An empty ring begins anew, where the memory is still in the processor's cache.
    if (this.#usedBytes === 0) this.#head = 0;
    const free = Math.min(RING_BYTES - this.#usedBytes, RING_BYTES - this.#head);
    const bytes = Math.min(free, source.length - start, RING_STEP_BYTES);
    if (bytes === 0) return 0;
    const written = writeSync(this.#file, source, start, bytes, this.#head);
    this.writtenOffset = this.#head;
    this.#head = (this.#head + written) % RING_BYTES;
    this.#usedBytes += written;
    return written;
  }

  /** The receiver has taken the oldest so many bytes. */
  release(bytes: number): void {
    this.#usedBytes = Math.max(0, this.#usedBytes - bytes);
  }

  close(): void {
    closeSync(this.#file);
    // The receiver has unlinked it, unless it never came so far.
    try {
      unlinkSync(this.#path);
    } catch {
      return;
    }
  }
}

/** The receiver's side: opens the file that the sender named, and unlinks it. */
export class RingReader {
  readonly #file: number;

  /** Errors: `FrameError` for what is no ring; those of `openSync`, where it cannot be reached. */
  constructor(folder: string, name: string, sizeBytes: number) {
    if (!RING_NAME.test(name)) throw new FrameError("the ring's name is none");
    if (sizeBytes !== RING_BYTES) throw new FrameError("the ring's size is another");
    const path = join(folder, name);
    this.#file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    unlinkSync(path);
    if (!fstatSync(this.#file).isFile()) {
      this.close();
      throw new FrameError("the ring is no file");
    }
  }

  /** Errors: `FrameError` where the ring has no such bytes. */
  read(
    target: Buffer,
    start: number,
    place: { readonly offset: number; readonly bytes: number },
  ): void {
    const read = readSync(this.#file, target, start, place.bytes, place.offset);
    if (read !== place.bytes) throw new FrameError("the ring has no such bytes");
  }

  close(): void {
    closeSync(this.#file);
  }
}
