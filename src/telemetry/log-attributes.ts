import type { AnyValue, AttributeMap } from "../core/any-value.ts";

/** What a caller may hand to a logger: anything; what has no OTLP form is turned into text. */
export type LogAttributes = Readonly<Record<string, unknown>>;

/** Nesting that is kept; deeper values, and circles, become their text. */
const DEPTH_MAX = 6;

/** Length of one text attribute of our own records; a stack trace fits. */
const TEXT_LENGTH_MAX = 16_384;

/**
 * Turns a caller's attributes into OTLP's. An error under any key becomes `exception.type`,
 * `exception.message` and `exception.stacktrace`; `undefined` is left out.
 *
 * Errors: none, whatever it is handed: a getter that throws becomes the text of what it threw.
 * Source: OpenTelemetry semantic conventions, exceptions in logs.
 */
export function toAttributeMap(attributes: LogAttributes): AttributeMap {
  const map = new Map<string, AnyValue>();
  for (const key of Object.keys(attributes)) {
    const value = readProperty(attributes, key);
    if (value === undefined) continue;
    if (value instanceof Error) addError(map, value);
    else map.set(key, toAnyValue(value, 0));
  }
  return map;
}

function addError(map: Map<string, AnyValue>, error: Error): void {
  map.set("exception.type", cut(textOf(readProperty(error, "name"))));
  map.set("exception.message", cut(textOf(readProperty(error, "message"))));
  const code = readProperty(error, "code");
  if (typeof code === "string") map.set("error.code", cut(code));
  const stack = readProperty(error, "stack");
  if (typeof stack === "string") map.set("exception.stacktrace", cut(stack));
}

function toAnyValue(value: unknown, depth: number): AnyValue {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return cut(value);
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? value : String(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof Error) return cut(`${value.name}: ${value.message}`);
  if (typeof value !== "object" || depth >= DEPTH_MAX) return cut(textOf(value));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "" : value.toISOString();
  if (Array.isArray(value)) return value.map((item) => toAnyValue(item, depth + 1));
  const map = new Map<string, AnyValue>();
  for (const key of Object.keys(value))
    map.set(key, toAnyValue(readProperty(value, key), depth + 1));
  return map;
}

function readProperty(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch (error) {
    return textOf(error);
  }
}

function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return "(a value without a text)";
  }
}

function cut(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}…`;
}
