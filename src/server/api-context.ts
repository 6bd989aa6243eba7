import type { TokenAuthenticator } from "../collector/authentication.ts";
import type { Clock } from "../core/clock.ts";
import type { Signal } from "../core/record.ts";
import type { SignalCounters } from "../log-store/ingest.ts";
import type { LogStore } from "../log-store/log-store.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ApiLimits } from "./limits.ts";
import type { QuerySlots } from "./query-slots.ts";

/** The store that the API reads, and the law it keeps. */
export interface ApiStore extends LogStore {
  counters(): Readonly<Record<Signal, SignalCounters>>;
}

/** Renders the service's own metrics for an `Accept` header (PRM-001). */
export interface MetricsRenderer {
  renderMetrics(
    accept: string | undefined,
  ): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** What every route works with. */
export interface ApiContext {
  readonly store: ApiStore;
  readonly metrics: MetricsRenderer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: ApiLimits;
  readonly authenticator: TokenAuthenticator | undefined;
  readonly slots: QuerySlots;
  isReady(): boolean;
  /** What `/api/v1/status` says of the service itself. */
  service(): ServiceStatus;
}

export interface ServiceStatus {
  readonly version: string;
  readonly uptimeMs: number;
  /** What listens where, by name: "api", "otlp_http" and so on. */
  readonly listening: Readonly<Record<string, string>>;
}
