import type { Json } from "../../core/any-value.ts";
import { severityOfTens, severityOfWord } from "./level-word.ts";
import type { LineAttributes, LineReading } from "./line-reading.ts";
import { spanIdOf, traceIdOf } from "./line-reading.ts";
import { readLineTime, readNumericTime } from "./line-time.ts";

/** A larger object is no log record: its line stays text. */
const KEYS_MAX = 128;
const DEPTH_MAX = 8;

/** Under which keys loggers write what a record has fields for; the first that is there is taken. */
const MESSAGE_KEYS = ["msg", "message", "event", "body"];
const LEVEL_KEYS = ["level", "severity", "levelname", "lvl", "log.level", "severity_text"];
const TIME_KEYS = ["time", "timestamp", "ts", "@timestamp", "asctime"];
const LOGGER_KEYS = ["logger", "target", "logger_name", "log.logger", "name", "component"];
const TRACE_KEYS = ["trace_id", "traceId", "trace.id", "traceid", "dd.trace_id"];
const SPAN_KEYS = ["span_id", "spanId", "span.id", "spanid", "dd.span_id"];

/** Keys of places and errors, and their names in OpenTelemetry's conventions. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["filename", "code.file.path"],
  ["file", "code.file.path"],
  ["line_number", "code.line.number"],
  ["lineno", "code.line.number"],
  ["line", "code.line.number"],
  ["funcName", "code.function.name"],
  ["module_path", "code.namespace"],
  ["caller", "code.location"],
  ["stack", "exception.stacktrace"],
  ["stacktrace", "exception.stacktrace"],
  ["exc_info", "exception.stacktrace"],
]);

/**
 * Reads a line that is one JSON object of a logger: pino, bunyan, winston, zap, structlog, Python's
 * JSON formatters, Rust's tracing, ECS, dora-rs, and our own. Undefined where it is none: then the
 * line is text.
 *
 * Shape: what no field stands for becomes an attribute under its own key.
 */
export function readJsonLine(line: string, nowUnixNs: bigint): LineReading | undefined {
  const object = parseObject(line);
  if (object === undefined) return undefined;
  const fields = object["fields"];
  const nested = isObject(fields) ? fields : undefined;
  const used = new Set<string>();
  const message = takeText(object, MESSAGE_KEYS, used) ?? takeText(nested ?? {}, MESSAGE_KEYS);
  if (message === undefined) return undefined;
  const level = takeLevel(object, used);
  const hasTime = TIME_KEYS.some((key) => Object.hasOwn(object, key));
  if (level === undefined && !hasTime) return undefined;
  const timeUnixNs = takeTime(object, used, nowUnixNs);
  return {
    message,
    severityNumber: level?.number ?? 0,
    severityText: level?.text ?? "",
    logger: takeText(object, LOGGER_KEYS, used) ?? "",
    ...(timeUnixNs === undefined ? {} : { timeUnixNs }),
    traceId: takeId(object, TRACE_KEYS, used, traceIdOf),
    spanId: takeId(object, SPAN_KEYS, used, spanIdOf),
    attributes: restOf(object, used, nested, message),
  };
}

type JsonObject = Readonly<Record<string, Json>>;

function parseObject(line: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // It only looks like JSON: the line is text, and is kept as such.
    return undefined;
  }
  if (!isShallow(value, 0) || !isObject(value)) return undefined;
  return Object.keys(value).length > KEYS_MAX ? undefined : value;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** False for what is nested so deeply that readers of records would refuse it. */
function isShallow(value: unknown, depth: number): value is Json {
  if (typeof value !== "object" || value === null) return true;
  if (depth >= DEPTH_MAX) return false;
  return Object.values(value).every((element: unknown) => isShallow(element, depth + 1));
}

function takeText(
  object: JsonObject,
  keys: readonly string[],
  used?: Set<string>,
): string | undefined {
  for (const key of keys) {
    const value = object[key];
    if (typeof value !== "string" || value === "") continue;
    used?.add(key);
    return value;
  }
  return undefined;
}

function takeLevel(
  object: JsonObject,
  used: Set<string>,
): { readonly number: number; readonly text: string } | undefined {
  for (const key of LEVEL_KEYS) {
    const value = object[key];
    if (typeof value !== "string" && typeof value !== "number") continue;
    const number = typeof value === "string" ? severityOfWord(value) : severityOfTens(value);
    // dora-rs writes `stdout` for plain prints: no level, and none that an attribute would tell.
    if (number === 0 && value !== "stdout") continue;
    used.add(key);
    return { number, text: number === 0 ? "" : String(value) };
  }
  return undefined;
}

function takeTime(object: JsonObject, used: Set<string>, nowUnixNs: bigint): bigint | undefined {
  for (const key of TIME_KEYS) {
    const value = object[key];
    const time =
      typeof value === "string"
        ? readLineTime(value, nowUnixNs)
        : typeof value === "number"
          ? readNumericTime(value, nowUnixNs)
          : undefined;
    if (time === undefined) continue;
    used.add(key);
    return time;
  }
  return undefined;
}

function takeId(
  object: JsonObject,
  keys: readonly string[],
  used: Set<string>,
  read: (value: unknown) => string,
): string {
  for (const key of keys) {
    const id = read(object[key]);
    if (id === "") continue;
    used.add(key);
    return id;
  }
  return "";
}

function restOf(
  object: JsonObject,
  used: ReadonlySet<string>,
  nested: JsonObject | undefined,
  message: string,
): LineAttributes {
  const rest = new Map<string, Json>();
  for (const [key, value] of Object.entries(object)) {
    if (used.has(key) || value === null || (key === "fields" && nested !== undefined)) continue;
    if ((key === "err" || key === "error") && isObject(value)) addError(rest, value);
    else rest.set(freeKey(rest, RENAMED.get(key) ?? key, key), value);
  }
  for (const [key, value] of Object.entries(nested ?? {})) {
    if (value === null || (MESSAGE_KEYS.includes(key) && value === message)) continue;
    rest.set(freeKey(rest, key, `fields.${key}`), value);
  }
  // `fromEntries` makes an own key of `__proto__` too.
  return Object.fromEntries(rest);
}

/** `key`, or `other` where another value has it already. */
function freeKey(taken: ReadonlyMap<string, Json>, key: string, other: string): string {
  return taken.has(key) ? other : key;
}

/** pino's and winston's form of an error. */
function addError(rest: Map<string, Json>, error: JsonObject): void {
  for (const [key, value] of Object.entries(error)) {
    if (value !== null) rest.set(`exception.${key === "stack" ? "stacktrace" : key}`, value);
  }
}
