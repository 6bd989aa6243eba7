/** The store's contract, and the embedded store that keeps it. */
export { EmbeddedStore, type EmbeddedStoreOptions, type StoreStats } from "./embedded-store.ts";
export type { AppendRequest, AppendResult, Ingest, SignalCounters } from "./ingest.ts";
export type {
  AggregateRequest,
  AggregateResult,
  FollowBatch,
  FollowRequest,
  GroupKey,
  LogStore,
  QueryBudget,
  SearchBatch,
  SearchEnd,
  SearchRequest,
  Stat,
} from "./log-store.ts";
export type { StoreLog } from "./store-log.ts";
