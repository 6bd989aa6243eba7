import type { Logger } from "../telemetry/logger.ts";

/** Where the store says what happened: damage, seals, retention. */
export type StoreLog = Pick<Logger, "info" | "warn" | "error">;

/** For a store that nobody listens to. Its own, so that reading a folder loads no logging library. */
export const silentLog: StoreLog = { info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // Says nothing.
}
