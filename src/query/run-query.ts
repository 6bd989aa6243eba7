/**
 * Runs a query.
 *
 * 1. An aggregating pipe: the store groups and counts; its groups are the rows.
 * 2. Else the store searches, with the smallest limit that stands before any `sort` handed down.
 * 3. Without pipes that look into entries, the store's lines go through as they are.
 * 4. Other pipes run here, one behind the other, over parsed rows.
 */
import { AppError } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { TimeRange } from "../core/time.ts";
import type { LogStore, QueryBudget, SearchBatch, SearchEnd } from "../log-store/log-store.ts";
import type { Query } from "./parse-query.ts";
import type { AggregatingPipe, Pipe } from "./pipes.ts";
import { isAggregating, planAggregate, runPipe } from "./pipes.ts";
import type { RowBatch } from "./row.ts";
import { batchRows, parseRows, printRows } from "./row.ts";

export interface RunOptions {
  /** The table that is searched: "logs" where it is left out. */
  readonly signal?: Signal;
  readonly range: TimeRange;
  /** "newest" or "oldest" first; grouped and sorted rows have an order of their own. */
  readonly order: "newest" | "oldest";
  /** Rows of output at the most, beside the limits in the query. */
  readonly limit?: number;
  /** Goes on behind the row that this cursor of an earlier answer names. */
  readonly after?: string;
  readonly budget: QueryBudget;
}

/** A part of the answer. */
export interface OutputBatch {
  /** JSON Lines in UTF-8, one row a line, each ending in "\n". */
  readonly lines: Uint8Array;
  readonly count: number;
  /** Names the last row, for `after`; grouped and sorted rows have none. */
  readonly cursor?: string;
}

/** How the answer ended. `cursor` is set where more rows may follow. */
export type QueryEnd = SearchEnd;

/**
 * Runs a query over a store: entries, or the rows that its pipes make of them.
 *
 * Shape:  yields batches of 1 to `BATCH_ENTRIES_MAX` rows; returns how it ended.
 * Limits: `sort` holds `SORT_ENTRIES_MAX` entries and `budget.memoryBytes`, or what a limit behind
 *         it leaves.
 * Errors: `CURSOR_INVALID`, also for any cursor of a grouped or sorted query; `QUERY_TOO_LARGE`.
 * Pitfalls: when the store's part is partial, so are sorted rows and groups; the end says so.
 */
export async function* runQuery(
  store: LogStore,
  query: Query,
  options: RunOptions,
  signal: AbortSignal,
): AsyncGenerator<OutputBatch, QueryEnd> {
  const first = query.pipes.at(0);
  if (first !== undefined && isAggregating(first)) {
    return yield* runAggregate(store, query, { first, options, signal });
  }
  const search = new PlannedSearch(store, query, options);
  return search.isPassedThrough
    ? yield* search.passThrough(signal)
    : yield* search.runPipes(signal);
}

interface AggregateRun {
  readonly first: AggregatingPipe;
  readonly options: RunOptions;
  readonly signal: AbortSignal;
}

async function* runAggregate(
  store: LogStore,
  { filter, pipes }: Query,
  { first, options, signal }: AggregateRun,
): AsyncGenerator<OutputBatch, QueryEnd> {
  if (options.after !== undefined) throw refuseCursor(first);
  const { rows, ...end } = await store.aggregate(
    {
      signal: options.signal ?? "logs",
      filter,
      range: options.range,
      ...planAggregate(first),
      budget: options.budget,
    },
    signal,
  );
  yield* printBatches(chainPipes(asyncBatches(batchRows(rows)), pipes, options));
  return withoutCursor(end);
}

async function* asyncBatches(batches: Iterable<RowBatch>): AsyncGenerator<RowBatch, void> {
  yield* batches;
}

/** A search with the pipes behind it, and what of them the store can do. */
class PlannedSearch {
  readonly #store: LogStore;
  readonly #query: Query;
  readonly #options: RunOptions;
  readonly #sort: Pipe | undefined;
  /**
   * The pipes without those limits that the store keeps: a limit here would stop the search before
   * its end, and its cursor, are known.
   */
  readonly #pipes: readonly Pipe[];
  /** Rows still wanted by `limit` pipes that stand before any sort; undefined without one. */
  readonly #pipeLimit: number | undefined;
  readonly #after: string | undefined;
  #end: SearchEnd | undefined;

