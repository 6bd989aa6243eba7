import { formatEndpoint, isLoopback } from "../collector/config-endpoint.ts";
import { loadConfig, type ServeConfig } from "../collector/config.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where this machine's log service answers: `DORA_URL`, else where `dora serve` listens by its configuration.
 *
 * Errors: `CONFIG_INVALID`
 */
export function telemetryUrl(environment: Environment): string {
  const own = environment["DORA_URL"] ?? "";
  if (own !== "") return own;
  return ownServiceUrl(loadConfig({ flags: {}, env: environment }).api);
}

/** Where `dora serve` of this machine answers to its programs, by its configuration. */
export function ownServiceUrl(api: ServeConfig["api"]): string {
  const host = api === undefined || !isLoopback(api.host) ? "127.0.0.1" : api.host;
  const scheme = api?.tls === undefined ? "http" : "https";
  return `${scheme}://${formatEndpoint({ host, port: api?.port ?? 0 })}`;
}
