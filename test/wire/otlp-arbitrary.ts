import * as fc from "fast-check";
import type { Json } from "../../src/core/any-value.ts";
import type { Signal } from "../../src/core/record.ts";
import type { FieldDescriptor, MessageDescriptor } from "../../src/wire/message-descriptor.ts";
import { EXPORT_REQUESTS } from "../../src/wire/otlp-schema.ts";

type JsonObject = { readonly [key: string]: Json };

/** Any request in canonical OTLP JSON: no zero value of a plain field, no empty list. */
export function requestArbitrary(signal: Signal): fc.Arbitrary<JsonObject> {
  return messageArbitrary(EXPORT_REQUESTS[signal], 11);
}

function messageArbitrary(message: MessageDescriptor, depth: number): fc.Arbitrary<JsonObject> {
  const byOneof = Map.groupBy(message.fields, (field) => field.oneof ?? field.name);
  const choices = [...byOneof.values()].map((fields) => {
    const options = fields.filter((field) => field.kind !== "message" || depth > 0);
    const arbitraries = options.map((field) =>
      fieldArbitrary(field, depth).map((value) => ({ [field.name]: value })),
    );
    return fc.oneof(fc.constant({}), ...arbitraries.flatMap((value) => [value, value]));
  });
  return fc
    .tuple(...choices)
    .map((parts) => Object.fromEntries(parts.flatMap((part) => Object.entries(part))));
}

function fieldArbitrary(field: FieldDescriptor, depth: number): fc.Arbitrary<Json> {
  const value =
    field.kind === "message" ? messageArbitrary(field.message, depth - 1) : scalarArbitrary(field);
  if (field.isRepeated) return fc.array(value, { minLength: 1, maxLength: depth > 8 ? 3 : 2 });
  return field.hasPresence ? value : value.filter((json) => !isDefault(json));
}

function isDefault(json: Json): boolean {
  return json === "" || json === 0 || json === "0" || json === false;
}

const double = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(0.1, 5e-324, 1.7976931348623157e308),
);
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 53n + 1n, 2n ** 64n - 1n, 127n, 128n, 2n ** 32n, 10n ** 18n),
);
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-1n, -(2n ** 63n), 2n ** 63n - 1n, -(2n ** 32n), 0n),
);
const int32 = fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), 2 ** 31 - 1, -1));
const hex = fc
  .oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ maxLength: 9 }))
  .map((bytes) => Buffer.from(bytes).toString("hex"));

function scalarArbitrary(field: FieldDescriptor): fc.Arbitrary<Json> {
  switch (field.kind) {
    case "string":
      return fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.string({ minLength: 130 }));
    case "bool":
      return fc.boolean();
    case "bytes":
      return fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    case "hex":
      return hex;
    case "double":
      return fc.oneof(
        // JSON.stringify has no -0; a test of its own covers it.
        double.map((value) => (Object.is(value, -0) ? 0 : value)),
        fc.constantFrom("NaN", "Infinity", "-Infinity"),
      );
    case "fixed32":
    case "uint32":
      return fc.oneof(fc.nat(), fc.constantFrom(1, 127, 128, 2 ** 32 - 1));
    case "sint32":
    case "enum":
      return int32;
    case "fixed64":
    case "uint64":
      return uint64.map(String);
    case "sfixed64":
    case "int64":
      return int64.map(String);
    case "message":
      throw new TypeError("a message is no scalar");
    default:
      return field.kind satisfies never;
  }
}

/** Draws a whole number below `below`. */
export type Draw = (below: number) => number;

/**
 * Writes a canonical request in another of the spellings that senders use: keys in snake_case or
 * with escapes, integers bare or quoted, ids in upper case, fields in any order, nulls and unknown
 * keys between them, whitespace.
 */
export function respell(signal: Signal, request: JsonObject, draw: Draw): string {
  return spellMessage(EXPORT_REQUESTS[signal], request, draw);
}

const UNKNOWN = [
  `"x":1`,
  `"__proto__":{"polluted":[true,null,{"a":"\\ud800"}]}`,
  `"constructor":[[],{}]`,
  `"":-1.5e+3`,
  `"résumé":"\\u00e9"`,
];

function spellMessage(message: MessageDescriptor, json: JsonObject, draw: Draw): string {
  const members: string[] = [];
  for (const field of message.fields) {
    const value = json[field.name];
    if (value !== undefined)
      members.push(`${spellKey(field, draw)}:${spellField(field, value, draw)}`);
    else if (draw(8) === 0) members.push(`${spellKey(field, draw)}:null`);
  }
  if (draw(4) === 0) members.push(UNKNOWN[draw(UNKNOWN.length)] ?? "");
  for (let index = members.length - 1; index > 0; index--) {
    const other = draw(index + 1);
    [members[index], members[other]] = [members[other] ?? "", members[index] ?? ""];
  }
  return draw(2) === 0 ? `{${members.join(",")}}` : ` {\n${members.join(" ,\t")}\r\n} `;
}

function spellKey(field: FieldDescriptor, draw: Draw): string {
  const snake = field.name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const escaped = `\\u${field.name.charCodeAt(0).toString(16).padStart(4, "0")}${field.name.slice(1)}`;
  return `"${[field.name, snake, escaped][draw(3)] ?? ""}"${draw(2) === 0 ? "" : " "}`;
}

function spellField(field: FieldDescriptor, value: Json, draw: Draw): string {
  if (isJsonList(value)) {
    return `[${value.map((element) => spellValue(field, element, draw)).join(draw(2) === 0 ? "," : " , ")}]`;
  }
  return spellValue(field, value, draw);
}

function spellValue(field: FieldDescriptor, value: Json, draw: Draw): string {
  if (field.kind === "message") return spellMessage(field.message, asObject(value), draw);
  if (field.kind === "string" || field.kind === "bool") return JSON.stringify(value);
  if (field.kind === "hex") {
    const text = plainText(value);
    return `"${draw(2) === 0 ? text.toUpperCase() : text}"`;
  }
  if (field.kind === "bytes") {
    const text = plainText(value);
    const urlText = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    return `"${[text, urlText, text.replaceAll("/", "\\/")][draw(3)] ?? ""}"`;
  }
  if (field.kind === "double") {
    return typeof value === "number" && draw(2) === 0 ? `"${value}"` : JSON.stringify(value);
  }
  return spellInteger(field, plainText(value), draw);
}

function spellInteger(field: FieldDescriptor, digits: string, draw: Draw): string {
  const name = [...field.enumValues].find(([, number]) => String(number) === digits)?.[0];
  const spellings = [digits, `"${digits}"`, `${digits}.0`, `${digits}e0`, `"${digits}0E-1"`];
  if (name !== undefined) spellings.push(`"${name}"`);
  return spellings[draw(spellings.length)] ?? digits;
}

function plainText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function isJsonList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function asObject(value: Json): JsonObject {
  if (typeof value !== "object" || value === null || isJsonList(value)) {
    throw new TypeError("not an object");
  }
  return value;
}
