/** Which of dora's processes answer, and who has their ports. */
import { z } from "zod";
import { formatEndpoint, isLoopback } from "../collector/config-endpoint.ts";
import type { ServeConfig } from "../collector/config.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { Check, ServiceFacts } from "./doctor-checks.ts";
import * as checks from "./doctor-checks.ts";
import { clockSkewMs, lookAtPort } from "./doctor-facts.ts";
import { readVersion } from "./version.ts";

const ANSWER_TIMEOUT_MS = 3_000;
const VersionSchema = z.object({ version: z.string() });
const ReadySchema = z.object({ status: z.enum(["ready", "not ready"]) });

/** Ports, then telemetry, coordinator and daemons, with their versions. */
export async function lookAtProcesses(
  client: CoordinatorClient,
  config: ServeConfig,
): Promise<readonly Check[]> {
  const version = readVersion();
  const telemetry = await askTelemetry(config, client.token);
  const health = await client.health();
  const daemons =
    typeof health === "object" ? await client.daemons().catch(() => undefined) : undefined;
  const coordinator: ServiceFacts = {
    check: "coordinator",
    where: client.url,
    answer: health,
    version,
    isLocal: client.isLocal,
  };
  return [
    ...(await telemetryPorts(config, typeof telemetry?.answer === "object")),
    ...(client.isLocal ? [await coordinatorPort(client, health)] : []),
    ...(telemetry === undefined ? [] : [checks.checkService({ ...telemetry, version })]),
    checks.checkService(coordinator),
    ...checks.checkDaemons(daemons, version),
    ...checks.checkClock(
      typeof health === "object" ? await clockSkewMs(client.route("/healthz")) : undefined,
    ),
  ];
}

/** Those that belong to the program that answers queries are ours. */
async function telemetryPorts(
  config: ServeConfig,
  isAnswering: boolean,
): Promise<readonly Check[]> {
  const listeners = [
    { listener: config.api, what: "queries", variable: "DORA_API" },
    { listener: config.otlpGrpc, what: "OTLP/gRPC", variable: "DORA_OTLP_GRPC" },
    { listener: config.otlpHttp, what: "OTLP/HTTP", variable: "DORA_OTLP_HTTP" },
  ];
  const found: Check[] = [];
  let service: string | undefined;
  for (const { listener, what, variable } of listeners) {
    if (listener === undefined) continue;
    const { host, port } = listener;
    const facts = await lookAtPort(
      { label: `${port} (${what})`, variable, host, port },
      (owner) => isAnswering && (service === undefined || service === owner),
    );
    service ??= facts.owner;
    found.push(checks.checkPort(facts));
  }
  return found;
}

async function coordinatorPort(
  client: CoordinatorClient,
  health: Awaited<ReturnType<CoordinatorClient["health"]>>,
): Promise<Check> {
  const { hostname, port } = new URL(client.url);
  const facts = await lookAtPort(
    {
      label: `${port || 80} (coordinator)`,
      variable: "DORA_COORDINATOR",
      host: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port || 80),
    },
    () => typeof health === "object",
  );
  return checks.checkPort(facts);
}

/** Undefined where the configuration has no query service. */
async function askTelemetry(
  { api }: ServeConfig,
  token: string | undefined,
): Promise<Omit<ServiceFacts, "version"> | undefined> {
  if (api === undefined) return undefined;
  const host = isLoopback(api.host) ? api.host : "127.0.0.1";
  const scheme = api.tls === undefined ? "http" : "https";
  const where = `${scheme}://${formatEndpoint({ host, port: api.port })}`;
  const ready = await ask(`${where}/readyz`, undefined);
  const of = { check: "telemetry", where, isLocal: true };
  if (ready === "nothing") return { ...of, answer: "nothing" };
  if (!ReadySchema.safeParse(ready).success) return { ...of, answer: "stranger" };
  const status = VersionSchema.safeParse(await ask(`${where}/api/v1/status`, token));
  return { ...of, answer: { version: status.success ? status.data.version : undefined } };
}

/** What is answered as JSON; undefined where it is none, or nothing comes in time. */
async function ask(url: string, token: string | undefined): Promise<unknown> {
  try {
    const response = await fetch(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return await response.json();
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const isRefused = cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
    return isRefused ? "nothing" : undefined;
  }
}
