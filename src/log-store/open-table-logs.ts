import { toDayTime } from "../core/time.ts";
import type { LogRow } from "../wire/otlp-decode-logs.ts";
import type { TimeColumn } from "./block.ts";
import { BytesWriter, writableColumns, writeId } from "./bytes-writer.ts";
import type { DictionaryBuilder } from "./dictionary-builder.ts";
import { dictionaryOf } from "./open-block.ts";
import type { OpenBlock } from "./open-block.ts";
import { CommonColumns, OpenTable } from "./open-table.ts";

/** The open columns of the log records. */
export class LogTable extends OpenTable<LogRow, LogColumns> {
  constructor(monotonicMs: () => number) {
    super("logs", monotonicMs, (block) => new LogColumns(block));
  }

  protected override isFull(row: LogRow, index: number): boolean {
    const { body, attributes } = this.columns;
    return (
      !body.fits(index, row.bodyEnd - row.bodyStart) ||
      !attributes.fits(index, row.attributes.byteLength)
    );
  }

  protected override write(
    bytes: Uint8Array,
    row: LogRow,
    index: number,
    receivedMs: number,
  ): boolean {
    const columns = this.columns;
    const text = columns.severityTexts.intern(bytes, row.severityTextStart, row.severityTextEnd);
    const event = columns.eventNames.intern(bytes, row.eventNameStart, row.eventNameEnd);
    if (text < 0 || event < 0) return false;
    columns.severityText[index] = text;
    columns.eventName[index] = event;
    this.#writeTimes(row, index, receivedMs);
    columns.severity[index] = row.severity;
    columns.flags[index] = row.flags;
    columns.droppedAttributes[index] = row.droppedAttributes;
    columns.bodyKind[index] = row.bodyKind;
    writeId(columns.traceId, 16, index, bytes, row.traceIdStart);
    writeId(columns.spanId, 8, index, bytes, row.spanIdStart);
    columns.body.write(index, bytes, row.bodyStart, row.bodyEnd);
    columns.attributes.writeRanges(index, bytes, row.attributes);
    return true;
  }

  /** A time of 0 is unknown: the other one stands in, and the receive time for both (OTLP-024). */
  #writeTimes(row: LogRow, index: number, receivedMs: number): void {
    const { time, observed } = this.columns;
    let { timeDay, timeNs, observedDay, observedNs } = row;
    if (observedDay === 0 && observedNs === 0) {
      ({ day: observedDay, ns: observedNs } = toDayTime(BigInt(receivedMs) * 1_000_000n));
    }
    if (timeDay === 0 && timeNs === 0) {
      timeDay = observedDay;
      timeNs = observedNs;
    }
    time.day[index] = timeDay;
    time.ns[index] = timeNs;
    observed.day[index] = observedDay;
    observed.ns[index] = observedNs;
  }
}

class LogColumns extends CommonColumns {
  readonly observed: TimeColumn;
  readonly severity: Uint8Array;
  readonly flags: Uint8Array;
  readonly droppedAttributes: Uint32Array;
  readonly bodyKind: Uint8Array;
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly severityText: Uint32Array;
  readonly eventName: Uint32Array;
  readonly severityTexts: DictionaryBuilder;
  readonly eventNames: DictionaryBuilder;
  readonly body: BytesWriter;

  constructor(block: OpenBlock) {
    const columns = writableColumns(block);
    super(columns);
    this.observed = columns.time("observed");
    this.severity = columns.u8("severity");
    this.flags = columns.u8("flags");
    this.droppedAttributes = columns.u32("dropped_attributes");
    this.bodyKind = columns.u8("body_kind");
    this.traceId = columns.ids("trace_id");
    this.spanId = columns.ids("span_id");
    this.severityText = columns.u32("severity_text");
    this.eventName = columns.u32("event_name");
    this.severityTexts = dictionaryOf(block, "severity_text");
    this.eventNames = dictionaryOf(block, "event_name");
    this.body = new BytesWriter(columns, "body");
  }
}
