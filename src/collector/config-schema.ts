import { z } from "zod";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import { didYouMean } from "../core/nearest-name.ts";
import { parseDurationNs } from "../core/time.ts";
import type { LogLevel } from "../telemetry/logger.ts";
import { LOG_LEVELS } from "../telemetry/logger.ts";
import { parseEndpoint } from "./config-endpoint.ts";

/**
 * What each part of a configuration may hold. Schemas fill in defaults and keep values as they are
 * written (`7d`, `127.0.0.1:4317`), so that the effective configuration prints as one can be
 * written. Values from flags and the environment are texts, so numbers are read from texts too.
 */

/** A refusal of one value, thrown by a reader below and turned into an issue. */
class Refusal {
  readonly problem: string;
  constructor(problem: string) {
    this.problem = problem;
  }
}

/** A required value: `read` gives the value or a refusal. */
function value<T>(read: (given: unknown) => T | Refusal) {
  return z.unknown().transform((given, context): T => {
    const result = given === undefined ? new Refusal("is missing") : read(given);
    if (!(result instanceof Refusal)) return result;
    context.addIssue({ code: "custom", message: result.problem });
    return z.NEVER;
  });
}

/**
 * A map with these keys and no others. An empty value (`grpc:`) is an empty map, so all defaults.
 * The message of unknown keys has one line a key, in the order of the issue's `keys`.
 */
function settings<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape);
  const map = z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === "invalid_type") return `expected a map, found ${show(issue.input)}`;
      if (issue.code !== "unrecognized_keys") return undefined;
      return issue.keys.map((key) => `unknown key${hintFor(key, known)}`).join("\n");
    },
  });
  return z.preprocess((given) => (given === null ? {} : given), map);
}

function hintFor(key: string, known: readonly string[]): string {
  const near = didYouMean(key, known);
  return near === "" ? `; known: ${known.join(", ")}` : near;
}

const text = () =>
  value((given) => {
    if (typeof given !== "string") return new Refusal(`expected a text, found ${show(given)}`);
    return given === "" ? new Refusal("must not be empty") : given;
  });

/** A text that no message repeats (SEC-017). */
const secret = () =>
  value((given) => {
    if (typeof given !== "string") return new Refusal("expected a text; put it into quotes");
    return given.trim() === "" ? new Refusal("must not be empty") : given;
  });

function wholeNumber(limits: { readonly min: number; readonly max: number }) {
  const rule = `expected a whole number from ${limits.min} to ${limits.max}`;
  return value((given) => {
    const digits = typeof given === "bigint" ? String(given) : given;
    const isDigits = typeof digits === "string" && /^\d{1,15}$/.test(digits);
    const number = isDigits ? Number(digits) : given;
    const isInside =
      typeof number === "number" &&
      Number.isInteger(number) &&
      number >= limits.min &&
      number <= limits.max;
    return isInside ? number : new Refusal(`${rule}, found ${show(given)}`);
  });
}

const DURATION_FORM = "give a duration such as 30s, 15m, 12h or 7d";

const duration = (limits: { readonly minMs: number; readonly maxMs: number }) =>
  value((given) => {
    const ns = typeof given === "string" ? parseDurationNs(given) : undefined;
    if (typeof given !== "string" || ns === undefined) {
      return new Refusal(`${show(given)} is no duration: ${DURATION_FORM}`);
    }
    const ms = Number(ns) / 1e6;
    if (ms >= limits.minMs && ms <= limits.maxMs) return given;
    const range = `from ${limits.minMs / 1000}s to ${limits.maxMs / 1000}s`;
    return new Refusal(`"${given}" is out of range: give a duration ${range}`);
  });

const DAY_MS = 86_400_000;
/** Ten years; longer is `none`. */
const RETENTION_MS_MAX = 3650 * DAY_MS;

const retention = () =>
  value((given) => {
    if (given === "none") return given;
    const ns = typeof given === "string" ? parseDurationNs(given) : undefined;
    const ms = Number(ns ?? 0n) / 1e6;
    if (typeof given === "string" && ms >= 60_000 && ms <= RETENTION_MS_MAX) return given;
    return new Refusal(
      `${show(given)} is no retention: give 1m to 3650d, such as 7d, or none to keep everything`,
    );
  });

const endpoint = () =>
  value((given) => {
    if (typeof given !== "string") {
      return new Refusal(`${show(given)} is no address: give host:port, such as 127.0.0.1:4318`);
    }
    const parsed = parseEndpoint(given);
    return "problem" in parsed ? new Refusal(parsed.problem) : given;
  });

const LEVEL_NAMES: ReadonlyMap<string, LogLevel> = new Map([
  ...LOG_LEVELS.map((level) => [level, level] as const),
  ["warning", "warn"],
]);

/** The level that a name means, in any case, or undefined. */
export function parseLogLevel(name: string): LogLevel | undefined {
  return LEVEL_NAMES.get(name.toLowerCase());
}

