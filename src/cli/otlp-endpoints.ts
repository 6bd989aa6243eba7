import { formatEndpoint, isLoopback } from "../collector/config-endpoint.ts";
import { loadConfig } from "../collector/config.ts";
import type { OtlpEndpoints } from "../runtime/telemetry/otlp-exporters.ts";

/** Where the log service of this machine takes telemetry, as `dora serve` would listen. */
export function otlpEndpoints(token: string | undefined): OtlpEndpoints {
  const { otlpGrpc, otlpHttp } = loadConfig({ flags: {}, env: process.env });
  const url = (listener: typeof otlpGrpc, usual: string): string => {
    if (listener === undefined) return usual;
    const host = isLoopback(listener.host) ? listener.host : "127.0.0.1";
    const scheme = listener.tls === undefined ? "http" : "https";
    return `${scheme}://${formatEndpoint({ host, port: listener.port })}`;
  };
  return {
    grpc: url(otlpGrpc, "http://127.0.0.1:4317"),
    http: url(otlpHttp, "http://127.0.0.1:4318"),
    ...(token === undefined ? {} : { token }),
  };
}
