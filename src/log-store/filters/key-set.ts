/**
 * The distinct keys of a block, in an open table of pairs. Emptied and used again for the next
 * block.
 */
export class KeySet {
  /** Pairs of high and low; a low of 0 is an empty place. */
  #places = new Uint32Array(2 * PLACES_MIN);
  count = 0;

  add(high: number, low: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let at = (2 * low) & mask;
    while (places[at + 1] !== 0) {
      if (places[at] === high && places[at + 1] === low) return;
      at = (at + 2) & mask;
    }
    places[at] = high;
    places[at + 1] = low;
    this.count += 1;
    if (4 * this.count > places.length) this.#grow();
  }

  /** Calls for each key, in no order. */
  forEach(visit: (high: number, low: number) => void): void {
    const places = this.#places;
    for (let at = 0; at < places.length; at += 2) {
      if (places[at + 1] !== 0) visit(places[at], places[at + 1]);
    }
  }

  clear(): void {
    this.#places.fill(0);
    this.count = 0;
  }

  #grow(): void {
    const before = this.#places;
    this.#places = new Uint32Array(2 * before.length);
    this.count = 0;
    for (let at = 0; at < before.length; at += 2) {
      if (before[at + 1] !== 0) this.add(before[at], before[at + 1]);
    }
  }
}

const PLACES_MIN = 1024;
