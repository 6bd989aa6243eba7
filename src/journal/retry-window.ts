import { createHash } from "node:crypto";
import type { Signal } from "../core/record.ts";
import { RETRY_KEY_BYTES } from "./frame-codec.ts";
import type { RetryEntry } from "./keys-file.ts";
import { RETRY_KEYS_MAX, RETRY_WINDOW_MS } from "./limits.ts";

/**
 * What tells a repeated request from a new one: the first 16 bytes of the SHA-256 of signal, NUL,
 * principal, NUL and the decompressed body.
 *
 * Pitfalls: two requests that differ in nothing are one within the window (docs/format.md "Journal").
 */
export function retryKey(signal: Signal, principal: string, body: Uint8Array): Uint8Array {
  const hash = createHash("sha256").update(`${signal}\0${principal}\0`).update(body).digest();
  return hash.subarray(0, RETRY_KEY_BYTES);
}

const ENTRY_BYTES = 32;
const SLOTS_MIN = 1024;

/**
 * The requests of the last `RETRY_WINDOW_MS`, at most `keysMax` of them: the oldest go first.
 *
 * Who may call: the thread that owns the store.
 * Cost: 40 bytes a key, grown by doubling: 40 MB at a million. Packed, because a Map of so many small
 *       objects costs three times that and every garbage collection walks it.
 */
export class RetryWindow {
  // A ring of entries in the order of their arrival, and a table that finds a key in it:
  //
  //     #entries   | 16 key | 8 received ms | 4 received | 4 rejected |  at #head, #count of them
  //     #table     slot + 1 of the entry, 0 is free; open addressing, twice as many as slots
  //
  // A key is a hash already, so its first four bytes serve as the table's.
  readonly #keysMax: number;
  #slots = SLOTS_MIN;
  #entries = Buffer.alloc(SLOTS_MIN * ENTRY_BYTES);
  #table = new Int32Array(2 * SLOTS_MIN);
  #head = 0;
  #count = 0;

  constructor(keysMax: number = RETRY_KEYS_MAX) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#count;
  }

  /** The request of this key, if it is not older than the window at `nowUnixMs`. */
  find(key: Uint8Array, nowUnixMs: number = Number.NEGATIVE_INFINITY): RetryEntry | undefined {
    const slot = this.#table[this.#locate(key)] - 1;
    if (slot === -1) return undefined;
    const offset = slot * ENTRY_BYTES;
    const receivedUnixMs = this.#entries.readDoubleLE(offset + 16);
    if (receivedUnixMs <= nowUnixMs - RETRY_WINDOW_MS) return undefined;
    return {
      receivedUnixMs,
      receivedCount: this.#entries.readUInt32LE(offset + 24),
      rejectedCount: this.#entries.readUInt32LE(offset + 28),
    };
  }

  /** Remembers a request, and forgets those that `nowUnixMs` puts out of the window. */
  add(key: Uint8Array, entry: RetryEntry, nowUnixMs: number): void {
    this.#evict(nowUnixMs);
    let slot = this.#table[this.#locate(key)] - 1;
    if (slot === -1) slot = this.#append(key);
    const offset = slot * ENTRY_BYTES;
    this.#entries.writeDoubleLE(entry.receivedUnixMs, offset + 16);
    this.#entries.writeUInt32LE(entry.receivedCount, offset + 24);
    this.#entries.writeUInt32LE(entry.rejectedCount, offset + 28);
  }

  #evict(nowUnixMs: number): void {
    while (this.#count > 0) {
      const receivedUnixMs = this.#entries.readDoubleLE(this.#head * ENTRY_BYTES + 16);
      if (receivedUnixMs > nowUnixMs - RETRY_WINDOW_MS) return;
      this.#dropOldest();
    }
  }

  #append(key: Uint8Array): number {
    if (this.#count === this.#keysMax) this.#dropOldest();
    if (this.#count === this.#slots) this.#grow();
    const slot = (this.#head + this.#count) % this.#slots;
    this.#entries.set(key, slot * ENTRY_BYTES);
    this.#table[this.#locate(key)] = slot + 1;
    this.#count++;
    return slot;
  }

  #dropOldest(): void {
    this.#free(this.#locate(this.#keyAt(this.#head)));
    this.#head = (this.#head + 1) % this.#slots;
    this.#count--;
  }

  #grow(): void {
    const entries = Buffer.alloc(2 * this.#slots * ENTRY_BYTES);
    const headOffset = this.#head * ENTRY_BYTES;
    this.#entries.copy(entries, 0, headOffset);
    this.#entries.copy(entries, this.#entries.length - headOffset, 0, headOffset);
    this.#entries = entries;
    this.#slots *= 2;
    this.#head = 0;
    this.#table = new Int32Array(2 * this.#slots);
    for (let slot = 0; slot < this.#count; slot++) {
      this.#table[this.#locate(this.#keyAt(slot))] = slot + 1;
    }
  }

  /** Where the table holds the key, or the free place where it would stand. */
  #locate(key: Uint8Array): number {
    const mask = this.#table.length - 1;
    let place = hashOf(key) & mask;
    for (;;) {
      const slot = this.#table[place] - 1;
      if (slot === -1 || this.#keyAt(slot).equals(key)) return place;
      place = (place + 1) & mask;
    }
  }

  /** Frees a place and moves up those behind it that would not be found any more. */
  #free(place: number): void {
    const mask = this.#table.length - 1;
    let hole = place;
    for (let next = (hole + 1) & mask; this.#table[next] !== 0; next = (next + 1) & mask) {
      const home = hashOf(this.#keyAt(this.#table[next] - 1)) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      this.#table[hole] = this.#table[next];
      hole = next;
    }
    this.#table[hole] = 0;
  }

  #keyAt(slot: number): Buffer {
    const offset = slot * ENTRY_BYTES;
    return this.#entries.subarray(offset, offset + RETRY_KEY_BYTES);
  }
}

function hashOf(key: Uint8Array): number {
  return key[0] | (key[1] << 8) | (key[2] << 16) | (key[3] << 24);
}
