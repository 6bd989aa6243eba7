import type { Signal } from "../core/record.ts";

/** Where receivers hand requests over. The embedded store implements it. */
export interface Ingest {
  /**
   * Validates a request, journals it and stores its records. Resolves once the request is on disk,
   * never before. Decoding happens in the call, synchronously, before it returns.
   *
   * Concurrency: any number of calls at once; they share one sync.
   * Pitfalls: keeps `body` until it resolves; the caller must not write to it.
   */
  append(request: AppendRequest): Promise<AppendResult>;
}

export interface AppendRequest {
  readonly signal: Signal;
  /** An OTLP `Export*ServiceRequest` in protobuf, decompressed. */
  readonly body: Uint8Array;
  /** Who sent it ("" where there is no authentication); part of the retry key. */
  readonly principal: string;
}

export type AppendResult =
  /** On disk. `rejectedCount` of the records were not stored, and `message` says why. */
  | {
      readonly status: "stored";
      readonly receivedCount: number;
      readonly rejectedCount: number;
      readonly message: string;
    }
  /** The bytes are no such request: nothing was stored, sending again will not help. */
  | { readonly status: "invalid"; readonly message: string }
  /** Nothing was stored; the same request may go through later. */
  | { readonly status: "unavailable"; readonly message: string; readonly retryAfterMs: number };

/**
 * The law, for one signal: received = stored + rejected + filtered + deduplicated + dropped + pending,
 * exact at any instant and across kills. Since the store was created.
 */
export interface SignalCounters {
  readonly received: number;
  readonly stored: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly deduplicated: number;
  /** Received, then lost before they were on disk, as in a failed sync; the sender was told. */
  readonly dropped: number;
  /** Received, not yet on disk. */
  readonly pending: number;
  /** Of the stored ones: removed by retention. */
  readonly expired: number;
  /** Of the stored ones: in files that were found damaged and set aside. */
  readonly damaged: number;
}
