import type { QueryBudget } from "../log-store/log-store.ts";

/** What one client, or all of them, may hold of the query API (SEC-006, SEC-015). */
export interface ApiLimits {
  /** What a query may cost where it asks for nothing else. */
  readonly budget: QueryBudget;
  /** The most that `timeout_ms`, `scan_bytes` and `memory_bytes` may ask for. */
  readonly budgetMax: QueryBudget;
  /** Queries that one principal runs at once; without authentication, one address. */
  readonly queriesPerPrincipalMax: number;
  /** Live searches that one principal follows at once, and all of them together. */
  readonly livePerPrincipalMax: number;
  readonly liveMax: number;
  /** Bytes of entries that wait in the store for one reader of a live search. */
  readonly liveBufferBytesMax: number;
  /** Bytes that wait in the socket of a live search beyond which its pings stay unanswered. */
  readonly liveControlBytesMax: number;
  /** A client of a live search is asked this often whether it is there, */
  readonly pingIntervalMs: number;
  /** and given up when it was silent for so long. */
  readonly silentMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly idleMs: number;
  readonly connectionsMax: number;
}

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export const API_LIMITS: ApiLimits = {
  budget: { timeMs: 30_000, scanBytes: 64 * GIB, memoryBytes: 256 * MIB },
  budgetMax: { timeMs: 3_600_000, scanBytes: 1024 * GIB, memoryBytes: 1024 * MIB },
  queriesPerPrincipalMax: 8,
  livePerPrincipalMax: 32,
  liveMax: 256,
  liveBufferBytesMax: 4 * MIB,
  liveControlBytesMax: 64 * 1024,
  pingIntervalMs: 30_000,
  // A pager that stands still stops reading: patient enough to come back to it.
  silentMs: 600_000,
  headersMs: 15_000,
  requestMs: 60_000,
  idleMs: 72_000,
  connectionsMax: 1_024,
};

/** The body of a POST: room for a query of `QUERY_BYTES_MAX` in which every byte is escaped. */
export const BODY_BYTES_MAX = 64 * 1024;

/** One message from a client of a live search, which has nothing to say. */
export const LIVE_MESSAGE_BYTES_MAX = 1024;

/** Records that a live search may begin with. */
export const LIVE_BACKLOG_MAX = 10_000;

/** Points of one histogram (SEC-015). */
export const HISTOGRAM_POINTS_MAX = 11_000;

/** Points that a histogram with `interval=auto` stays under. */
export const HISTOGRAM_POINTS_AUTO_MAX = 120;
