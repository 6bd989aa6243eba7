/** What an inbox keeps of recycled payloads. */
const RECYCLED_BYTES_MAX = 128 * 1024 * 1024;
const RECYCLED_COUNT_MAX = 16;

/** Smaller memory is not worth keeping. */
const RECYCLED_BYTES_MIN = 64 * 1024;

/** Memory of payloads that receivers have handed back, to be filled again. */
export class MemoryPool {
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;

  /** Exactly so many bytes, of whatever content. */
  allocate(bytes: number): Buffer {
    if (bytes < RECYCLED_BYTES_MIN) return Buffer.allocUnsafe(bytes);
    // The newest is the likeliest to be in the processor's cache. One twice as large would be a waste.
    const index = this.#free.findLastIndex(
      (memory) => memory.byteLength >= bytes && memory.byteLength <= 2 * bytes,
    );
    if (index < 0) return Buffer.allocUnsafeSlow(bytes);
    const [memory] = this.#free.splice(index, 1);
    this.#freeBytes -= memory.byteLength;
    return Buffer.from(memory, 0, bytes);
  }

  recycle(payload: Uint8Array): void {
    const memory = payload.buffer;
    // Part of a larger buffer, which others read as well.
    if (payload.byteOffset !== 0 || payload.byteLength * 2 < memory.byteLength) return;
    if (memory.byteLength < RECYCLED_BYTES_MIN || !(memory instanceof ArrayBuffer)) return;
    if (this.#free.includes(memory)) return;
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > RECYCLED_BYTES_MAX || this.#free.length > RECYCLED_COUNT_MAX) {
      this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
    }
  }
}
