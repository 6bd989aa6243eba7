import type { Dictionary } from "./block.ts";
import { PerOwner } from "./block.ts";

/** Something made of each entry of a dictionary on first use, and kept with the dictionary. */
export class EntryParts<T> {
  readonly #make: (dictionary: Dictionary, id: number) => T;
  readonly #perDictionary = new PerOwner<Dictionary, (T | undefined)[]>(() => []);

  constructor(make: (dictionary: Dictionary, id: number) => T) {
    this.#make = make;
  }

  of(dictionary: Dictionary, id: number): T {
    const parts = this.#perDictionary.of(dictionary);
    return (parts[id] ??= this.#make(dictionary, id));
  }
}
