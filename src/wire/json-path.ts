/** Characters of a path that an error shows; of a longer one both ends. */
const PATH_TEXT_MAX = 240;

/**
 * Where in a JSON text a reader is: the keys and list indexes above it, as
 * `resourceLogs[0].scopeLogs[2].schemaUrl`. Moving costs a store; the text is made for errors only.
 */
export class JsonPath {
  readonly #keys: string[] = [];
  readonly #indexes: number[] = [];
  #depth = 0;

  /** Goes down to a key. Pair with `pop`. */
  push(key: string): void {
    this.#keys[this.#depth] = key;
    this.#indexes[this.#depth] = -1;
    this.#depth += 1;
  }

  pop(): void {
    this.#depth -= 1;
  }

  /** Sets which element of the list under the last key the reader is at. */
  setIndex(index: number): void {
    this.#indexes[this.#depth - 1] = index;
  }

  toString(): string {
    const parts: string[] = [];
    for (let depth = 0; depth < this.#depth; depth++) {
      const index = this.#indexes[depth];
      parts.push(index < 0 ? this.#keys[depth] : `${this.#keys[depth]}[${index}]`);
    }
    const text = parts.join(".");
    if (text.length <= PATH_TEXT_MAX) return text;
    return `${text.slice(0, PATH_TEXT_MAX / 2)}...${text.slice(-PATH_TEXT_MAX / 2)}`;
  }
}
