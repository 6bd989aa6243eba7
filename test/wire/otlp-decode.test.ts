import { describe, expect, test } from "vitest";
import type { ByteRanges } from "../../src/wire/byte-ranges.ts";
import type { RecordSink } from "../../src/wire/otlp-decode.ts";
import { LogsDecoder } from "../../src/wire/otlp-decode-logs.ts";
import type { PointRow } from "../../src/wire/otlp-decode-metrics.ts";
import { MetricsDecoder, VALUE_DOUBLE, VALUE_INT } from "../../src/wire/otlp-decode-metrics.ts";
import type { SpanRow } from "../../src/wire/otlp-decode-traces.ts";
import { TracesDecoder } from "../../src/wire/otlp-decode-traces.ts";
import { otlpJsonToProtobuf } from "../../src/wire/otlp-json.ts";
import { WireError } from "../../src/wire/wire-error.ts";

/** Keeps what a decoder says, as plain values. */
class RecordingSink<Row, Kept> implements RecordSink<Row> {
  readonly kept: Kept[] = [];
  readonly rejected: string[] = [];
  readonly envelopes: string[] = [];
  readonly #keep: (bytes: Uint8Array, row: Row) => Kept;

  constructor(keep: (bytes: Uint8Array, row: Row) => Kept) {
    this.#keep = keep;
  }

  resource(_: Uint8Array, ranges: ByteRanges): void {
    this.envelopes.push(`resource ${ranges.byteLength}`);
  }

  scope(_: Uint8Array, ranges: ByteRanges): void {
    this.envelopes.push(`scope ${ranges.byteLength}`);
  }

  add(bytes: Uint8Array, row: Row, ordinal: number): void {
    this.kept[ordinal] = this.#keep(bytes, row);
  }

  reject(ordinal: number, reason: string): void {
    this.rejected.push(`${ordinal}: ${reason}`);
  }
}

function protobufOf(signal: "logs" | "traces" | "metrics", request: unknown): Uint8Array {
  return otlpJsonToProtobuf(signal, Buffer.from(JSON.stringify(request)));
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}

describe("a span", () => {
  const request = protobufOf("traces", {
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: "5b8efff798038103d269b633813fc60c",
                spanId: "eee19b7ec3c1b174",
                parentSpanId: "0000000000000000",
                name: "capture",
                kind: 4,
                startTimeUnixNano: "86400000000001",
                endTimeUnixNano: "18446744073709551615",
                attributes: [{ key: "a", value: { intValue: 1 } }],
                events: [{ name: "one" }, { name: "two" }],
                links: [{ spanId: "eee19b7ec3c1b175" }],
                status: { code: 2, message: "late" },
                droppedEventsCount: 3,
                flags: 257,
              },
            ],
          },
        ],
      },
    ],
  });
  const keep = (bytes: Uint8Array, row: SpanRow): unknown => ({
    hasTrace: row.traceIdStart >= 0,
    hasParent: row.parentSpanIdStart >= 0,
    name: textOf(bytes, row.nameStart, row.nameEnd),
    kind: row.kind,
    start: [row.startDay, row.startNs],
    end: [row.endDay, row.endNs],
    status: [row.statusCode, textOf(bytes, row.statusMessageStart, row.statusMessageEnd)],
    counts: [row.attributeCount, row.events.count, row.links.count, row.droppedEvents],
    flags: row.flags,
  });

  test("is read with every field, times to the last nanosecond (TIME-001)", () => {
    const sink = new RecordingSink<SpanRow, unknown>(keep);
    expect(new TracesDecoder().decode(request, sink)).toBe(1);
    expect(sink.kept).toEqual([
      {
        hasTrace: true,
        hasParent: false,
        name: "capture",
        kind: 4,
        start: [1, 1],
        // 2^64 - 1 is 213503 days and some.
        end: [213_503, 84_873_709_551_615],
        status: [2, "late"],
        counts: [1, 1, 1, 3],
        flags: 257,
      },
    ]);
  });

  test("cut at any length is no request, or one without the span (OTLP-011)", () => {
    for (let length = 1; length < request.length; length++) {
      const sink = new RecordingSink<SpanRow, unknown>(keep);
      expect(() => new TracesDecoder().decode(request.subarray(0, length), sink)).toThrow(
        WireError,
      );
    }
  });
});