const logLevel = () =>
  value((given) => {
    const level = typeof given === "string" ? parseLogLevel(given) : undefined;
    if (level !== undefined) return level;
    const near = didYouMean(String(given), LOG_LEVELS);
    return new Refusal(`${show(given)} is no level: give ${LOG_LEVELS.join(", ")}${near}`);
  });

function list<Item extends z.ZodType>(item: Item, limits: { readonly min: number }) {
  return z
    .array(item, { error: (issue) => `expected a list, found ${show(issue.input)}` })
    .min(limits.min, { error: "must not be empty" });
}

const tls = () => settings({ cert_file: text(), key_file: text() });
const auth = () => settings({ authenticator: text() });

const MEBIBYTE = 1024 * 1024;

export const otlpReceiver = settings({
  protocols: settings({
    grpc: settings({
      endpoint: endpoint().default("127.0.0.1:4317"),
      tls: tls().optional(),
      auth: auth().optional(),
      max_recv_msg_size_mib: wholeNumber({ min: 1, max: REQUEST_BYTES_MAX / MEBIBYTE }).default(
        REQUEST_BYTES_MAX / MEBIBYTE,
      ),
    }).optional(),
    http: settings({
      endpoint: endpoint().default("127.0.0.1:4318"),
      tls: tls().optional(),
      auth: auth().optional(),
      max_request_body_size: wholeNumber({ min: 1, max: REQUEST_BYTES_MAX }).default(
        REQUEST_BYTES_MAX,
      ),
    }).optional(),
  }).refine((protocols) => protocols.grpc !== undefined || protocols.http !== undefined, {
    error: "must name at least one of grpc, http",
  }),
});

const MEMORY_MIB_MAX = 1024 * 1024;

export const memoryLimiter = settings({
  check_interval: duration({ minMs: 10, maxMs: 60_000 }).default("1s"),
  limit_mib: wholeNumber({ min: 64, max: MEMORY_MIB_MAX }).optional(),
  spike_limit_mib: wholeNumber({ min: 1, max: MEMORY_MIB_MAX }).optional(),
  limit_percentage: wholeNumber({ min: 1, max: 100 }).optional(),
  spike_limit_percentage: wholeNumber({ min: 1, max: 99 }).optional(),
}).refine((own) => (own.spike_limit_mib ?? 0) < (own.limit_mib ?? Infinity), {
  error: "must be below limit_mib",
  path: ["spike_limit_mib"],
});

export const logStore = settings({ directory: text(), retention: retention().default("7d") });

export const queryApi = settings({
  endpoint: endpoint().default("127.0.0.1:6014"),
  tls: tls().optional(),
  auth: auth().optional(),
});

export const bearerTokenAuth = settings({
  token: secret().optional(),
  filename: text().optional(),
}).refine(({ token, filename }) => (token === undefined) !== (filename === undefined), {
  error: "must have either token or filename",
});

/** The component types that exist, by the section that configures them. */
export const COMPONENTS = {
  receivers: { otlp: otlpReceiver },
  processors: { memory_limiter: memoryLimiter },
  exporters: { log_store: logStore },
  connectors: {},
  extensions: { query_api: queryApi, bearertokenauth: bearerTokenAuth },
} as const satisfies Readonly<Record<string, Readonly<Record<string, z.ZodType>>>>;

export type Section = keyof typeof COMPONENTS;
export const SECTIONS = [
  "receivers",
  "processors",
  "exporters",
  "connectors",
  "extensions",
] as const satisfies readonly Section[];

const pipeline = settings({
  receivers: list(text(), { min: 1 }),
  processors: list(text(), { min: 0 }).default([]),
  exporters: list(text(), { min: 1 }),
});

export const service = settings({
  extensions: list(text(), { min: 0 }).default([]),
  pipelines: z
    .record(z.string().regex(/^(?:logs|traces|metrics)(?:\/\S+)?$/), pipeline, {
      error: (issue) =>
        issue.code === "invalid_key"
          ? "unknown signal: name a pipeline logs, traces or metrics, or logs/NAME"
          : `expected a map, found ${show(issue.input)}`,
    })
    .refine((pipelines) => Object.keys(pipelines).length > 0, { error: "must not be empty" }),
  telemetry: settings({
    logs: settings({ level: logLevel().default("info") }).prefault({}),
  }).prefault({}),
});

export type MemoryLimiterSettings = z.output<typeof memoryLimiter>;
export type QueryApiSettings = z.output<typeof queryApi>;

/** What was found, short enough for a message. */
function show(given: unknown): string {
  if (given === null) return "nothing";
  if (Array.isArray(given)) return "a list";
  if (typeof given === "object") return "a map";
  const shown = JSON.stringify(typeof given === "bigint" ? String(given) : given) ?? "nothing";
  return shown.length <= 80 ? shown : `${shown.slice(0, 80)}…`;
}
