import type { FieldRef } from "../core/filter.ts";
import type { Scanner } from "./lexer.ts";

/** A field as it was written. */
export interface WrittenField {
  readonly ref: FieldRef;
  /** As typed, without quotes. */
  readonly text: string;
  /** In quotes a name is an attribute's, whatever else it means. */
  readonly isQuoted: boolean;
  readonly position: number;
}

/** The names with a meaning of their own; any other name is an attribute's. */
const NAMED_FIELDS: ReadonlyMap<string, FieldRef> = new Map<string, FieldRef>([
  ["level", { target: "level" }],
  ["severity", { target: "level" }],
  ["lvl", { target: "level" }],
  ["severity_number", { target: "level" }],
  ["node", { target: "node" }],
  ["dataflow", { target: "dataflow" }],
  ["message", { target: "message" }],
  ["msg", { target: "message" }],
  ["body", { target: "message" }],
  ["event_name", { target: "event" }],
  ["event", { target: "event" }],
  ["logger", { target: "logger" }],
  ["scope", { target: "logger" }],
  ["trace_id", { target: "trace_id" }],
  ["span_id", { target: "span_id" }],
]);

const USE_TIME_RANGE =
  "time is no field: give the time range beside the query, with --since and --until, as in --since -15m";

/** Names that users see in entries but that a filter cannot ask for, with the way out. */
const UNSEARCHED: ReadonlyMap<string, string> = new Map([
  ["time", USE_TIME_RANGE],
  ["timestamp", USE_TIME_RANGE],
  ["observed_timestamp", USE_TIME_RANGE],
  ["severity_text", "severity_text cannot be searched: use level, as in level:error"],
  ["seq", 'seq cannot be searched; an attribute of that name is written "seq" in quotes'],
  [
    "trace_flags",
    'trace_flags cannot be searched; an attribute of that name is written "trace_flags" in quotes',
  ],
  ["_exists_", "write FIELD:* for records that have a field, as in latency_ms:*"],
]);

/** Known names, for "did you mean". */
export const KNOWN_FIELDS: readonly string[] = [...NAMED_FIELDS.keys()];

const ATTRIBUTE_PREFIX = "attributes.";
const RESOURCE_PREFIX = "resource.";
const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_.\-/]*$/;

/** Takes a field's name (`level`, `attributes.http.status`, `"odd name"`), or nothing. */
export function readField(scanner: Scanner): WrittenField | undefined {
  const position = scanner.position;
  if (scanner.startsWith('"')) {
    const text = readQuotedName(scanner);
    return { ref: { target: "any", key: text }, text, isQuoted: true, position };
  }
  const name = scanner.readName();
  if (name === undefined) return undefined;
  const isPrefix = name === ATTRIBUTE_PREFIX || name === RESOURCE_PREFIX;
  const text = isPrefix && scanner.startsWith('"') ? name + readQuotedName(scanner) : name;
  if (isPrefix && text === name) {
    throw scanner.error(`"${name}" lacks the key: write ${name}KEY, or ${name}"odd key"`);
  }
  return { ref: resolveName(text), text, isQuoted: false, position };
}

function readQuotedName(scanner: Scanner): string {
  const position = scanner.position;
  const name = scanner.readQuoted();
  if (name === "") throw scanner.error("a field's name cannot be empty", position);
  return name;
}

function resolveName(text: string): FieldRef {
  const named = NAMED_FIELDS.get(text);
  if (named !== undefined) return named;
  if (text.startsWith(ATTRIBUTE_PREFIX)) {
    return { target: "attribute", key: text.slice(ATTRIBUTE_PREFIX.length) };
  }
  if (text.startsWith(RESOURCE_PREFIX)) {
    return { target: "resource", key: text.slice(RESOURCE_PREFIX.length) };
  }
  return { target: "any", key: text };
}

/** Throws where a field is shown in entries but cannot be filtered or grouped by. */
export function checkSearchable(scanner: Scanner, field: WrittenField): void {
  const why = field.isQuoted ? undefined : UNSEARCHED.get(field.text);
  if (why !== undefined) throw scanner.error(why, field.position);
}

/** The name of a field in output: the key of an entry, else the key with its prefix. */
export function fieldName(ref: FieldRef): string {
  switch (ref.target) {
    case "attribute":
      return ATTRIBUTE_PREFIX + ref.key;
    case "resource":
      return RESOURCE_PREFIX + ref.key;
    case "any":
      return ref.key;
    case "event":
      return "event_name";
    case "level":
    case "node":
    case "dataflow":
    case "message":
    case "logger":
    case "trace_id":
    case "span_id":
      return ref.target;
  }
}

/** A field as the language writes it. */
export function printField(ref: FieldRef): string {
  switch (ref.target) {
    case "attribute":
    case "resource": {
      const name = fieldName(ref);
      if (isPlainName(name)) return name;
      const prefix = ref.target === "attribute" ? ATTRIBUTE_PREFIX : RESOURCE_PREFIX;
      return prefix + quote(ref.key, '"');
    }
    case "any":
      return isPlainAttribute(ref.key) ? ref.key : quote(ref.key, '"');
    case "level":
    case "node":
    case "dataflow":
    case "message":
    case "event":
    case "logger":
    case "trace_id":
    case "span_id":
      return fieldName(ref);
  }
}

/** Whether a bare name means the attribute of that name and nothing else. */
function isPlainAttribute(key: string): boolean {
  return isPlainName(key) && resolveName(key).target === "any" && !UNSEARCHED.has(key);
}

/** Whether a name is read as itself without quotes. */
function isPlainName(name: string): boolean {
  return PLAIN_NAME.test(name) && name !== ATTRIBUTE_PREFIX && name !== RESOURCE_PREFIX;
}

/** A column's name, in quotes where it would not be read as a name. */
export function printName(name: string): string {
  return isPlainName(name) ? name : quote(name, '"');
}

/** A text in quotes, escaped so that the scanner reads it back. */
export function quote(text: string, mark: '"' | "'"): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n")
    .replaceAll("\t", "\\t")
    .replaceAll(mark, `\\${mark}`);
  return mark + escaped + mark;
}
