import { toDayTime } from "../core/time.ts";
import type { PointRow } from "../wire/otlp-decode-metrics.ts";
import type { TimeColumn } from "./block.ts";
import { BytesWriter, writableColumns } from "./bytes-writer.ts";
import type { DictionaryBuilder } from "./dictionary-builder.ts";
import { dictionaryOf } from "./open-block.ts";
import type { OpenBlock } from "./open-block.ts";
import { CommonColumns, OpenTable } from "./open-table.ts";

/** The open columns of the metric points. */
export class PointTable extends OpenTable<PointRow, PointColumns> {
  /** A metric's fields, copied together to be interned. */
  #metric = new Uint8Array(1024);

  constructor(monotonicMs: () => number) {
    super("metrics", monotonicMs, (block) => new PointColumns(block));
  }

  protected override isFull(row: PointRow, index: number): boolean {
    const { attributes, rest } = this.columns;
    return (
      !attributes.fits(index, row.attributes.byteLength) || !rest.fits(index, row.rest.byteLength)
    );
  }

  protected override write(
    bytes: Uint8Array,
    row: PointRow,
    index: number,
    receivedMs: number,
  ): boolean {
    const columns = this.columns;
    const metric = this.#internMetric(bytes, row);
    if (metric < 0) return false;
    columns.metric[index] = metric;
    const hasTime = row.timeDay !== 0 || row.timeNs !== 0;
    const received = hasTime ? undefined : toDayTime(BigInt(receivedMs) * 1_000_000n);
    columns.time.day[index] = received?.day ?? row.timeDay;
    columns.time.ns[index] = received?.ns ?? row.timeNs;
    columns.start.day[index] = row.startDay;
    columns.start.ns[index] = row.startNs;
    columns.metricKind[index] = row.metricKind;
    columns.temporality[index] = row.temporality;
    columns.isMonotonic[index] = row.isMonotonic;
    columns.valueKind[index] = row.valueKind;
    columns.value[index] = row.value;
    columns.attributes.writeRanges(index, bytes, row.attributes);
    columns.rest.writeRanges(index, bytes, row.rest);
    return true;
  }

  #internMetric(bytes: Uint8Array, row: PointRow): number {
    const { byteLength } = row.metric;
    if (byteLength > this.#metric.length) this.#metric = new Uint8Array(byteLength * 2);
    row.metric.copy(bytes, this.#metric, 0);
    return this.columns.metrics.intern(this.#metric, 0, byteLength);
  }
}

class PointColumns extends CommonColumns {
  readonly start: TimeColumn;
  readonly metric: Uint32Array;
  readonly metrics: DictionaryBuilder;
  readonly metricKind: Uint8Array;
  readonly temporality: Uint8Array;
  readonly isMonotonic: Uint8Array;
  readonly valueKind: Uint8Array;
  readonly value: Float64Array;
  readonly rest: BytesWriter;

  constructor(block: OpenBlock) {
    const columns = writableColumns(block);
    super(columns);
    this.start = columns.time("start");
    this.metric = columns.u32("metric");
    this.metrics = dictionaryOf(block, "metric");
    this.metricKind = columns.u8("metric_kind");
    this.temporality = columns.u8("temporality");
    this.isMonotonic = columns.u8("is_monotonic");
    this.valueKind = columns.u8("value_kind");
    this.value = columns.f64("value");
    this.rest = new BytesWriter(columns, "rest");
  }
}
