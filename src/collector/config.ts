import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { AppError, errorMessage } from "../core/errors.ts";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import { parseDurationNs } from "../core/time.ts";
import type { LogLevel } from "../telemetry/logger.ts";
import type { EffectiveConfig } from "./config-check.ts";
import { checkConfig } from "./config-check.ts";
import type { Endpoint } from "./config-endpoint.ts";
import { formatEndpoint, isLoopback, parseEndpoint } from "./config-endpoint.ts";
import { defaultDataDirectory, readOtelEnvironment } from "./config-environment.ts";
import type { ConfigFileResult, Environment } from "./config-file.ts";
import { CONFIG_BYTES_MAX, readConfigFile } from "./config-file.ts";
import type { ServeFlags } from "./config-layers.ts";
import { applyEnvironment, applyFlags, defaultLayer, usedId } from "./config-layers.ts";
import type { ConfigFault, ConfigMap } from "./config-node.ts";
import {
  DEFAULT_ORIGIN,
  entriesAt,
  formatFault,
  layOver,
  nodeAt,
  setAt,
  toConfigNode,
  toPlain,
} from "./config-node.ts";
import * as schema from "./config-schema.ts";

export { defaultDataDirectory } from "./config-environment.ts";
export type { ServeFlags } from "./config-layers.ts";

/** Everything that `dora serve` needs to start. */
export interface ServeConfig {
  readonly dataDirectory: string;
  /** Age at which records are removed; undefined keeps them for ever. */
  readonly retentionMs: number | undefined;
  /** The signals that a pipeline takes; requests for others are refused. */
  readonly signals: readonly Signal[];
  readonly otlpGrpc: ListenerConfig | undefined;
  readonly otlpHttp: ListenerConfig | undefined;
  readonly api: ListenerConfig | undefined;
  readonly memory: MemoryConfig;
  readonly logLevel: LogLevel;
  /** Resource attributes of the service's own telemetry, `service.name` among them. */
  readonly resourceAttributes: ReadonlyMap<string, string>;
  /** What was ignored, to be logged once the service runs. */
  readonly warnings: readonly string[];
}

export interface ListenerConfig extends Endpoint {
  readonly tls: TlsFiles | undefined;
  /** Undefined: anyone who reaches the address may use it. */
  readonly token: TokenSource | undefined;
  readonly requestBytesMax: number;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export type TokenSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "value"; readonly token: string };

interface MemoryConfig {
  readonly hardLimitBytes: number;
  readonly spikeBytes: number;
  readonly inFlightBytesMax: number;
  readonly checkIntervalMs: number;
}

export interface ConfigSources {
  /** Wins over the flag's and the environment's. */
  readonly file?: string | undefined;
  readonly flags: ServeFlags;
  readonly env: Environment;
}

/** A configuration with all that `dora config print` shows of it. */
export interface LoadedConfig {
  readonly config: ServeConfig;
  /** Names the origin of every value that is no default. */
  readonly root: ConfigMap;
  readonly effective: EffectiveConfig;
}

/**
 * Merges defaults, file, environment and flags, the later ones winning.
 *
 * Errors: `CONFIG_INVALID` with all faults, each with its place; `LISTEN_UNSAFE` for an address
 *         beyond this machine without a token and TLS (SEC-001).
 */
export function loadConfig(sources: ConfigSources): ServeConfig {
  return loadConfigTree(sources).config;
}

export function loadConfigTree({ file, flags, env }: ConfigSources): LoadedConfig {
  const root = defaultLayer();
  const path = file ?? flags.config ?? (env["DORA_CONFIG"] || undefined);
  if (path !== undefined) {
    const read = readFile(path, env);
    if (read.faults.length > 0) throw invalid(read.faults);
    layOver(root, read.root);
  }
  applyEnvironment(root, env);
  applyFlags(root, flags);
  fillDefaults(root, env);
  const checked = checkConfig(root);
  if (checked.status === "invalid") throw invalid(checked.faults);
  const config = toServeConfig(root, env);
  if (flags.insecureListen !== true) assertListenSafe(config);
  return { config, root, effective: checked.effective };
}

