import { hostname } from "node:os";
import { randomUUID } from "node:crypto";
import { formatEndpoint } from "../collector/config-endpoint.ts";
import type { ServeConfig } from "../collector/config.ts";
import { MemoryLimiter } from "../collector/memory-limiter.ts";
import { OtlpGrpcReceiver } from "../collector/otlp-grpc.ts";
import { OtlpHttpReceiver } from "../collector/otlp-http.ts";
import { ReceiverStats } from "../collector/receiver-stats.ts";
import type { AttributeMap } from "../core/any-value.ts";
import { systemClock } from "../core/clock.ts";
import type { Signal } from "../core/record.ts";
import { EmbeddedStore } from "../log-store/embedded-store.ts";
import type { Ingest } from "../log-store/ingest.ts";
import { ApiServer } from "../server/api-server.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createLogger, JsonLinesSink } from "../telemetry/logger.ts";
import { ServiceMetrics } from "../telemetry/metrics.ts";
import { SelfLog } from "../telemetry/self-log.ts";
import { ListenerFiles } from "./listener-files.ts";
import { removeServiceFile, writeServiceFile } from "./service-file.ts";
import { readVersion } from "./version.ts";

/** How long each step of stopping may take; together below the 5 s that are promised (PIPE-014). */
const RECEIVERS_CLOSE_MS = 1500;
const SELF_LOG_CLOSE_MS = 500;
const API_CLOSE_MS = 500;

/** What listens where. */
export interface ServiceAddresses {
  readonly otlpGrpc: string | undefined;
  /** With `https://` where it speaks TLS. */
  readonly otlpHttp: string | undefined;
  readonly api: string | undefined;
}

interface Opened {
  readonly name: string;
  close(): Promise<void>;
}

/**
 * The log service: store, own telemetry, query API and receivers, started in this order and stopped
 * in reverse, so that what comes in always finds everything behind it (PIPE-014).
 *
 * Errors: `start` throws what its parts throw, after closing those that had started.
 */
export class Service {
  readonly addresses: ServiceAddresses;
  readonly log: Logger;
  /** In the order in which they were opened. */
  readonly #opened: readonly Opened[];
  readonly #state: { isReady: boolean };

  private constructor(
    parts: Pick<Service, "addresses" | "log">,
    opened: readonly Opened[],
    state: { isReady: boolean },
  ) {
    this.addresses = parts.addresses;
    this.log = parts.log;
    this.#opened = opened;
    this.#state = state;
  }

  static async start(config: ServeConfig): Promise<Service> {
    const opened: Opened[] = [];
    const state = { isReady: false };
    try {
      const parts = await open(config, opened, () => state.isReady);
      state.isReady = true;
      return new Service(parts, opened, state);
    } catch (error) {
      await closeAll(opened, undefined);
      throw error;
    }
  }

