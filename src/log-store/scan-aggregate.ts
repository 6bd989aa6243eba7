import type { AnyValue, Json } from "../core/any-value.ts";
import { anyValueToText } from "../core/any-value.ts";
import { AppError } from "../core/errors.ts";
import { DAY_NS, formatUnixNs } from "../core/time.ts";
import type { Block } from "./block.ts";
import { fieldColumn } from "./field-column.ts";
import type { AggregateRequest, AggregateResult, GroupKey, Stat } from "./log-store.ts";
import { GROUPS_MAX } from "./log-store.ts";
import { compileFilter } from "./predicate.ts";
import { QueryMeter } from "./query-meter.ts";
import type { MatchedBlock, ScanContext } from "./scan.ts";
import { blocksOf, guarded, matchBlock, sourcesOf, TimeBounds } from "./scan.ts";
import type { Snapshot } from "./snapshot.ts";
import { numberOf } from "./value-test.ts";

/** Memory that one group takes, about; for the budget. */
const GROUP_BYTES = 200;

/**
 * Groups and counts the matching rows of a snapshot.
 *
 * Shape: yields undefined after each block so that other work gets its turn; returns the groups,
 *        ordered by their keys. When its budget is spent it returns what it has, as partial.
 */
export function* aggregateSnapshot(
  snapshot: Snapshot,
  request: AggregateRequest,
  context: ScanContext,
): Generator<undefined, AggregateResult> {
  const meter = new QueryMeter(request.budget, context.nowMs);
  const query = {
    predicate: compileFilter(request.filter, request.signal),
    bounds: new TimeBounds(request.range),
    meter,
  };
  const groups = new Groups(request);
  let stopped: string | undefined;
  const waiting = sourcesOf(snapshot, query.bounds);
  for (;;) {
    stopped = meter.exhausted() ?? groups.exhausted();
    const source = stopped === undefined ? waiting.pop() : undefined;
    if (source === undefined) break;
    if (source.kind === "segment") {
      waiting.push(...blocksOf(source, snapshot, query, context));
    } else {
      const matched = matchBlock(source, snapshot, query, context);
      if (matched !== undefined) guarded(meter, undefined, () => groups.add(matched));
    }
    meter.pause();
    yield undefined;
    meter.resume();
  }
  return { ...meter.end(stopped, undefined), rows: groups.rows() };
}

/** The groups so far. Each key's values are numbered; a group is a number too. */
class Groups {
  readonly #request: AggregateRequest;
  readonly #keys: readonly KeyColumn[];
  /** For each key: (group so far, value) to the group they make. */
  readonly #steps: readonly Map<number, number>[];
  /** For each group of the last step: the values of its keys. */
  readonly #parts: number[][] = [];
  readonly #counts: number[] = [];
  /** For each stat that looks at a field, for each group. */
  readonly #totals: readonly StatTotals[];

  constructor(request: AggregateRequest) {
    this.#request = request;
    this.#keys = request.by.map((key) => new KeyColumn(key, request));
    this.#steps = request.by.map(() => new Map<number, number>());
    this.#totals = request.stats.map((stat) => new StatTotals(stat, request));
    if (request.by.length === 0) this.#open([]);
  }

  exhausted(): string | undefined {
    const bytes = this.#parts.length * GROUP_BYTES;
    if (bytes <= this.#request.budget.memoryBytes) return undefined;
    return `stopped at ${this.#parts.length} groups, its memory of ${this.#request.budget.memoryBytes} bytes is used up`;
  }

  add({ block, mask }: MatchedBlock): void {
    const readers = this.#keys.map((key) => key.reader(block));
    const stats = this.#totals.map((totals) => totals.reader(block));
    for (let row = 0; row < mask.length; row++) {
      if (mask[row] === 0) continue;
      const group = this.#groupOf(readers, row);
      this.#counts[group] += 1;
      for (const stat of stats) stat(group, row);
    }
  }

  #groupOf(readers: readonly ((row: number) => number)[], row: number): number {
    let group = 0;
    for (const [index, reader] of readers.entries()) {
      const part = reader(row);
      const step = this.#steps[index];
      const key = group * STEP + part;
      let next = step.get(key);
      if (next === undefined) {
        const isLast = index === readers.length - 1;
        next = isLast ? this.#open(readers.map((read) => read(row))) : step.size;
        step.set(key, next);
      }
      group = next;
    }
    return group;
  }

  #open(parts: number[]): number {
    if (this.#parts.length >= GROUPS_MAX) throw tooManyGroups();
    this.#parts.push(parts);
    this.#counts.push(0);
    return this.#parts.length - 1;
  }

