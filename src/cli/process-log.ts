import { hostname } from "node:os";
import { parseLogLevel } from "../collector/config-schema.ts";
import { AppError } from "../core/errors.ts";
import { systemClock } from "../core/clock.ts";
import type { Logger, LogLevel, LogSink } from "../telemetry/logger.ts";
import { createLogger, JsonLinesSink, LOG_LEVELS } from "../telemetry/logger.ts";
import { readVersion } from "./version.ts";

export interface ProcessLogFlags {
  readonly logLevel?: string;
}

/**
 * The log of a coordinator or daemon: JSON Lines on standard error. On a terminal only warnings,
 * unless `--log-level` or `DORA_LOG_LEVEL` says otherwise. Errors: `USAGE`.
 */
export function processLog(
  name: string,
  flags: ProcessLogFlags,
  sinks: readonly LogSink[] = [],
): Logger {
  const resource = new Map(Object.entries(processResource(name)));
  return createLogger({
    level: readLevel(flags),
    sinks: [new JsonLinesSink(resource), ...sinks],
    clock: systemClock,
  });
}

/** What records of the process say of it. */
export function processResource(name: string): Readonly<Record<string, string>> {
  return {
    "service.name": process.env["OTEL_SERVICE_NAME"] || name,
    "service.version": readVersion(),
    "host.name": hostname(),
  };
}

function readLevel(flags: ProcessLogFlags): LogLevel {
  const text = flags.logLevel ?? (process.env["DORA_LOG_LEVEL"] || undefined);
  if (text === undefined) return process.stderr.isTTY ? "warn" : "info";
  const level = parseLogLevel(text);
  if (level !== undefined) return level;
  throw new AppError("USAGE", `--log-level must be one of ${LOG_LEVELS.join(", ")}, got "${text}"`);
}
