import type { Filter, FieldRef } from "../core/filter.ts";
import type { Json } from "../core/any-value.ts";
import type { Signal } from "../core/record.ts";
import type { TimeRange } from "../core/time.ts";

/**
 * The contract that every store keeps: the embedded engine now, Elasticsearch later. Reading only;
 * how records get in differs (the engine through its journal, Elasticsearch through an exporter).
 *
 * What crosses it is JSON Lines of entries (`LogEntry`, `SpanEntry`), not record objects: workers,
 * the HTTP API and the command line all hand the same bytes on.
 *
 * Concurrency: any number of searches at once; each sees the records committed when it began.
 */
export interface LogStore {
  /**
   * Streams the records that match, ordered by (time, seq).
   *
   * Shape:  batches of 1 to `BATCH_ENTRIES_MAX` entries; returns the end once nothing is left, at
   *         `limit`, or when the budget is spent.
   * Errors: `CURSOR_INVALID`; a damaged block is skipped and named in the end's `reasons`.
   */
  search(request: SearchRequest, signal: AbortSignal): AsyncGenerator<SearchBatch, SearchEnd>;

  /** Groups and counts the records that match. Errors: `QUERY_TOO_LARGE` past `GROUPS_MAX` groups. */
  aggregate(request: AggregateRequest, signal: AbortSignal): Promise<AggregateResult>;

  /**
   * Follows the records that match: first the newest `backlog` of those committed, oldest first,
   * then each commit's hits in the order of their commit, with no gap and none twice.
   *
   * Limits: holds at most `bufferBytesMax` for a reader that does not take; what it must drop is
   *         counted and told in the batch's `missed`.
   */
  follow(request: FollowRequest, signal: AbortSignal): AsyncGenerator<FollowBatch, void>;
}

export interface SearchRequest {
  readonly signal: Signal;
  readonly filter: Filter;
  readonly range: TimeRange;
  /** "newest" or "oldest" first. */
  readonly order: "newest" | "oldest";
  /** Entries at the most; undefined is no limit. */
  readonly limit?: number;
  /** Go on after the entry that this cursor names. */
  readonly after?: string;
  readonly budget: QueryBudget;
}

/** What a query may cost. At a limit it stops and its end says `partial`. */
export interface QueryBudget {
  readonly timeMs: number;
  /** Bytes read from disk and decompressed. */
  readonly scanBytes: number;
  /** Bytes of memory that groups may take. */
  readonly memoryBytes: number;
}

export interface SearchBatch {
  /** JSON Lines in UTF-8, one entry a line, each ending in "\n". */
  readonly lines: Uint8Array;
  readonly count: number;
  /** Names the last entry of this batch: a search with `after` goes on behind it. */
  readonly cursor: string;
}

export interface SearchEnd {
  readonly status: "complete" | "partial";
  /** Why it is partial: one sentence each. */
  readonly reasons: readonly string[];
  /** Set where more may follow: at the limit, or when partial. */
  readonly cursor?: string;
  readonly scannedBytes: number;
  readonly scannedRows: number;
}

export interface AggregateRequest {
  readonly signal: Signal;
  readonly filter: Filter;
  readonly range: TimeRange;
  readonly by: readonly GroupKey[];
  readonly stats: readonly Stat[];
  readonly budget: QueryBudget;
}

/** One part of a group's key. */
export type GroupKey =
  | { readonly kind: "field"; readonly field: FieldRef; readonly name: string }
  /** The start of the interval that holds the record's time, as ISO 8601. */
  | { readonly kind: "time"; readonly intervalNs: bigint; readonly name: string };

/** One figure a group has. All but `count` look at values that are numbers, or strings that are. */
export type Stat =
  | { readonly kind: "count"; readonly name: string }
  | {
      readonly kind: "sum" | "min" | "max" | "avg";
      readonly field: FieldRef;
      readonly name: string;
    };

export interface AggregateResult extends SearchEnd {
  /** One object a group: the keys' names, then the stats' names; ordered by the keys. */
  readonly rows: readonly { readonly [name: string]: Json }[];
}

export interface FollowRequest {
  readonly signal: Signal;
  readonly filter: Filter;
  /** How many of the newest matching records to give first. */
  readonly backlog: number;
  readonly bufferBytesMax: number;
}

export interface FollowBatch {
  readonly lines: Uint8Array;
  readonly count: number;
  /** Matches that came after these and were dropped, because the reader was slow. */
  readonly missed: number;
}

/** Entries in one batch of a search at the most. */
export const BATCH_ENTRIES_MAX = 1000;

/** Groups of one aggregation at the most. */
export const GROUPS_MAX = 100_000;
