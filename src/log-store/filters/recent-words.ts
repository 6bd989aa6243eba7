const PLACE_BITS = 14;

/**
 * Remembers short words, as groups of four bytes, so that those that come again and again are
 * hashed once: most words of logs are small numbers. A word takes the place of another one, and
 * none is taken for another one.
 */
export class RecentWords {
  readonly #places = new Int32Array(2 * 2 ** PLACE_BITS);

  /** Whether the word is remembered; from now on it is. No word's first group is 0. */
  has(first: number, second: number): boolean {
    const hash = Math.imul(first ^ Math.imul(second, 0x85eb_ca6b), 0x9e37_79b1);
    const place = (hash >>> (32 - PLACE_BITS)) * 2;
    const places = this.#places;
    if (places[place] === first && places[place + 1] === second) return true;
    places[place] = first;
    places[place + 1] = second;
    return false;
  }

  clear(): void {
    this.#places.fill(0);
  }
}
