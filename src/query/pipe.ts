import type { GroupKey, Stat } from "../log-store/log-store.ts";
import type { KnownColumns } from "./column.ts";
import type { Scanner } from "./lexer.ts";
import type { RowBatch } from "./row.ts";

/** What every pipe can do. One file a pipe; src/query/pipes.ts lists them. */
interface PipeSpec<P> {
  readonly keyword: string;
  /** One form of it, for messages: "limit N". */
  readonly usage: string;
  /** Reads what follows the keyword. `known` are the columns that the pipes before it give. */
  parse(scanner: Scanner, known: KnownColumns): P;
  /** The pipe in the language, without the bar. */
  print(pipe: P): string;
  /** The columns that it gives. */
  columns(pipe: P, known: KnownColumns): KnownColumns;
}

/** A pipe that the store runs: it counts entries into groups, and so stands first. */
export interface AggregatingPipeSpec<P> extends PipeSpec<P> {
  plan(pipe: P): AggregatePlan;
}

export interface AggregatePlan {
  readonly by: readonly GroupKey[];
  readonly stats: readonly Stat[];
}

/** A pipe that runs over rows, here. */
export interface RowPipeSpec<P> extends PipeSpec<P> {
  run(pipe: P, batches: AsyncIterable<RowBatch>, limits: RowLimits): AsyncIterable<RowBatch>;
}

/** What a pipe that must hold rows may hold. */
export interface RowLimits {
  readonly memoryBytes: number;
  /** Only so many rows of its output are taken; undefined is all of them. */
  readonly taken: number | undefined;
}
