import { anyValueToJson, attributesToJson } from "../core/any-value.ts";
import type { Signal } from "../core/record.ts";
import { dataflowName, nodeName } from "../core/record.ts";
import { severityName } from "../core/severity.ts";
import { decodeAnyValue } from "../wire/any-value-decode.ts";
import { BODY_TEXT, BODY_VALUE } from "../wire/otlp-decode-logs.ts";
import { attributesWriter } from "./attribute-json.ts";
import type { Block } from "./block.ts";
import { ClauseRowReader } from "./clauses/clause-column.ts";
import { ClauseJson } from "./clauses/clause-json.ts";
import { EntryParts } from "./entry-parts.ts";
import { messageText, resourceOf, scopeOf, textOf, traceIdReader } from "./field-column.ts";
import type { EntryWriter, LineWriter } from "./line-buffer.ts";
import { pointWriter } from "./point-entry.ts";
import { spanFields } from "./span-entry.ts";

/** The writer for a block's rows. Keys come in the order of the entry types in src/core/entry.ts. */
export function entryWriter(signal: Signal, block: Block): LineWriter {
  switch (signal) {
    case "logs":
      return logWriter(block);
    case "traces": {
      const fields = spanFields(block);
      return (row, out) => out.text(`${JSON.stringify(fields(row))}\n`);
    }
    case "metrics":
      return pointWriter(block);
  }
}

/** What an entry says of its resource alone, ready to be written. */
interface ResourceJson {
  /** From the node to the message's key. */
  readonly node: Uint8Array;
  readonly dataflow: Uint8Array;
  readonly attributes: Uint8Array;
}

const resourceParts = new EntryParts<ResourceJson>((dictionary, id) => {
  const resource = resourceOf(dictionary, id);
  return {
    node: utf8(`","node":${JSON.stringify(nodeName(resource))},"message":`),
    dataflow: utf8(`","dataflow":${JSON.stringify(dataflowName(resource))},"logger":`),
    attributes: utf8(`,"resource":${JSON.stringify(attributesToJson(resource.attributes))}`),
  };
});
const loggerNames = new EntryParts((dictionary, id) =>
  utf8(`${JSON.stringify(scopeOf(dictionary, id).name)},"event_name":`),
);
const quotedTexts = new EntryParts((dictionary, id) =>
  utf8(JSON.stringify(textOf(dictionary, id))),
);

/** Written by hand, bytes to bytes: a search of many rows spends most of its time here. */
function logWriter(block: Block): LineWriter {
  const time = block.time("time");
  const observed = block.time("observed");
  const severity = block.u8("severity");
  const flags = block.u8("flags");
  const seq = block.f64("seq");
  const resource = block.dict("resource");
  const scope = block.dict("scope");
  const severityText = block.dict("severity_text");
  const eventName = block.dict("event_name");
  const traceIdOf = traceIdReader(block);
  const spanId = block.ids("span_id");
  const writeMessage = messageWriter(block);
  const writeAttributes = attributesWriter(block);
  const writeBody = bodyWriter(block);
  return (row, out) => {
    const shared = resourceParts.of(resource.dictionary, resource.ids[row]);
    out.text('{"timestamp":"');
    out.timestamp(time.day[row], time.ns[row]);
    out.text(`","level":"${severityName(severity[row])}`);
    out.raw(shared.node);
    writeMessage(row, out);
    out.text(',"trace_id":"');
    const { ids, start } = traceIdOf(row);
    out.hex(ids, start, 16);
    out.text('","span_id":"');
    out.hex(spanId, 8 * row, 8);
    out.raw(shared.dataflow);
    out.raw(loggerNames.of(scope.dictionary, scope.ids[row]));
    out.raw(quotedTexts.of(eventName.dictionary, eventName.ids[row]));
    out.text(`,"severity_number":${severity[row]},"severity_text":`);
    out.raw(quotedTexts.of(severityText.dictionary, severityText.ids[row]));
    out.text(',"observed_timestamp":"');
    out.timestamp(observed.day[row], observed.ns[row]);
    out.text(`","trace_flags":${flags[row]},"seq":${seq[row]},"attributes":`);
    writeAttributes(row, out);
    out.raw(shared.attributes);
    writeBody(row, out);
    out.text("}\n");
  };
}

/** The message as a JSON string. */
function messageWriter(block: Block): EntryWriter {
  const clauses = block.clauses("body");
  const kinds = block.u8("body_kind");
  const text = messageText(block);
  if (clauses !== undefined) {
    const json = new ClauseJson(clauses, new ClauseRowReader(clauses));
    return (row, out) => {
      if (kinds[row] !== BODY_TEXT) {
        out.text(JSON.stringify(text(row)));
        return;
      }
      out.text('"');
      json.writeText(row, out);
      out.text('"');
    };
  }
  const { data, starts, ends } = block.bytes("body");
  return (row, out) => {
    if (kinds[row] === BODY_TEXT) out.quoted(data, starts[row], ends[row]);
    else out.text(JSON.stringify(text(row)));
  };
}

/** `,"body":…` where the body is not a string, else nothing. */
function bodyWriter(block: Block): EntryWriter {
  const kinds = block.u8("body_kind");
  if (!kinds.includes(BODY_VALUE)) return () => undefined;
  const { data, starts, ends } = block.bytes("body");
  return (row, out) => {
    if (kinds[row] !== BODY_VALUE) return;
    const body = decodeAnyValue(data, starts[row], ends[row]);
    out.text(`,"body":${JSON.stringify(anyValueToJson(body))}`);
  };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
