import type { Clock } from "../../core/clock.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { RunTelemetry } from "../protocol/run-telemetry.ts";
import type { RuntimeEvent } from "../protocol/status.ts";
import type { ProcessGuard } from "./process-guard.ts";
import type { ProcessRecord } from "./process-record.ts";
import type { Timers } from "./timers.ts";

/** What a daemon gives to all that it runs. */
export interface RunContext {
  readonly machine: string;
  /** The daemon's private folder. */
  readonly folder: string;
  readonly socketPath: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly otlpEndpoint: string;
  readonly startTimeoutMs: number;
  readonly gateway: Gateway;
  readonly guard: ProcessGuard;
  readonly record: ProcessRecord;
  readonly telemetry: RunTelemetry;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Logger;
  readonly emit: (event: RuntimeEvent) => void;
}

/** An event without its time and dataflow. */
export type EventBody = RuntimeEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, "atUnixMs" | "dataflow">
    : never
  : never;

export function unixMs(clock: Clock): number {
  return Number(clock.nowUnixNs() / 1_000_000n);
}
