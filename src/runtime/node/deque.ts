/** Items that were taken are cut off once they are so many, and half of all. */
const TAKEN_MAX = 1024;

/** First in, first out, each in constant time whatever the length. */
export class Deque<Item> {
  #items: (Item | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    if (this.#start === this.#items.length) return undefined;
    const item = this.#items[this.#start];
    this.#items[this.#start] = undefined;
    this.#start++;
    if (this.#start === this.#items.length) {
      this.#items.length = 0;
      this.#start = 0;
    } else if (this.#start >= TAKEN_MAX && this.#start * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  /** Takes out the first of such items; the usual one stands at the front. */
  removeFirst(isSuch: (item: Item) => boolean): Item | undefined {
    for (let index = this.#start; index < this.#items.length; index++) {
      const item = this.#items[index];
      if (item === undefined || !isSuch(item)) continue;
      if (index === this.#start) return this.shift();
      this.#items.splice(index, 1);
      return item;
    }
    return undefined;
  }
}
