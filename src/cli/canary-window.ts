import { assert } from "../core/assert.ts";

/** What is known of one number. */
export const ACKNOWLEDGED = 1;
export const PUSHED = 2;
export const FOUND = 4;
export const DOUBLED = 8;

/**
 * What is known of the latest numbers, in memory that never grows: a ring that slides.
 *
 *     0 ......... first ............. end .........
 *     judged and     known: a byte      not given
 *     forgotten      and two times each     yet
 *
 * Concurrency: one thread.
 */
export class CanaryWindow {
  readonly capacity: number;
  readonly #flags: Uint8Array;
  readonly #sentUnixMs: Float64Array;
  readonly #acknowledgedMs: Float64Array;
  #first = 0;
  #end = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#flags = new Uint8Array(capacity);
    this.#sentUnixMs = new Float64Array(capacity);
    this.#acknowledgedMs = new Float64Array(capacity);
  }

  get first(): number {
    return this.#first;
  }

  get end(): number {
    return this.#end;
  }

  /** How many numbers may be given before some are judged. */
  get room(): number {
    return this.capacity - (this.#end - this.#first);
  }

  holds(number: number): boolean {
    return number >= this.#first && number < this.#end;
  }

  /** Gives the next number. */
  give(sentUnixMs: number): number {
    assert(this.room > 0, "a number was given that the window has no room for");
    const number = this.#end++;
    this.#flags[number % this.capacity] = 0;
    this.#sentUnixMs[number % this.capacity] = sentUnixMs;
    return number;
  }

  /** Forgets all numbers below. */
  slideTo(number: number): void {
    assert(number >= this.#first && number <= this.#end, "the window slides forward only");
    this.#first = number;
  }

  has(number: number, flag: number): boolean {
    return (this.#flags[number % this.capacity] & flag) !== 0;
  }

  set(number: number, flag: number): void {
    this.#flags[number % this.capacity] |= flag;
  }

  acknowledge(number: number, nowMs: number): void {
    this.set(number, ACKNOWLEDGED);
    this.#acknowledgedMs[number % this.capacity] = nowMs;
  }

  /** On the monotonic clock. */
  acknowledgedMs(number: number): number {
    return this.#acknowledgedMs[number % this.capacity];
  }

  sentUnixMs(number: number): number {
    return this.#sentUnixMs[number % this.capacity];
  }
}
