import type { Signal } from "../core/record.ts";
import type { Block } from "./block.ts";
import { fieldColumn } from "./field-column.ts";
import type { Stat } from "./log-store.ts";
import type { Codes } from "./row-codes.ts";
import { numberOf } from "./value-test.ts";

/** What one stat over a field's numbers has gathered for each group. */
export class StatTotals {
  readonly #stat: Exclude<Stat, { kind: "count" }>;
  readonly #signal: Signal;
  readonly #sums: number[] = [];
  readonly #counts: number[] = [];
  readonly #least: number[] = [];
  readonly #greatest: number[] = [];

  constructor(stat: Exclude<Stat, { kind: "count" }>, signal: Signal) {
    this.#stat = stat;
    this.#signal = signal;
  }

  /** Adds the matching rows; row `i` is in the group `groups[codes[i]]`. */
  add(
    { block, mask }: { readonly block: Block; readonly mask: Uint8Array },
    codes: Codes,
    groups: Int32Array,
  ): void {
    const column = fieldColumn(this.#stat.field, this.#signal, block);
    const valueCodes = column.kind === "coded" ? column.codes : undefined;
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      const [value] = column.valuesOf(valueCodes === undefined ? row : valueCodes[row]);
      const number = numberOf(value ?? null);
      if (number !== undefined) this.#add(groups[codes[row]], number);
    }
  }

  #add(group: number, value: number): void {
    this.#counts[group] = (this.#counts[group] ?? 0) + 1;
    this.#sums[group] = (this.#sums[group] ?? 0) + value;
    this.#least[group] = Math.min(this.#least[group] ?? value, value);
    this.#greatest[group] = Math.max(this.#greatest[group] ?? value, value);
  }

  /** Null where no row of the group had a number. */
  result(group: number): number | null {
    const count = this.#counts[group] ?? 0;
    if (count === 0) return null;
    switch (this.#stat.kind) {
      case "sum":
        return this.#sums[group];
      case "avg":
        return this.#sums[group] / count;
      case "min":
        return this.#least[group];
      case "max":
        return this.#greatest[group];
    }
  }
}
