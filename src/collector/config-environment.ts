import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "./config-file.ts";
import { parseLogLevel } from "./config-schema.ts";
import type { LogLevel } from "../telemetry/logger.ts";

/** The service's name where nobody gives another. */
const SERVICE_NAME_DEFAULT = "dora-serve";

/** What the standard OpenTelemetry variables say. */
export interface OtelEnvironment {
  /** `service.name` among them, `OTEL_SERVICE_NAME` winning over `OTEL_RESOURCE_ATTRIBUTES`. */
  readonly resourceAttributes: ReadonlyMap<string, string>;
  readonly logLevel: LogLevel | undefined;
  /** What was ignored, a sentence each: these variables never stop a process. */
  readonly warnings: readonly string[];
}

/**
 * Reads `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_LOG_LEVEL`: an empty value is
 * unset, what cannot be read is ignored with a warning, and one bad entry discards the whole of
 * `OTEL_RESOURCE_ATTRIBUTES`.
 *
 * Source: OpenTelemetry specification, sdk-environment-variables.md, resource/sdk.md (OTLPX-007).
 */
export function readOtelEnvironment(env: Environment): OtelEnvironment {
  const warnings: string[] = [];
  const attributes = new Map<string, string>();
  const list = env["OTEL_RESOURCE_ATTRIBUTES"] ?? "";
  const entries = list === "" ? [] : list.split(",").map(parseEntry);
  if (entries.includes(undefined)) {
    warnings.push("OTEL_RESOURCE_ATTRIBUTES is ignored: an entry is not key=value");
  } else {
    for (const entry of entries) if (entry !== undefined) attributes.set(...entry);
  }
  const name = env["OTEL_SERVICE_NAME"] ?? "";
  if (name !== "") attributes.set("service.name", name);
  if (!attributes.has("service.name")) attributes.set("service.name", SERVICE_NAME_DEFAULT);
  const levelName = env["OTEL_LOG_LEVEL"] ?? "";
  const logLevel = parseLogLevel(levelName);
  if (levelName !== "" && logLevel === undefined) {
    warnings.push("OTEL_LOG_LEVEL is ignored: it is none of debug, info, warn, error");
  }
  return { resourceAttributes: attributes, logLevel, warnings };
}

function parseEntry(entry: string): [string, string] | undefined {
  const [, key = "", value = ""] = /^([^=]+)=([^=]*)$/.exec(entry) ?? [];
  if (key.trim() === "") return undefined;
  try {
    return [decodeURIComponent(key.trim()), decodeURIComponent(value.trim())];
  } catch {
    return undefined;
  }
}

/** Where a store lies when nobody says: `$XDG_DATA_HOME/dora`, else `~/.local/share/dora`. */
export function defaultDataDirectory(env: Environment): string {
  const dataHome = env["XDG_DATA_HOME"] ?? "";
  // The base directory specification has relative paths ignored.
  if (dataHome.startsWith("/")) return join(dataHome, "dora");
  const home = env["HOME"] ?? "";
  return join(home === "" ? homedir() : home, ".local", "share", "dora");
}
