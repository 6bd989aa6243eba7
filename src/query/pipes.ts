import type { KnownColumns } from "./column.ts";
import type { Scanner } from "./lexer.ts";
import type { AggregatePlan, RowLimits } from "./pipe.ts";
import type { CountPipe } from "./pipe-count.ts";
import { countPipe } from "./pipe-count.ts";
import type { FieldsPipe } from "./pipe-fields.ts";
import { fieldsPipe } from "./pipe-fields.ts";
import type { LimitPipe } from "./pipe-limit.ts";
import { limitPipe } from "./pipe-limit.ts";
import type { SortPipe } from "./pipe-sort.ts";
import { sortPipe } from "./pipe-sort.ts";
import type { StatsPipe } from "./pipe-stats.ts";
import { statsPipe } from "./pipe-stats.ts";
import type { TopPipe } from "./pipe-top.ts";
import { topPipe } from "./pipe-top.ts";
import type { RowBatch } from "./row.ts";

/** Counts entries into groups; the store runs it. */
export type AggregatingPipe = CountPipe | StatsPipe | TopPipe;
export type Pipe = AggregatingPipe | FieldsPipe | LimitPipe | SortPipe;

/** What reading a pipe takes. */
interface PipeParser {
  readonly keyword: string;
  readonly usage: string;
  parse(scanner: Scanner, known: KnownColumns): Pipe;
}

const PARSERS: readonly PipeParser[] = [
  countPipe,
  fieldsPipe,
  limitPipe,
  sortPipe,
  statsPipe,
  topPipe,
];

/** Every pipe by its keyword. */
export const PIPES: ReadonlyMap<string, PipeParser> = new Map(
  PARSERS.map((parser) => [parser.keyword, parser]),
);

export function isAggregating(pipe: Pipe): pipe is AggregatingPipe {
  return pipe.kind === "count" || pipe.kind === "stats" || pipe.kind === "top";
}

export function printPipe(pipe: Pipe): string {
  switch (pipe.kind) {
    case "count":
      return countPipe.print(pipe);
    case "stats":
      return statsPipe.print(pipe);
    case "top":
      return topPipe.print(pipe);
    case "fields":
      return fieldsPipe.print(pipe);
    case "sort":
      return sortPipe.print(pipe);
    case "limit":
      return limitPipe.print(pipe);
  }
}

/** The columns that rows have behind `pipe`; undefined while they are entries. */
export function columnsAfter(pipe: Pipe, known: KnownColumns): KnownColumns {
  switch (pipe.kind) {
    case "count":
      return countPipe.columns(pipe, known);
    case "stats":
      return statsPipe.columns(pipe, known);
    case "top":
      return topPipe.columns(pipe, known);
    case "fields":
      return fieldsPipe.columns(pipe, known);
    case "sort":
      return sortPipe.columns(pipe, known);
    case "limit":
      return limitPipe.columns(pipe, known);
  }
}

/** What the store is asked for. */
export function planAggregate(pipe: AggregatingPipe): AggregatePlan {
  switch (pipe.kind) {
    case "count":
      return countPipe.plan(pipe);
    case "stats":
      return statsPipe.plan(pipe);
    case "top":
      return topPipe.plan(pipe);
  }
}

/** Runs a pipe over rows: for an aggregating one, over the groups that the store gave. */
export function runPipe(
  pipe: Pipe,
  batches: AsyncIterable<RowBatch>,
  limits: RowLimits,
): AsyncIterable<RowBatch> {
  switch (pipe.kind) {
    case "count":
    case "stats":
      return batches;
    case "top":
      return topPipe.run(pipe, batches, limits);
    case "fields":
      return fieldsPipe.run(pipe, batches, limits);
    case "sort":
      return sortPipe.run(pipe, batches, limits);
    case "limit":
      return limitPipe.run(pipe, batches, limits);
  }
}
