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
import type { Block, Dictionary } from "./block.ts";
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
  | {
      readonly kind: "coded";
      readonly codes: Uint32Array | Uint8Array;
      readonly codeCount: number;
      /** Codes of columns of the same field with the same owner mean the same. */
      readonly owner: object;
      valuesOf(code: number): readonly AnyValue[];
    }
  | { readonly kind: "rows"; valuesOf(row: number): readonly AnyValue[] };

const NO_VALUES: readonly AnyValue[] = [];
const NO_FIELD: FieldColumn = { kind: "rows", valuesOf: () => NO_VALUES };

/** The column of a field in a block of a table. */
export function fieldColumn(field: FieldRef, signal: Signal, block: Block): FieldColumn {
  switch (field.target) {
    case "node":
      return resourceColumn(block, nodeValues);
    case "dataflow":
      return resourceColumn(block, dataflowValues);
    case "resource":
      return resourceColumn(block, (resource) => present(resource.attributes.get(field.key)));
    case "logger":
      return scopeColumn(block);
    case "event":
      return textColumn(signal, block, signal === "traces" ? "name" : "event_name");
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
  }
}

/**
 * What an entry of spans or data points has of its own under a bare name, as `/search` shows it; an
 * attribute of that name is asked for as `attributes.NAME`.
 */
function entryColumn(signal: Signal, block: Block, key: string): FieldColumn | undefined {
  if (signal === "logs") return undefined;
  const isSpan = signal === "traces";
  switch (key) {
    case "name":
      return isSpan ? textColumn(signal, block, "name") : metricColumn(block);
    case "kind":
      return byteColumn(block, isSpan ? "kind" : "metric_kind", isSpan ? SPAN_KINDS : METRIC_KINDS);
    case "status":
      return isSpan ? byteColumn(block, "status_code", SPAN_STATUSES) : undefined;
    case "duration_ns":
      return isSpan ? durationColumn(block, 1) : undefined;
    case "duration_ms":
      return isSpan ? durationColumn(block, 1e6) : undefined;
    case "value":
      return isSpan ? undefined : valueColumn(block);
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
  return {
    kind: "rows",
    valuesOf: (row) => {
      const days = end.day[row] - time.day[row];
      return [(days * DAY_NS + end.ns[row] - time.ns[row]) / unitNs];
    },
  };
}

function valueColumn(block: Block): FieldColumn {
  const kinds = block.u8("value_kind");
  const values = block.f64("value");
  return {
    kind: "rows",
    valuesOf: (row) => (kinds[row] === VALUE_NONE ? NO_VALUES : [values[row]]),
  };
}

function metricColumn(block: Block): FieldColumn {
  const { ids, dictionary } = block.dict("metric");
  return {
    kind: "coded",
    codes: ids,
    codeCount: dictionary.count,
    owner: dictionary,
    valuesOf: (id) => presentText(readMetric(dictionary.entry(id)).name),
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

function resourceColumn(
  block: Block,
  values: (resource: Resource) => readonly AnyValue[],
): FieldColumn {
  const { ids, dictionary } = block.dict("resource");
  return {
    kind: "coded",
    codes: ids,
    codeCount: dictionary.count,
    owner: dictionary,
    valuesOf: (id) => values(resourceOf(dictionary, id)),
  };
}

function scopeColumn(block: Block): FieldColumn {
  const { ids, dictionary } = block.dict("scope");
  return {
    kind: "coded",
    codes: ids,
    codeCount: dictionary.count,
    owner: dictionary,
    valuesOf: (id) => presentText(scopeOf(dictionary, id).name),
  };
}

function textColumn(signal: Signal, block: Block, name: string): FieldColumn {
  if (!hasColumn(signal, name)) return NO_FIELD;
  const { ids, dictionary } = block.dict(name);
  return {
    kind: "coded",
    codes: ids,
    codeCount: dictionary.count,
    owner: dictionary,
    valuesOf: (id) => presentText(textOf(dictionary, id)),
  };
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

function attributeReader(block: Block, key: string): (row: number) => readonly AnyValue[] {
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
