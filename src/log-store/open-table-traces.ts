import type { SpanRow } from "../wire/otlp-decode-traces.ts";
import { toDayTime } from "../core/time.ts";
import type { TimeColumn } from "./block.ts";
import { BytesWriter, writableColumns, writeId } from "./bytes-writer.ts";
import type { DictionaryBuilder } from "./dictionary-builder.ts";
import { dictionaryOf } from "./open-block.ts";
import type { OpenBlock } from "./open-block.ts";
import { CommonColumns, OpenTable } from "./open-table.ts";

/** The open columns of the spans. A span's record time is its start. */
export class SpanTable extends OpenTable<SpanRow, SpanColumns> {
  constructor(monotonicMs: () => number) {
    super("traces", monotonicMs, (block) => new SpanColumns(block));
  }

  protected override isFull(row: SpanRow, index: number): boolean {
    const { statusMessage, attributes, events, links } = this.columns;
    return (
      !statusMessage.fits(index, row.statusMessageEnd - row.statusMessageStart) ||
      !attributes.fits(index, row.attributes.byteLength) ||
      !events.fits(index, row.events.byteLength) ||
      !links.fits(index, row.links.byteLength)
    );
  }

  protected override write(
    bytes: Uint8Array,
    row: SpanRow,
    index: number,
    receivedMs: number,
  ): boolean {
    const columns = this.columns;
    const name = columns.names.intern(bytes, row.nameStart, row.nameEnd);
    const state = columns.traceStates.intern(bytes, row.traceStateStart, row.traceStateEnd);
    if (name < 0 || state < 0) return false;
    columns.name[index] = name;
    columns.traceState[index] = state;
    writeTimes(columns, row, index, receivedMs);
    columns.kind[index] = row.kind;
    columns.statusCode[index] = row.statusCode;
    columns.flags[index] = row.flags;
    columns.droppedAttributes[index] = row.droppedAttributes;
    columns.droppedEvents[index] = row.droppedEvents;
    columns.droppedLinks[index] = row.droppedLinks;
    writeId(columns.traceId, 16, index, bytes, row.traceIdStart);
    writeId(columns.spanId, 8, index, bytes, row.spanIdStart);
    writeId(columns.parentSpanId, 8, index, bytes, row.parentSpanIdStart);
    columns.statusMessage.write(index, bytes, row.statusMessageStart, row.statusMessageEnd);
    columns.attributes.writeRanges(index, bytes, row.attributes);
    columns.events.writeRanges(index, bytes, row.events);
    columns.links.writeRanges(index, bytes, row.links);
    return true;
  }
}

/** A start of 0 is unknown: the end stands in for it, and the receive time for both. */
function writeTimes(columns: SpanColumns, row: SpanRow, index: number, receivedMs: number): void {
  let { startDay, startNs, endDay, endNs } = row;
  if (startDay === 0 && startNs === 0) {
    startDay = endDay;
    startNs = endNs;
  }
  if (startDay === 0 && startNs === 0) {
    ({ day: startDay, ns: startNs } = toDayTime(BigInt(receivedMs) * 1_000_000n));
  }
  if (endDay === 0 && endNs === 0) {
    endDay = startDay;
    endNs = startNs;
  }
  columns.time.day[index] = startDay;
  columns.time.ns[index] = startNs;
  columns.end.day[index] = endDay;
  columns.end.ns[index] = endNs;
}

class SpanColumns extends CommonColumns {
  readonly end: TimeColumn;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly traceState: Uint32Array;
  readonly traceStates: DictionaryBuilder;
  readonly name: Uint32Array;
  readonly names: DictionaryBuilder;
  readonly kind: Uint8Array;
  readonly statusCode: Uint8Array;
  readonly flags: Uint32Array;
  readonly droppedAttributes: Uint32Array;
  readonly droppedEvents: Uint32Array;
  readonly droppedLinks: Uint32Array;
  readonly statusMessage: BytesWriter;
  readonly events: BytesWriter;
  readonly links: BytesWriter;

  constructor(block: OpenBlock) {
    const columns = writableColumns(block);
    super(columns);
    this.end = columns.time("end");
    this.traceId = columns.ids("trace_id");
    this.spanId = columns.ids("span_id");
    this.parentSpanId = columns.ids("parent_span_id");
    this.traceState = columns.u32("trace_state");
    this.traceStates = dictionaryOf(block, "trace_state");
    this.name = columns.u32("name");
    this.names = dictionaryOf(block, "name");
    this.kind = columns.u8("kind");
    this.statusCode = columns.u8("status_code");
    this.flags = columns.u32("flags");
    this.droppedAttributes = columns.u32("dropped_attributes");
    this.droppedEvents = columns.u32("dropped_events");
    this.droppedLinks = columns.u32("dropped_links");
    this.statusMessage = new BytesWriter(columns, "status_message");
    this.events = new BytesWriter(columns, "events");
    this.links = new BytesWriter(columns, "links");
  }
}
