import type { Signal } from "../core/record.ts";
import type { TimeRange } from "../core/time.ts";
import type { Query } from "../query/parse-query.ts";

/** Answers queries: a running service, or the folder of a store that no service has open. */
export interface LogSource {
  /** How messages call it: "the service at http://127.0.0.1:6014". */
  readonly name: string;
  /** The flags by which another command asks the same source. */
  readonly flags: readonly string[];
  /** Runs a query; each batch is whole lines of JSON. */
  run(request: LogsRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, AnswerEnd>;
  /** The newest `backlog` records that match, then those that come, until aborted. */
  follow(request: FollowLogsRequest, signal: AbortSignal): AsyncGenerator<FollowEvent, void>;
  /** A trace as `TraceTree` in JSON. Errors: `NOT_FOUND`. */
  readTrace(traceId: string, signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

export interface LogsRequest {
  /** "logs" where it is left out. */
  readonly table?: Signal;
  readonly query: Query;
  readonly range: TimeRange;
  readonly order: "newest" | "oldest";
  /** Rows at the most, 1 or more; without it the answer may take as long as its reader does. */
  readonly limit?: number;
}

export interface AnswerEnd {
  readonly status: "complete" | "partial";
  readonly reasons: readonly string[];
}

export interface FollowLogsRequest {
  readonly query: Query;
  readonly backlog: number;
}

export type FollowEvent =
  | { readonly kind: "entries"; readonly lines: Uint8Array }
  /** The service dropped this many records because we were slow. */
  | { readonly kind: "missed"; readonly count: number };
