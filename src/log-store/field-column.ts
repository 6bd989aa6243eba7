import type { AnyValue } from "../core/any-value.ts";
import { anyValueToText } from "../core/any-value.ts";
import type { FieldRef } from "../core/filter.ts";
import type { Resource, Scope, Signal } from "../core/record.ts";
import { dataflowName, nodeId, nodeName } from "../core/record.ts";
import { severityName } from "../core/severity.ts";
import { DAY_NS } from "../core/time.ts";
import {
  decodeAnyValue,
  decodeResource,
  decodeScope,
  decodeText,
  findAttribute,
} from "../wire/any-value-decode.ts";
import { BODY_TEXT, BODY_VALUE } from "../wire/otlp-decode-logs.ts";
import { VALUE_NONE } from "../wire/otlp-decode-metrics.ts";
import type { Block, DictColumn, Dictionary } from "./block.ts";
import { PerOwner } from "./block.ts";
import { AttributeReader } from "./clauses/attribute-reader.ts";
import { ClauseRowReader } from "./clauses/clause-column.ts";
import { METRIC_KINDS, readMetric, SPAN_KINDS, SPAN_STATUSES } from "./entry-codes.ts";
import { TABLES } from "./table-schema.ts";

/**
 * The values that a field reference has in a block. Where they depend on few codes (a dictionary's
 * entries, severities), a reader looks at each code once instead of at each row.
 *
 * A row may have none, or several values; the first one is the one to show.
 */
export type FieldColumn =
  | CodedColumn
  | {
      readonly kind: "rows";
      valuesOf(row: number): readonly AnyValue[];
      /** The same, where each row has one value, which is a number. */
      readonly numberOf?: (row: number) => number;
    };

export interface CodedColumn {
  readonly kind: "coded";
  readonly codes: Uint32Array | Uint8Array;
  readonly codeCount: number;
  /** Codes of columns of the same field with the same owner mean the same. */
  readonly owner: object;
  readonly valuesOf: (code: number) => readonly AnyValue[];
}

const NO_VALUES: readonly AnyValue[] = [];
const NO_FIELD: FieldColumn = { kind: "rows", valuesOf: () => NO_VALUES };

/** The column of a field in a block of a table. */
export function fieldColumn(field: FieldRef, signal: Signal, block: Block): FieldColumn {
  const inDictionary = dictionaryField(field, signal);
  if (inDictionary !== undefined) {
    return dictionaryColumn(inDictionary, block.dict(inDictionary.name));
  }
  switch (field.target) {
    case "level":
      return levelColumn(signal, block);
    case "message":
      return signal === "logs" ? { kind: "rows", valuesOf: messageReader(block) } : NO_FIELD;
    case "trace_id":
    case "span_id":
      return hasColumn(signal, field.target) ? idColumn(block, field.target) : NO_FIELD;
    case "attribute":
      return { kind: "rows", valuesOf: attributeReader(block, field.key) };
    case "any":
      return entryColumn(signal, block, field.key) ?? anyColumn(block, field.key);
    case "node":
    case "dataflow":
    case "resource":
    case "logger":
    case "event":
      return NO_FIELD;
  }
}

/** A field whose values depend on a dictionary's entry alone. */
export interface DictionaryField {
  /** The column. */
  readonly name: string;
  readonly valuesOf: (dictionary: Dictionary, id: number) => readonly AnyValue[];
}

/** The dictionary that a field stands in; undefined where it does not. */
export function dictionaryField(field: FieldRef, signal: Signal): DictionaryField | undefined {
  switch (field.target) {
    case "node":
      return ofResource(nodeValues);
    case "dataflow":
      return ofResource(dataflowValues);
    case "resource":
      return ofResource((resource) => present(resource.attributes.get(field.key)));
    case "logger":
      return {
        name: "scope",
        valuesOf: (dictionary, id) => presentText(scopeOf(dictionary, id).name),
      };
    case "event":
      return signal === "metrics" ? undefined : ofText(signal === "logs" ? "event_name" : "name");
    case "any":
      if (field.key !== "name" || signal === "logs") return undefined;
      return signal === "traces" ? ofText("name") : METRIC_NAME;
    case "level":
    case "message":
    case "trace_id":
    case "span_id":
    case "attribute":
      return undefined;
  }
}

function ofResource(values: (resource: Resource) => readonly AnyValue[]): DictionaryField {
  return {
    name: "resource",
    valuesOf: (dictionary, id) => values(resourceOf(dictionary, id)),
  };
}