  constructor(store: LogStore, query: Query, options: RunOptions) {
    this.#store = store;
    this.#query = query;
    this.#options = options;
    const sortIndex = query.pipes.findIndex((pipe) => pipe.kind === "sort");
    this.#sort = query.pipes.at(sortIndex === -1 ? query.pipes.length : sortIndex);
    const unsorted = sortIndex === -1 ? query.pipes : query.pipes.slice(0, sortIndex);
    this.#pipes = query.pipes.filter((pipe) => pipe.kind !== "limit" || !unsorted.includes(pipe));
    const limit = smallestLimit(unsorted);
    const { after } = options;
    if (after !== undefined && this.#sort !== undefined) throw refuseCursor(this.#sort);
    const resumed = limit === undefined || after === undefined ? undefined : readCursor(after);
    this.#pipeLimit = resumed === undefined ? limit : Math.min(resumed.left, limit ?? Infinity);
    this.#after = resumed?.after ?? after;
  }

  /** Whether no pipe looks into entries. */
  get isPassedThrough(): boolean {
    return this.#query.pipes.every((pipe) => pipe.kind === "limit");
  }

  async *passThrough(signal: AbortSignal): AsyncGenerator<OutputBatch, QueryEnd> {
    for await (const { lines, count, cursor } of this.#search(signal)) {
      yield { lines, count, cursor };
    }
    return this.#endOf(this.#end);
  }

  async *runPipes(signal: AbortSignal): AsyncGenerator<OutputBatch, QueryEnd> {
    yield* printBatches(chainPipes(this.#rows(signal), this.#pipes, this.#ownOptions()));
    return this.#endOf(this.#end);
  }

  /** The limit of the answer is the store's to keep, save where rows are sorted first. */
  #ownOptions(): Pick<RunOptions, "budget" | "limit"> {
    return this.#sort === undefined ? { budget: this.#options.budget } : this.#options;
  }

  async *#rows(signal: AbortSignal): AsyncGenerator<RowBatch, void> {
    for await (const { lines, cursor } of this.#search(signal)) {
      yield { rows: parseRows(lines), cursor };
    }
  }

  /** The store's batches with cursors that know what is left of a limit; keeps the end. */
  async *#search(signal: AbortSignal): AsyncGenerator<SearchBatch, void> {
    if (this.#pipeLimit === 0) return;
    const options = this.#options;
    const limit = leastOf(this.#pipeLimit, this.#sort === undefined ? options.limit : undefined);
    const found = this.#store.search(
      {
        signal: options.signal ?? "logs",
        filter: this.#query.filter,
        range: options.range,
        order: options.order,
        ...(limit === undefined ? {} : { limit }),
        ...(this.#after === undefined ? {} : { after: this.#after }),
        budget: options.budget,
      },
      signal,
    );
    let left = this.#pipeLimit;
    const batches = keepEnd(found, (end) => {
      this.#end = this.#withLeft(end, left);
    });
    for await (const batch of batches) {
      if (left !== undefined) left -= batch.count;
      yield left === undefined ? batch : { ...batch, cursor: printCursor(left, batch.cursor) };
    }
  }

  /** A limit of the query itself, once reached, is the end: nothing more follows. */
  #withLeft(end: SearchEnd, left: number | undefined): SearchEnd {
    if (left === undefined || end.cursor === undefined) return end;
    if (left > 0) return { ...end, cursor: printCursor(left, end.cursor) };
    return withoutCursor(end);
  }

  #endOf(end: SearchEnd | undefined): QueryEnd {
    if (end === undefined) return NOTHING_READ;
    return this.#sort === undefined ? end : withoutCursor(end);
  }
}

const NOTHING_READ: QueryEnd = { status: "complete", reasons: [], scannedBytes: 0, scannedRows: 0 };

/** The batches of a search; its return value, which a loop does not see, goes to `onEnd`. */
async function* keepEnd(
  batches: AsyncGenerator<SearchBatch, SearchEnd>,
  onEnd: (end: SearchEnd) => void,
): AsyncGenerator<SearchBatch, void> {
  onEnd(yield* batches);
}

function chainPipes(
  source: AsyncIterable<RowBatch>,
  pipes: readonly Pipe[],
  options: Pick<RunOptions, "budget" | "limit">,
): AsyncIterable<RowBatch> {
  let batches = source;
  for (const [index, pipe] of pipes.entries()) {
    const taken = rowsTaken(pipes.slice(index + 1), options.limit);
    batches = runPipe(pipe, batches, { memoryBytes: options.budget.memoryBytes, taken });
  }
  if (options.limit === undefined) return batches;
  if (options.limit === 0) return asyncBatches([]);
  return runPipe({ kind: "limit", count: options.limit }, batches, {
    memoryBytes: options.budget.memoryBytes,
    taken: undefined,
  });
}

/** How many rows the pipes behind take of what comes; undefined where they may take all. */
function rowsTaken(behind: readonly Pipe[], limit: number | undefined): number | undefined {
  const sortIndex = behind.findIndex((pipe) => pipe.kind === "sort");
  if (sortIndex !== -1) return smallestLimit(behind.slice(0, sortIndex));
  return leastOf(smallestLimit(behind), limit);
}

function smallestLimit(pipes: readonly Pipe[]): number | undefined {
  let least: number | undefined;
  for (const pipe of pipes) if (pipe.kind === "limit") least = leastOf(least, pipe.count);
  return least;
}

function leastOf(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

async function* printBatches(batches: AsyncIterable<RowBatch>): AsyncGenerator<OutputBatch, void> {
  for await (const { rows, cursor } of batches) {
    if (rows.length === 0) continue;
    const batch = { lines: printRows(rows), count: rows.length };
    yield cursor === undefined ? batch : { ...batch, cursor };
  }
}

function withoutCursor({ status, reasons, scannedBytes, scannedRows }: SearchEnd): QueryEnd {
  return { status, reasons, scannedBytes, scannedRows };
}

/** The cursor of a query with a `limit` pipe also says how many rows that still allows. */
function printCursor(left: number, cursor: string): string {
  return `${left}~${cursor}`;
}

function readCursor(text: string): { readonly left: number; readonly after: string } {
  const [, left, after] = /^(\d{1,15})~(.+)$/s.exec(text) ?? [];
  if (left !== undefined && after !== undefined) return { left: Number(left), after };
  throw new AppError(
    "CURSOR_INVALID",
    "this cursor is not of an answer of this query: the query has a limit, and the cursor has none",
  );
}

function refuseCursor(pipe: Pipe): AppError {
  return new AppError(
    "CURSOR_INVALID",
    `an answer of "${pipe.kind}" has no cursors: leave the cursor out, or use "limit"`,
  );
}
