/**
 * Typed arrays over memory that is used again and again: each call gives the same memory as the
 * call before with that type, so only the newest array of a type may be in use. Sealing gathers
 * tens of megabytes a second; as garbage they would keep the collector's threads busy.
 */
export class Scratch {
  #bytes = new ArrayBuffer(0);
  #ints = new ArrayBuffer(0);
  #words = new ArrayBuffer(0);
  #doubles = new ArrayBuffer(0);

  u8(length: number): Uint8Array {
    this.#bytes = atLeast(this.#bytes, length);
    return new Uint8Array(this.#bytes, 0, length);
  }

  i32(length: number): Int32Array {
    this.#ints = atLeast(this.#ints, 4 * length);
    return new Int32Array(this.#ints, 0, length);
  }

  u32(length: number): Uint32Array {
    this.#words = atLeast(this.#words, 4 * length);
    return new Uint32Array(this.#words, 0, length);
  }

  f64(length: number): Float64Array {
    this.#doubles = atLeast(this.#doubles, 8 * length);
    return new Float64Array(this.#doubles, 0, length);
  }
}

function atLeast(memory: ArrayBuffer, byteLength: number): ArrayBuffer {
  return memory.byteLength >= byteLength ? memory : new ArrayBuffer(2 * byteLength);
}