function ofText(name: string): DictionaryField {
  return { name, valuesOf: (dictionary, id) => presentText(textOf(dictionary, id)) };
}

const METRIC_NAME: DictionaryField = {
  name: "metric",
  valuesOf: (dictionary, id) => presentText(readMetric(dictionary.entry(id)).name),
};

/** The field in a column of its dictionary's ids, of rows or of series. */
export function dictionaryColumn(
  { valuesOf }: DictionaryField,
  { ids, dictionary }: DictColumn,
): CodedColumn {
  return {
    kind: "coded",
    codes: ids,
    codeCount: dictionary.count,
    owner: dictionary,
    valuesOf: (id) => valuesOf(dictionary, id),
  };
}

const ENTRY_FIELDS: Readonly<Record<Signal, ReadonlySet<string>>> = {
  logs: new Set(),
  traces: new Set(["name", "kind", "status", "duration_ns", "duration_ms"]),
  metrics: new Set(["name", "kind", "value"]),
};

/**
 * Whether an entry of spans or data points has something of its own under a bare name, as `/search`
 * shows it; an attribute of that name is asked for as `attributes.NAME`.
 */
export function isEntryField(signal: Signal, key: string): boolean {
  return ENTRY_FIELDS[signal].has(key);
}

function entryColumn(signal: Signal, block: Block, key: string): FieldColumn | undefined {
  if (!isEntryField(signal, key)) return undefined;
  const isSpan = signal === "traces";
  switch (key) {
    case "kind":
      return byteColumn(block, isSpan ? "kind" : "metric_kind", isSpan ? SPAN_KINDS : METRIC_KINDS);
    case "status":
      return byteColumn(block, "status_code", SPAN_STATUSES);
    case "duration_ns":
      return durationColumn(block, 1);
    case "duration_ms":
      return durationColumn(block, 1e6);
    case "value":
      return valueColumn(block);
    default:
      return undefined;
  }
}

function byteColumn(
  block: Block,
  name: string,
  texts: Readonly<Record<number, string>>,
): FieldColumn {
  return {
    kind: "coded",
    codes: block.u8(name),
    codeCount: 256,
    owner: texts,
    valuesOf: (code) => present(texts[code]),
  };
}

function durationColumn(block: Block, unitNs: number): FieldColumn {
  const time = block.time("time");
  const end = block.time("end");
  const numberOf = (row: number): number => {
    const days = end.day[row] - time.day[row];
    return (days * DAY_NS + end.ns[row] - time.ns[row]) / unitNs;
  };
  return { kind: "rows", valuesOf: (row) => [numberOf(row)], numberOf };
}

function valueColumn(block: Block): FieldColumn {
  const kinds = block.u8("value_kind");
  const values = block.f64("value");
  return {
    kind: "rows",
    valuesOf: (row) => (kinds[row] === VALUE_NONE ? NO_VALUES : [values[row]]),
  };
}

function hasColumn(signal: Signal, name: string): boolean {
  return TABLES[signal].some((column) => column.name === name);
}

function present(value: AnyValue | undefined): readonly AnyValue[] {
  return value === undefined ? NO_VALUES : [value];
}

function presentText(...texts: readonly string[]): readonly AnyValue[] {
  return texts.filter((text) => text !== "");
}

function nodeValues(resource: Resource): readonly AnyValue[] {
  return presentText(nodeName(resource), nodeId(resource));
}

function dataflowValues(resource: Resource): readonly AnyValue[] {
  const id = resource.attributes.get("dora.dataflow.id");
  return presentText(dataflowName(resource), typeof id === "string" ? id : "");
}

/** Decoded dictionary entries, made as they are asked for and kept with their dictionary. */
class DecodedEntries<T> {
  readonly #decode: (entry: Uint8Array) => T;
  readonly #perDictionary = new PerOwner<Dictionary, (T | undefined)[]>(() => []);

  constructor(decode: (entry: Uint8Array) => T) {
    this.#decode = decode;
  }

