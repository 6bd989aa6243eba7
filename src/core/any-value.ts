/**
 * One OTLP attribute value or body. The JavaScript type tells the OTLP type, so nothing is lost:
 * `bigint` is an int64, `number` a double, `Uint8Array` bytes, `null` the empty value.
 *
 * Source: opentelemetry-proto common.proto `AnyValue`.
 */
export type AnyValue =
  | null
  | string
  | boolean
  | bigint
  | number
  | Uint8Array
  | readonly AnyValue[]
  | AttributeMap;

/** Attribute keys are data (`__proto__` is a legal key), so they live in a Map, never in an object. */
export type AttributeMap = ReadonlyMap<string, AnyValue>;

/**
 * The text form of a value, as it is shown, searched and compared.
 *
 * Strings stand as they are, the empty value is "", bytes are base64, lists and maps are JSON in
 * which NaN and Infinity are strings.
 *
 * Source: OpenTelemetry specification, common/README.md (LOG-007).
 */
export function anyValueToText(value: AnyValue): string {
  if (value === null) return "";
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "object") return JSON.stringify(anyValueToJson(value));
  return String(value);
}

/** A JSON value, as `JSON.stringify` takes it. */
export type Json =
  | null
  | string
  | number
  | boolean
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * The JSON form of a value. An integer that a double cannot hold becomes a decimal string; bytes
 * become base64, NaN and Infinity strings.
 */
export function anyValueToJson(value: AnyValue): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return bigintToJson(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (isList(value)) return value.map(anyValueToJson);
  return attributesToJson(value);
}

/** A map of attributes as a JSON object; a key such as `__proto__` is an own key like any other. */
export function attributesToJson(attributes: AttributeMap): { readonly [key: string]: Json } {
  const entries: [string, Json][] = [];
  for (const [key, value] of attributes) entries.push([key, anyValueToJson(value)]);
  return Object.fromEntries(entries);
}

function bigintToJson(value: bigint): number | string {
  const asNumber = Number(value);
  return Number.isSafeInteger(asNumber) ? asNumber : String(value);
}

function isList(value: readonly AnyValue[] | AttributeMap): value is readonly AnyValue[] {
  return Array.isArray(value);
}
