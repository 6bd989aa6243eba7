import { anyValueToJson, attributesToJson } from "../core/any-value.ts";
import type { Signal } from "../core/record.ts";
import { dataflowName, nodeName } from "../core/record.ts";
import { severityName } from "../core/severity.ts";
import { formatTimestamp } from "../core/time.ts";
import { decodeAnyValue } from "../wire/any-value-decode.ts";
import { BODY_VALUE } from "../wire/otlp-decode-logs.ts";
import { attributesReader } from "./attributes-reader.ts";
import type { Block, Dictionary } from "./block.ts";
import { PerOwner } from "./block.ts";
import { hexId, messageText, resourceOf, scopeOf, textOf } from "./field-column.ts";
import { pointFields } from "./point-entry.ts";
import { spanFields } from "./span-entry.ts";

/** Writes one row as a line of JSON, "\n" included. */
export type EntryWriter = (row: number) => string;

/** The writer for a block's rows. Keys come in the order of the entry types in src/core/entry.ts. */
export function entryWriter(signal: Signal, block: Block): EntryWriter {
  switch (signal) {
    case "logs":
      return logWriter(block);
    case "traces": {
      const fields = spanFields(block);
      return (row) => `${JSON.stringify(fields(row))}\n`;
    }
    case "metrics": {
      const fields = pointFields(block);
      return (row) => `${JSON.stringify(fields(row))}\n`;
    }
  }
}

/** Parts of an entry that depend on its resource alone, as JSON text. */
interface ResourceJson {
  readonly node: string;
  readonly dataflow: string;
  readonly attributes: string;
}

const resourceTexts = new PerOwner<Dictionary, (ResourceJson | undefined)[]>(() => []);

function resourceJson(dictionary: Dictionary, id: number): ResourceJson {
  const texts = resourceTexts.of(dictionary);
  return (texts[id] ??= makeResourceJson(dictionary, id));
}

function makeResourceJson(dictionary: Dictionary, id: number): ResourceJson {
  const resource = resourceOf(dictionary, id);
  return {
    node: JSON.stringify(nodeName(resource)),
    dataflow: JSON.stringify(dataflowName(resource)),
    attributes: JSON.stringify(attributesToJson(resource.attributes)),
  };
}

/** Written by hand: a search of many rows spends most of its time here. */
function logWriter(block: Block): EntryWriter {
  const time = block.time("time");
  const observed = block.time("observed");
  const severity = block.u8("severity");
  const flags = block.u8("flags");
  const seq = block.f64("seq");
  const resource = block.dict("resource");
  const scope = block.dict("scope");
  const severityText = block.dict("severity_text");
  const eventName = block.dict("event_name");
  const traceId = block.ids("trace_id");
  const spanId = block.ids("span_id");
  const message = messageText(block);
  const attributes = attributesText(block);
  const body = bodyText(block);
  return (row) => {
    const shared = resourceJson(resource.dictionary, resource.ids[row]);
    const logger = scopeOf(scope.dictionary, scope.ids[row]).name;
    return (
      `{"timestamp":"${formatTimestamp(time.day[row], time.ns[row])}"` +
      `,"level":"${severityName(severity[row])}"` +
      `,"node":${shared.node}` +
      `,"message":${JSON.stringify(message(row))}` +
      `,"trace_id":"${hexId(traceId, row, 16)}"` +
      `,"span_id":"${hexId(spanId, row, 8)}"` +
      `,"dataflow":${shared.dataflow}` +
      `,"logger":${JSON.stringify(logger)}` +
      `,"event_name":${JSON.stringify(textOf(eventName.dictionary, eventName.ids[row]))}` +
      `,"severity_number":${severity[row]}` +
      `,"severity_text":${JSON.stringify(textOf(severityText.dictionary, severityText.ids[row]))}` +
      `,"observed_timestamp":"${formatTimestamp(observed.day[row], observed.ns[row])}"` +
      `,"trace_flags":${flags[row]}` +
      `,"seq":${seq[row]}` +
      `,"attributes":${attributes(row)}` +
      `,"resource":${shared.attributes}` +
      `${body(row)}}\n`
    );
  };
}

/** The attributes of a row as JSON text. */
function attributesText(block: Block): (row: number) => string {
  const read = attributesReader(block.bytes("attributes"));
  return (row) => {
    const attributes = read(row);
    return attributes === undefined ? "{}" : JSON.stringify(attributes);
  };
}

/** `,"body":…` where the body is not a string, else "". */
function bodyText(block: Block): (row: number) => string {
  const kinds = block.u8("body_kind");
  const { data, starts, ends } = block.bytes("body");
  return (row) => {
    if (kinds[row] !== BODY_VALUE) return "";
    return `,"body":${JSON.stringify(anyValueToJson(decodeAnyValue(data, starts[row], ends[row])))}`;
  };
}