  get(dictionary: Dictionary, id: number): T {
    const entries = this.#perDictionary.of(dictionary);
    return (entries[id] ??= this.#decode(dictionary.entry(id)));
  }
}

const decodedResources = new DecodedEntries(decodeResource);
const decodedScopes = new DecodedEntries(decodeScope);
const decodedTexts = new DecodedEntries((entry) => decodeText(entry, 0, entry.length));

export function resourceOf(dictionary: Dictionary, id: number): Resource {
  return decodedResources.get(dictionary, id);
}

export function scopeOf(dictionary: Dictionary, id: number): Scope {
  return decodedScopes.get(dictionary, id);
}

export function textOf(dictionary: Dictionary, id: number): string {
  return decodedTexts.get(dictionary, id);
}

/** Severities mean the same in all blocks. */
const SEVERITIES = {};

/** 0 to 24; a record that comes with another one has 0. */
const SEVERITY_COUNT = 25;

function levelColumn(signal: Signal, block: Block): FieldColumn {
  if (!hasColumn(signal, "severity")) return NO_FIELD;
  return {
    kind: "coded",
    codes: block.u8("severity"),
    codeCount: SEVERITY_COUNT,
    owner: SEVERITIES,
    valuesOf: (severity) => [severityName(severity)],
  };
}

/** Reads the body of a log record; none where it is absent. */
function messageReader(block: Block): (row: number) => readonly AnyValue[] {
  const kinds = block.u8("body_kind");
  const clauses = block.clauses("body");
  if (clauses !== undefined) {
    const reader = new ClauseRowReader(clauses);
    return (row) => {
      if (kinds[row] !== BODY_TEXT && kinds[row] !== BODY_VALUE) return NO_VALUES;
      const end = reader.read(row);
      const isText = kinds[row] === BODY_TEXT;
      return [isText ? decodeText(reader.bytes, 0, end) : decodeAnyValue(reader.bytes, 0, end)];
    };
  }
  const { data, starts, ends } = block.bytes("body");
  return (row) => {
    if (kinds[row] === BODY_TEXT) return [decodeText(data, starts[row], ends[row])];
    if (kinds[row] === BODY_VALUE) return [decodeAnyValue(data, starts[row], ends[row])];
    return NO_VALUES;
  };
}

/** The body's text, "" where it is absent. */
export function messageText(block: Block): (row: number) => string {
  const read = messageReader(block);
  return (row) => anyValueToText(read(row)[0] ?? null);
}

function idColumn(block: Block, name: "trace_id" | "span_id"): FieldColumn {
  const ids = block.ids(name);
  const width = name === "trace_id" ? 16 : 8;
  return { kind: "rows", valuesOf: (row) => presentText(hexId(ids, row, width)) };
}

/**
 * Reads the trace ids of rows: 16 bytes of `ids`, from `start` on. Where only rows of one trace are
 * shown, which the index has named, no column is made of it.
 */
export function traceIdReader(
  block: Block,
): (row: number) => { readonly ids: Uint8Array; readonly start: number } {
  let all: Uint8Array | undefined;
  return (row) => {
    const known = block.knownTraceId?.(row);
    if (known !== undefined) return { ids: known, start: 0 };
    all ??= block.ids("trace_id");
    return { ids: all, start: 16 * row };
  };
}

/** The id of a row in lower-case hex, "" where it is absent. */
export function hexId(ids: Uint8Array, row: number, width: 8 | 16): string {
  const start = row * width;
  let isPresent = false;
  for (let offset = start; offset < start + width && !isPresent; offset++) {
    isPresent = ids[offset] !== 0;
  }
  if (!isPresent) return "";
  return Buffer.from(ids.buffer, ids.byteOffset + start, width).toString("hex");
}

/** Reads an attribute of rows; no value where a row lacks it. */
export function attributeReader(block: Block, key: string): (row: number) => readonly AnyValue[] {
  const keyBytes = new TextEncoder().encode(key);
  const clauses = block.clauses("attributes");
  if (clauses !== undefined) {
    const reader = new AttributeReader(clauses, keyBytes);
    return (row) => present(reader.read(row));
  }
  const { data, starts, ends } = block.bytes("attributes");
  return (row) => present(findAttribute(data, starts[row], ends[row], keyBytes));
}

/** The attribute, then the resource attribute. */
function anyColumn(block: Block, key: string): FieldColumn {
  const attributes = attributeReader(block, key);
  const { ids, dictionary } = block.dict("resource");
  return {
    kind: "rows",
    valuesOf: (row) => {
      const own = attributes(row);
      const shared = resourceOf(dictionary, ids[row]).attributes.get(key);
      return shared === undefined ? own : [...own, shared];
    },
  };
}