describe("metric points", () => {
  test("of all kinds are read, one record each", () => {
    const point = { timeUnixNano: "5", attributes: [{ key: "a", value: { boolValue: true } }] };
    const request = protobufOf("metrics", {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                { name: "g", gauge: { dataPoints: [{ ...point, asDouble: 1.5 }] } },
                {
                  name: "s",
                  sum: {
                    aggregationTemporality: 2,
                    isMonotonic: true,
                    dataPoints: [{ ...point, asInt: "-7" }, point],
                  },
                },
                { name: "h", histogram: { aggregationTemporality: 1, dataPoints: [point] } },
                { name: "e", exponentialHistogram: { dataPoints: [point] } },
                { name: "q", summary: { dataPoints: [point] } },
              ],
            },
          ],
        },
      ],
    });
    const sink = new RecordingSink<PointRow, unknown>((bytes, row) => [
      // Tag and length, then the name.
      textOf(bytes, row.metric.starts[0] + 2, row.metric.ends[0]),
      row.metricKind,
      row.temporality,
      row.isMonotonic,
      row.valueKind === 0 ? undefined : row.value,
      row.valueKind,
      row.attributeCount,
      row.timeNs,
    ]);
    expect(new MetricsDecoder().decode(request, sink)).toBe(6);
    expect(sink.kept).toEqual([
      ["g", 5, 0, 0, 1.5, VALUE_DOUBLE, 1, 5],
      ["s", 7, 2, 1, -7, VALUE_INT, 1, 5],
      ["s", 7, 2, 1, undefined, 0, 1, 5],
      ["h", 9, 1, 0, undefined, 0, 1, 5],
      ["e", 10, 0, 0, undefined, 0, 1, 5],
      ["q", 11, 0, 0, undefined, 0, 1, 5],
    ]);
  });
});

describe("envelopes", () => {
  test("may stand behind their records on the wire", () => {
    // resource group { scope group (2), resource (1) }: the parts in reverse.
    const scopeGroup = [0x12, 0x02, 0x12, 0x00];
    const resource = [0x0a, 0x00];
    const group = [...scopeGroup, ...resource];
    const bytes = Uint8Array.of(0x0a, group.length, ...group);
    const sink = new RecordingSink<unknown, string>(() => "kept");
    expect(new LogsDecoder().decode(bytes, sink)).toBe(1);
    // Both were told before the record, which alone makes it known to whom it belongs.
    expect(sink.envelopes).toEqual(["resource 2", "scope 0"]);
  });

  test("that are too large reject their records alone (SEC-005)", () => {
    const value = { stringValue: "x".repeat(1024 * 1024) };
    const scopeLogs = [{ logRecords: [{}, {}] }];
    const request = protobufOf("logs", {
      resourceLogs: [
        { resource: { attributes: [{ key: "a", value }] }, scopeLogs },
        { scopeLogs: [{ logRecords: [{}] }] },
      ],
    });
    const sink = new RecordingSink<unknown, string>(() => "kept");
    expect(new LogsDecoder().decode(request, sink)).toBe(3);
    expect(sink.rejected).toHaveLength(2);
    expect(sink.kept[2]).toBe("kept");
  });
});

test("groups, field number 0 and numbers without an end are refused (OTLP-011)", () => {
  const bad = [[0x0b], [0x02, 0x00], [0x08, ...Array.from({ length: 11 }, () => 0xff)], [0x0f]];
  for (const bytes of bad) {
    const sink = new RecordingSink<unknown, unknown>(() => undefined);
    expect(() => new LogsDecoder().decode(Uint8Array.from(bytes), sink)).toThrow(WireError);
  }
});