  rows(): AggregateResult["rows"] {
    const order = Array.from(this.#parts.keys());
    order.sort((left, right) => this.#compare(this.#parts[left], this.#parts[right]));
    return order.map((group) => this.#row(group));
  }

  #compare(left: readonly number[], right: readonly number[]): number {
    for (const [index, key] of this.#keys.entries()) {
      const order = key.compare(left[index], right[index]);
      if (order !== 0) return order;
    }
    return 0;
  }

  #row(group: number): { readonly [name: string]: Json } {
    const row: [string, Json][] = [];
    for (const [index, key] of this.#keys.entries()) {
      row.push([key.name, key.shown(this.#parts[group][index])]);
    }
    for (const totals of this.#totals) {
      row.push([totals.stat.name, totals.result(group, this.#counts[group])]);
    }
    return Object.fromEntries(row);
  }
}

/** More than any key has values, so that (group, value) is one exact number. */
const STEP = 2 ** 24;

function tooManyGroups(): AppError {
  return new AppError("QUERY_TOO_LARGE", `the answer has more than ${GROUPS_MAX} groups`);
}

/** One part of a group's key: its values, numbered as they are met. */
class KeyColumn {
  readonly name: string;
  readonly #key: GroupKey;
  readonly #signal: AggregateRequest["signal"];
  readonly #numbers = new Map<string | null, number>();
  readonly #values: (string | null)[] = [];

  constructor(key: GroupKey, request: AggregateRequest) {
    this.name = key.name;
    this.#key = key;
    this.#signal = request.signal;
  }

  /** The number of a row's value; rows without one share a number whose value is null. */
  reader(block: Block): (row: number) => number {
    if (this.#key.kind === "time") return this.#timeReader(block, this.#key.intervalNs);
    const column = fieldColumn(this.#key.field, this.#signal, block);
    if (column.kind === "rows") return (row) => this.#numberOf(column.valuesOf(row));
    const numbers = new Int32Array(column.codeCount).fill(-1);
    return (row) => {
      const code = column.codes[row];
      if (numbers[code] < 0) numbers[code] = this.#numberOf(column.valuesOf(code));
      return numbers[code];
    };
  }

  #numberOf(values: readonly AnyValue[]): number {
    const [value] = values;
    return this.#number(value === undefined ? null : anyValueToText(value));
  }

  #number(value: string | null): number {
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    if (this.#values.length >= GROUPS_MAX) throw tooManyGroups();
    const number = this.#values.push(value) - 1;
    this.#numbers.set(value, number);
    return number;
  }

  /** Intervals count from 1970; a day's first interval is worked out once a day. */
  #timeReader(block: Block, intervalNs: bigint): (row: number) => number {
    const { day, ns } = block.time("time");
    const interval = Number(intervalNs);
    let knownDay = -1;
    let first = 0;
    let offset = 0;
    let knownInterval = -1;
    let knownNumber = 0;
    return (row) => {
      if (day[row] !== knownDay) {
        knownDay = day[row];
        const midnight = BigInt(knownDay) * BigInt(DAY_NS);
        first = Number(midnight / intervalNs);
        offset = Number(midnight % intervalNs);
      }
      const index = first + Math.floor((offset + ns[row]) / interval);
      if (index !== knownInterval) {
        knownInterval = index;
        knownNumber = this.#number(formatUnixNs(BigInt(index) * intervalNs));
      }
      return knownNumber;
    };
  }

  shown(number: number): string | null {
    return this.#values[number];
  }

  compare(left: number, right: number): number {
    const [a, b] = [this.#values[left], this.#values[right]];
    if (a === b) return 0;
    if (a === null || b === null) return a === null ? 1 : -1;
    return a < b ? -1 : 1;
  }
}

/** What one stat has gathered for each group. */
class StatTotals {
  readonly stat: Stat;
  readonly #signal: AggregateRequest["signal"];
  readonly #sums: number[] = [];
  readonly #counts: number[] = [];
  readonly #least: number[] = [];
  readonly #greatest: number[] = [];

  constructor(stat: Stat, request: AggregateRequest) {
    this.stat = stat;
    this.#signal = request.signal;
  }

  reader(block: Block): (group: number, row: number) => void {
    if (this.stat.kind === "count") return () => undefined;
    const column = fieldColumn(this.stat.field, this.#signal, block);
    return (group, row) => {
      const values = column.valuesOf(column.kind === "coded" ? column.codes[row] : row);
      const number = numberOf(values[0] ?? null);
      if (number !== undefined) this.#add(group, number);
    };
  }

  #add(group: number, value: number): void {
    this.#counts[group] = (this.#counts[group] ?? 0) + 1;
    this.#sums[group] = (this.#sums[group] ?? 0) + value;
    this.#least[group] = Math.min(this.#least[group] ?? value, value);
    this.#greatest[group] = Math.max(this.#greatest[group] ?? value, value);
  }

  /** Null where no row of the group had a number. */
  result(group: number, rows: number): number | null {
    const count = this.#counts[group] ?? 0;
    if (this.stat.kind === "count") return rows;
    if (count === 0) return null;
    switch (this.stat.kind) {
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