function readFile(path: string, env: Environment): ConfigFileResult {
  let text: string;
  try {
    const handle = openSync(path, "r");
    try {
      const { size } = fstatSync(handle);
      if (size > CONFIG_BYTES_MAX) {
        throw new AppError(
          "CONFIG_INVALID",
          `the configuration file ${path} has ${size} bytes, more than ${CONFIG_BYTES_MAX}`,
        );
      }
      text = readFileSync(handle, "utf8");
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (error instanceof AppError) throw error;
    const message = `cannot read the configuration file ${path}: ${errorMessage(error)}`;
    throw new AppError("CONFIG_INVALID", message, { cause: error });
  }
  return readConfigFile(path, text, env);
}

function invalid(faults: readonly ConfigFault[]): AppError {
  const lines = faults.map(formatFault);
  const message =
    lines.length === 1
      ? `the configuration has a fault: ${lines.join()}`
      : `the configuration has ${lines.length} faults:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  return new AppError("CONFIG_INVALID", message);
}

const MEBIBYTE = 1024 * 1024;

/** Where nobody sets a limit: this share of the memory the process may use, and at most so much. */
const LIMIT_SHARE = 0.75;
const LIMIT_MIB_MAX = 2048;
const SPIKE_PERCENTAGE = 20;

/** One request of the largest size always fits, with what it inflates from. */
const IN_FLIGHT_BYTES_MIN = REQUEST_BYTES_MAX + 16 * MEBIBYTE;

/** The memory this process may use: the machine's, or less inside a container. */
function memoryMib(): number {
  // 0, or more than the machine has, where there is no constraint.
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(bytes / MEBIBYTE);
}

/** Defaults that depend on the machine, written into the tree so that they are printed too. */
function fillDefaults(root: ConfigMap, env: Environment): void {
  const fill = (path: readonly string[], value: string | number) => {
    const before = nodeAt(root, path);
    if (before === undefined) setAt(root, path, toConfigNode(value, DEFAULT_ORIGIN));
  };
  for (const id of entriesAt(root, ["exporters"]).keys()) {
    if (id.split("/", 1)[0] !== "log_store") continue;
    fill(["exporters", id, "directory"], defaultDataDirectory(env));
  }
  const limiter = ["processors", usedId(root, "processors", "memory_limiter")];
  if (nodeAt(root, limiter) === undefined) return;
  if (nodeAt(root, [...limiter, "limit_percentage"]) === undefined) {
    const limit = Math.max(64, Math.min(Math.floor(memoryMib() * LIMIT_SHARE), LIMIT_MIB_MAX));
    fill([...limiter, "limit_mib"], limit);
  }
  if (nodeAt(root, [...limiter, "spike_limit_mib"]) === undefined) {
    fill([...limiter, "spike_limit_percentage"], SPIKE_PERCENTAGE);
  }
}

/** Reads the settings out of a tree that was checked. */
function toServeConfig(root: ConfigMap, env: Environment): ServeConfig {
  const component = (section: schema.Section, type: string) => {
    const node = nodeAt(root, [section, usedId(root, section, type)]);
    return node === undefined ? {} : toPlain(node);
  };
  const service = schema.service.parse(toPlain(nodeAt(root, ["service"]) ?? root));
  const otlp = schema.otlpReceiver.parse(component("receivers", "otlp"));
  const store = schema.logStore.parse(component("exporters", "log_store"));
  const limiter = schema.memoryLimiter.parse(component("processors", "memory_limiter"));
  const { grpc, http } = otlp.protocols;
  const isApiOn = service.extensions.some((id) => id.split("/", 1)[0] === "query_api");
  const otel = readOtelEnvironment(env);
  return {
    dataDirectory: store.directory,
    retentionMs: store.retention === "none" ? undefined : durationMs(store.retention),
    signals: signalsOf(Object.keys(service.pipelines)),
    otlpGrpc: grpc && listener(root, grpc, grpc.max_recv_msg_size_mib * MEBIBYTE),
    otlpHttp: http && listener(root, http, http.max_request_body_size),
    api: isApiOn
      ? listener(root, schema.queryApi.parse(component("extensions", "query_api")), MEBIBYTE)
      : undefined,
    memory: memoryConfig(limiter),
    logLevel: service.telemetry.logs.level,
    resourceAttributes: otel.resourceAttributes,
    warnings: otel.warnings,
  };
}

function signalsOf(pipelines: readonly string[]): readonly Signal[] {
  return SIGNALS.filter((signal) =>
    pipelines.some((id) => id === signal || id.startsWith(`${signal}/`)),
  );
}

function listener(
  root: ConfigMap,
  settings: schema.QueryApiSettings,
  requestBytesMax: number,
): ListenerConfig {
  const endpoint = parseEndpoint(settings.endpoint);
  if ("problem" in endpoint) throw new AppError("CONFIG_INVALID", endpoint.problem);
  const tls = settings.tls && {
    certFile: settings.tls.cert_file,
    keyFile: settings.tls.key_file,
  };
  const token = settings.auth && tokenSource(root, settings.auth.authenticator);
  return { ...endpoint, tls, token, requestBytesMax };
}

function tokenSource(root: ConfigMap, authenticator: string): TokenSource | undefined {
  const node = nodeAt(root, ["extensions", authenticator]);
  const { token, filename } = schema.bearerTokenAuth.parse(node === undefined ? {} : toPlain(node));
  if (filename !== undefined) return { kind: "file", path: filename };
  return token === undefined ? undefined : { kind: "value", token };
}

function memoryConfig(settings: schema.MemoryLimiterSettings): MemoryConfig {
  const percentage = settings.limit_percentage ?? LIMIT_SHARE * 100;
  const limitMib = settings.limit_mib ?? Math.floor((memoryMib() * percentage) / 100);
  const spikeShare = (settings.spike_limit_percentage ?? SPIKE_PERCENTAGE) / 100;
  const spikeMib = settings.spike_limit_mib ?? Math.floor(limitMib * spikeShare);
  if (spikeMib >= limitMib) {
    const found = `spike_limit_mib ${spikeMib} is not below limit_mib ${limitMib}`;
    throw new AppError("CONFIG_INVALID", `processors.memory_limiter: ${found}`);
  }
  return {
    hardLimitBytes: limitMib * MEBIBYTE,
    spikeBytes: spikeMib * MEBIBYTE,
    inFlightBytesMax: Math.max(spikeMib * MEBIBYTE, IN_FLIGHT_BYTES_MIN),
    checkIntervalMs: durationMs(settings.check_interval),
  };
}

function durationMs(text: string): number {
  return Number(parseDurationNs(text) ?? 0n) / 1e6;
}

/** Beyond this machine only with a token and TLS, unless a flag says that it is meant (SEC-001). */
function assertListenSafe(config: ServeConfig): void {
  const listeners = [
    ["OTLP/gRPC", config.otlpGrpc],
    ["OTLP/HTTP", config.otlpHttp],
    ["the query API", config.api],
  ] as const;
  for (const [name, listens] of listeners) {
    if (listens === undefined || isLoopback(listens.host)) continue;
    const missing = [
      ...(listens.token === undefined ? ["a token"] : []),
      ...(listens.tls === undefined ? ["TLS"] : []),
    ];
    if (missing.length === 0) continue;
    throw new AppError(
      "LISTEN_UNSAFE",
      `${name} would listen on ${formatEndpoint(listens)}, which other machines reach, without ${missing.join(" and ")}`,
    );
  }
}
