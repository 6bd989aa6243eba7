import type { AnyValue } from "../core/any-value.ts";
import { anyValueToText } from "../core/any-value.ts";
import { AppError } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import { DAY_NS, formatUnixNs } from "../core/time.ts";
import type { Block, TimeColumn } from "./block.ts";
import type { FieldColumn } from "./field-column.ts";
import { fieldColumn } from "./field-column.ts";
import type { GroupKey } from "./log-store.ts";
import { GROUPS_MAX } from "./log-store.ts";
import type { RowCodes } from "./row-codes.ts";
import { ArrayCodes } from "./row-codes.ts";

/** Errors: `QUERY_TOO_LARGE`. */
export function checkGroupCount(count: number): void {
  if (count <= GROUPS_MAX) return;
  throw new AppError("QUERY_TOO_LARGE", `the answer has more than ${GROUPS_MAX} groups`);
}

/** One part of a group's key: its values, numbered as they are met. */
export class KeyValues {
  readonly name: string;
  readonly #key: GroupKey;
  readonly #signal: Signal;
  readonly #numbers = new Map<string | null, number>();
  readonly #values: (string | null)[] = [];
  /** For a time key: the number of each interval since 1970. */
  readonly #intervals = new Map<number, number>();
  /** The numbers of the codes that were last met, -1 where not yet; blocks of a segment share them. */
  #known: { readonly owner: object; readonly numbers: Int32Array } = {
    owner: this,
    numbers: new Int32Array(0),
  };

  constructor(key: GroupKey, signal: Signal) {
    this.name = key.name;
    this.#key = key;
    this.#signal = signal;
  }

  /** The values of a block's rows; rows without one share a number whose value is null. */
  codesOf(block: Block, mask: Uint8Array): RowCodes {
    if (this.#key.kind === "time") {
      return this.#intervalCodes(block.time("time"), this.#key.intervalNs);
    }
    const column = fieldColumn(this.#key.field, this.#signal, block);
    return column.kind === "coded" ? this.#columnCodes(column) : this.#valueCodes(column, mask);
  }

  #columnCodes(column: Extract<FieldColumn, { kind: "coded" }>): RowCodes {
    const { codes, codeCount, owner } = column;
    const isKnown = this.#known.owner === owner && this.#known.numbers.length >= codeCount;
    const numbers = isKnown ? this.#known.numbers : new Int32Array(codeCount).fill(-1);
    this.#known = { owner, numbers };
    return new ArrayCodes(codes, codeCount, (code) => {
      if (numbers[code] < 0) numbers[code] = this.#numberOf(column.valuesOf(code));
      return numbers[code];
    });
  }

  /** Each matching row's value is read; its number in all blocks is its code. */
  #valueCodes(column: Extract<FieldColumn, { kind: "rows" }>, mask: Uint8Array): RowCodes {
    const codes = new Uint32Array(mask.length);
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 1) codes[row] = this.#numberOf(column.valuesOf(row));
    }
    return new ArrayCodes(codes, Math.max(1, this.#values.length), (code) => code);
  }

  /** Intervals count from 1970. Rows mostly stand by time: most are in the interval before. */
  #intervalCodes({ day, ns }: TimeColumn, intervalNs: bigint): RowCodes {
    const codes = new Uint32Array(ns.length);
    const interval = Number(intervalNs);
    const codeOf = new Map<number, number>();
    const indexes: number[] = [];
    // Of the day at hand: the interval that holds its midnight, and how far into it that is.
    let knownDay = -1;
    let first = 0;
    let offset = 0;
    // The interval at hand, in nanoseconds of the day.
    let from = 0;
    let to = 0;
    let code = 0;
    for (let row = 0; row < codes.length; row++) {
      if (day[row] !== knownDay) {
        knownDay = day[row];
        const midnight = BigInt(knownDay) * BigInt(DAY_NS);
        first = Number(midnight / intervalNs);
        offset = Number(midnight % intervalNs);
        to = 0;
      }
      if (ns[row] < from || ns[row] >= to) {
        const ahead = Math.floor((offset + ns[row]) / interval);
        from = ahead * interval - offset;
        to = from + interval;
        code = codeOf.get(first + ahead) ?? indexes.push(first + ahead) - 1;
        codeOf.set(first + ahead, code);
      }
      codes[row] = code;
    }
    const codeCount = Math.max(1, indexes.length);
    return new ArrayCodes(codes, codeCount, (known) =>
      this.#intervalNumber(indexes[known], intervalNs),
    );
  }

  #intervalNumber(index: number, intervalNs: bigint): number {
    const known = this.#intervals.get(index);
    if (known !== undefined) return known;
    const number = this.#number(formatUnixNs(BigInt(index) * intervalNs));
    this.#intervals.set(index, number);
    return number;
  }

  #numberOf(values: readonly AnyValue[]): number {
    const [value] = values;
    return this.#number(value === undefined ? null : anyValueToText(value));
  }

  #number(value: string | null): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    checkGroupCount(this.#values.length + 1);
    const number = this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    return number;
  }

  shown(number: number): string | null {
    return this.#values[number];
  }

  /** The order of the answer: by text, rows without a value last. */
  compare(left: number, right: number): number {
    const [a, b] = [this.#values[left], this.#values[right]];
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -1 : 1;
  }
}
