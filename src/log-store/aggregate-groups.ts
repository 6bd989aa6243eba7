import type { Json } from "../core/any-value.ts";
import { checkGroupCount, KeyValues } from "./aggregate-key.ts";
import { StatTotals } from "./aggregate-stat.ts";
import type { AggregateRequest, AggregateResult } from "./log-store.ts";
import type { RowCodes } from "./row-codes.ts";
import { joinCodes, uniformCodes } from "./row-codes.ts";
import type { MatchedBlock } from "./scan.ts";

/** Memory that one group takes, about; for the budget. */
const GROUP_BYTES = 200;

/**
 * The groups so far. A block's rows get a code for what they have in all keys, rows are counted by
 * code in an array, and only then each code that occurs is looked up as a group.
 */
export class Groups {
  readonly #request: AggregateRequest;
  readonly #keys: readonly KeyValues[];
  /** One for each key but the first: what was joined before it, with its own values. */
  readonly #joints: readonly PairNumbers[];
  /** Rows of each group. */
  readonly #counts: number[] = [];
  /** For each stat: its totals, or undefined for a count. */
  readonly #totals: readonly (StatTotals | undefined)[];

  constructor(request: AggregateRequest) {
    const { by, stats, signal } = request;
    this.#request = request;
    this.#keys = by.map((key) => new KeyValues(key, signal));
    this.#joints = by.slice(1).map(() => new PairNumbers());
    this.#totals = stats.map((stat) =>
      stat.kind === "count" ? undefined : new StatTotals(stat, signal),
    );
    // Without keys there is one group, even of no rows.
    if (by.length === 0) this.#counts.push(0);
  }

  /** Why the groups must not grow any more, or undefined. */
  exhausted(): string | undefined {
    const count = this.#counts.length;
    const { memoryBytes } = this.#request.budget;
    if (count * GROUP_BYTES <= memoryBytes) return undefined;
    return `stopped at ${count} groups, its memory of ${memoryBytes} bytes is used up`;
  }

  /**
   * Adds the rows that match. With `weights` each stands for so many.
   *
   * Errors: `QUERY_TOO_LARGE`.
   */
  add({ block, mask }: Pick<MatchedBlock, "block" | "mask">, weights?: Uint32Array): void {
    let joined: RowCodes | undefined;
    for (const [index, key] of this.#keys.entries()) {
      const own = key.codesOf(block, mask);
      if (joined === undefined) joined = own;
      else joined = joinCodes(joined, own, mask, this.#joints[index - 1].numberOf);
    }
    joined ??= uniformCodes(mask.length);
    const rows = joined.count(mask, weights);
    for (let code = 0; code < rows.length; code++) {
      if (rows[code] === 0) continue;
      const group = joined.numberOf(code);
      this.#counts[group] = (this.#counts[group] ?? 0) + rows[code];
    }
    if (this.#totals.every((totals) => totals === undefined)) return;
    const { numberOf } = joined;
    const groups = Int32Array.from(rows, (count, code) => (count === 0 ? -1 : numberOf(code)));
    const codes = joined.codes();
    for (const totals of this.#totals) totals?.add({ block, mask }, codes, groups);
  }

  /** Adds so many rows, where there are no keys and only counts. */
  addUngrouped(count: number): void {
    this.#counts[0] += count;
  }

  /** The answer: groups ordered by their keys. */
  rows(): AggregateResult["rows"] {
    const groups = Array.from(this.#counts, (count, group) => ({
      group,
      count,
      values: this.#valuesOf(group),
    }));
    groups.sort((left, right) => this.#compare(left.values, right.values));
    return groups.map((one) => this.#row(one));
  }

  /** The number of each key's value in a group. */
  #valuesOf(group: number): readonly number[] {
    const values: number[] = [];
    let rest = group;
    for (const joint of this.#joints.toReversed()) {
      values.unshift(joint.right(rest));
      rest = joint.left(rest);
    }
    return this.#keys.length === 0 ? [] : [rest, ...values];
  }

  #compare(left: readonly number[], right: readonly number[]): number {
    for (const [index, key] of this.#keys.entries()) {
      const order = key.compare(left[index], right[index]);
      if (order !== 0) return order;
    }
    return 0;
  }

  #row({
    group,
    count,
    values,
  }: {
    readonly group: number;
    readonly count: number;
    readonly values: readonly number[];
  }): { readonly [name: string]: Json } {
    const row: [string, Json][] = [];
    for (const [index, key] of this.#keys.entries()) {
      row.push([key.name, key.shown(values[index])]);
    }
    for (const [index, { name }] of this.#request.stats.entries()) {
      const totals = this.#totals[index];
      row.push([name, totals === undefined ? count : totals.result(group)]);
    }
    return Object.fromEntries(row);
  }
}

/** More than `GROUPS_MAX`, and so small that most pairs are small integers, which maps like best. */
const RADIX = 2 ** 17;

/** Pairs of numbers, numbered as they are met. */
class PairNumbers {
  readonly #numbers = new Map<number, number>();
  readonly #pairs: number[] = [];

  readonly numberOf = (left: number, right: number): number => {
    const pair = left * RADIX + right;
    const known = this.#numbers.get(pair);
    if (known !== undefined) return known;
    checkGroupCount(this.#pairs.length + 1);
    const number = this.#pairs.push(pair) - 1;
    this.#numbers.set(pair, number);
    return number;
  };

  left(number: number): number {
    return Math.floor(this.#pairs[number] / RADIX);
  }

  right(number: number): number {
    return this.#pairs[number] % RADIX;
  }
}