  /** Stops taking, flushes and closes. A part that fails to close is logged, and the rest goes on. */
  async close(): Promise<void> {
    this.#state.isReady = false;
    this.log.info("service stops");
    await closeAll(this.#opened, this.log);
  }
}

async function open(
  config: ServeConfig,
  opened: Opened[],
  isReady: () => boolean,
): Promise<Pick<Service, "addresses" | "log">> {
  const clock = systemClock;
  const version = readVersion();
  const startedMs = clock.monotonicMs();
  const resource = ownResource(config, version);
  const selfLog = new SelfLog(resource, clock);
  const log = createLogger({
    level: config.logLevel,
    sinks: [new JsonLinesSink(resource), selfLog],
    clock,
  });
  const files = new ListenerFiles();
  const [grpc, http, api] = [
    config.otlpGrpc && (await files.load(config.otlpGrpc)),
    config.otlpHttp && (await files.load(config.otlpHttp)),
    config.api && (await files.load(config.api)),
  ];

  const store = await EmbeddedStore.open({
    directory: config.dataDirectory,
    clock,
    ...(config.retentionMs === undefined ? {} : { retentionMs: config.retentionMs }),
    log,
  });
  opened.push({ name: "store", close: () => store.close() });
  selfLog.attach(store);
  opened.push({ name: "own log", close: () => withDeadline(selfLog.close(), SELF_LOG_CLOSE_MS) });

  const limiter = new MemoryLimiter({ ...config.memory, clock });
  const stats = new ReceiverStats();
  const metrics = new ServiceMetrics({
    version,
    startedUnixMs: Date.now() - process.uptime() * 1000,
    counts: () => store.counters(),
    requests: () => stats.snapshot(),
    inFlightBytes: () => limiter.inFlightBytes,
    selfLogDrops: () => selfLog.drops,
    store: () => store.stats(),
  });

  const listening: Record<string, string> = {};
  const apiServer =
    api &&
    (await ApiServer.start({
      ...api,
      store,
      metrics,
      clock,
      log,
      isReady,
      service: () => ({ version, uptimeMs: clock.monotonicMs() - startedMs, listening }),
    }));
  if (apiServer !== undefined) {
    opened.push({ name: "query API", close: () => apiServer.close(API_CLOSE_MS) });
  }

  const receiving = { limiter, stats, log, ingest: onlySignals(store, config.signals) };
  const receivers: { close(deadlineMs: number): Promise<void> }[] = [];
  opened.push({
    name: "receivers",
    close: async () => {
      await Promise.all(receivers.map((receiver) => receiver.close(RECEIVERS_CLOSE_MS)));
    },
  });
  const grpcReceiver = grpc && (await OtlpGrpcReceiver.start({ ...grpc, ...receiving }));
  if (grpcReceiver !== undefined) receivers.push(grpcReceiver);
  const httpReceiver = http && (await OtlpHttpReceiver.start({ ...http, ...receiving }));
  if (httpReceiver !== undefined) receivers.push(httpReceiver);

  const addresses: ServiceAddresses = {
    otlpGrpc: grpcReceiver && formatEndpoint(grpcReceiver.address),
    otlpHttp:
      httpReceiver && `${http?.tls ? "https://" : ""}${formatEndpoint(httpReceiver.address)}`,
    api: apiServer?.url,
  };
  Object.assign(listening, definedOnly(addresses));
  await writeServiceFile(config.dataDirectory, addresses.api);
  opened.push({ name: "service file", close: () => removeServiceFile(config.dataDirectory) });
  for (const warning of config.warnings) log.warn("a setting is ignored", { warning });
  log.info("service started", { version, directory: config.dataDirectory, ...listening });
  return { addresses, log };
}

/** Closes in reverse order. */
async function closeAll(opened: readonly Opened[], log: Logger | undefined): Promise<void> {
  for (const part of [...opened].reverse()) {
    try {
      await part.close();
    } catch (error) {
      log?.error("a part of the service failed to close", { part: part.name, error });
    }
  }
}

/** What the service's own records say of it. */
function ownResource(config: ServeConfig, version: string): AttributeMap {
  return new Map<string, string | bigint>([
    ["service.version", version],
    ["service.instance.id", randomUUID()],
    ["host.name", hostname()],
    ["process.pid", BigInt(process.pid)],
    ...config.resourceAttributes,
  ]);
}

/** Refuses the signals that no pipeline takes. */
function onlySignals(ingest: Ingest, signals: readonly Signal[]): Ingest {
  return {
    append: async (request) =>
      signals.includes(request.signal)
        ? ingest.append(request)
        : { status: "invalid", message: `no pipeline takes ${request.signal}` },
  };
}

/** Resolves at the deadline at the latest; the work itself goes on. */
async function withDeadline(work: Promise<void>, deadlineMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, deadlineMs);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

function definedOnly(addresses: ServiceAddresses): Readonly<Record<string, string>> {
  const { otlpGrpc, otlpHttp, api } = addresses;
  return {
    ...(otlpGrpc === undefined ? {} : { otlp_grpc: otlpGrpc }),
    ...(otlpHttp === undefined ? {} : { otlp_http: otlpHttp }),
    ...(api === undefined ? {} : { api }),
  };
}
