import { describe, expect, test } from "vitest";
import type { AnyValue, AttributeMap } from "../../src/core/any-value.ts";
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTracesRequest,
} from "../../src/wire/otlp-encode.ts";
import { otlpProtobufToJson } from "../../src/wire/otlp-to-json.ts";
import { decodeReferenceRequest } from "./otlp-reference.ts";

function attributes(entries: Readonly<Record<string, AnyValue>>): AttributeMap {
  return new Map(Object.entries(entries));
}

const ENVELOPE = { resource: attributes({ "service.name": "camera" }), scopeName: "capture" };
const NONE = attributes({});
const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";

describe("plain requests", () => {
  test("a log record has every field it was given, and no other", () => {
    const bytes = encodeLogsRequest({
      ...ENVELOPE,
      records: [
        {
          timeUnixNs: 1736282046298518000n,
          observedTimeUnixNs: 1736282046298518001n,
          severityNumber: 13,
          severityText: "WARN",
          body: "late frame",
          attributes: attributes({ frame: 7n }),
          traceId: TRACE_ID,
          spanId: SPAN_ID,
          traceFlags: 1,
          eventName: "frame.late",
        },
        { timeUnixNs: 1n, severityNumber: 0, severityText: "", body: null, attributes: NONE },
      ],
    });
    expect(decodeReferenceRequest("logs", bytes)).toEqual({
      resourceLogs: [
        {
          resource: { attributes: [{ key: "service.name", value: { stringValue: "camera" } }] },
          scopeLogs: [
            {
              scope: { name: "capture" },
              logRecords: [
                {
                  timeUnixNano: "1736282046298518000",
                  observedTimeUnixNano: "1736282046298518001",
                  severityNumber: 13,
                  severityText: "WARN",
                  body: { stringValue: "late frame" },
                  attributes: [{ key: "frame", value: { intValue: "7" } }],
                  traceId: Buffer.from(TRACE_ID, "hex").toString("base64"),
                  spanId: Buffer.from(SPAN_ID, "hex").toString("base64"),
                  flags: 1,
                  eventName: "frame.late",
                },
                { timeUnixNano: "1" },
              ],
            },
          ],
        },
      ],
    });
  });

  test.each<readonly [AnyValue, string]>([
    ["", `{"stringValue":""}`],
    [false, `{"boolValue":false}`],
    [0n, `{"intValue":"0"}`],
    [-(2n ** 63n), `{"intValue":"-9223372036854775808"}`],
    [2n ** 53n + 1n, `{"intValue":"9007199254740993"}`],
    [3, `{"doubleValue":3}`],
    [Number.NaN, `{"doubleValue":"NaN"}`],
    [-0, `{"doubleValue":-0}`],
    [new Uint8Array([255]), `{"bytesValue":"/w=="}`],
    [[], `{"arrayValue":{}}`],
    [
      ["a", null, [1n]],
      `{"arrayValue":{"values":[{"stringValue":"a"},{},{"arrayValue":{"values":[{"intValue":"1"}]}}]}}`,
    ],
    [new Map(), `{"kvlistValue":{}}`],
    [new Map([["__proto__", null]]), `{"kvlistValue":{"values":[{"key":"__proto__","value":{}}]}}`],
  ])("a value of %s is %s (OTLP-027)", (body, expected) => {
    const bytes = encodeLogsRequest({
      resource: NONE,
      scopeName: "",
      records: [{ timeUnixNs: 0n, severityNumber: 0, severityText: "", body, attributes: NONE }],
    });
    expect(otlpProtobufToJson("logs", bytes)).toBe(
      `{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{},"logRecords":[{"body":${expected}}]}]}]}`,
    );
  });

  test("a span has its events, links and status", () => {
    const bytes = encodeTracesRequest({
      ...ENVELOPE,
      spans: [
        {
          traceId: TRACE_ID,
          spanId: SPAN_ID,
          parentSpanId: "00f067aa0ba902b7",
          traceState: "a=b",
          name: "detect",
          kind: 5,
          startTimeUnixNs: 10n,
          endTimeUnixNs: 20n,
          attributes: attributes({ boxes: 3n }),
          events: [{ timeUnixNs: 15n, name: "ready", attributes: attributes({ ok: true }) }],
          links: [{ traceId: TRACE_ID, spanId: SPAN_ID, attributes: attributes({ n: 1.5 }) }],
          statusCode: 2,
          statusMessage: "low confidence",
        },
      ],
    });
    const id = (hex: string): string => Buffer.from(hex, "hex").toString("base64");
    expect(decodeReferenceRequest("traces", bytes)).toMatchObject({
      resourceSpans: [
        {
          scopeSpans: [
            {
              spans: [
                {
                  traceId: id(TRACE_ID),
                  spanId: id(SPAN_ID),
                  parentSpanId: id("00f067aa0ba902b7"),
                  traceState: "a=b",
                  name: "detect",
                  kind: 5,
                  startTimeUnixNano: "10",
                  endTimeUnixNano: "20",
                  attributes: [{ key: "boxes", value: { intValue: "3" } }],
                  events: [
                    {
                      timeUnixNano: "15",
                      name: "ready",
                      attributes: [{ key: "ok", value: { boolValue: true } }],
                    },
                  ],
                  links: [
                    {
                      traceId: id(TRACE_ID),
                      spanId: id(SPAN_ID),
                      attributes: [{ key: "n", value: { doubleValue: 1.5 } }],
                    },
                  ],
                  status: { code: 2, message: "low confidence" },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  test("a gauge and a sum carry integers and doubles", () => {
    const bytes = encodeMetricsRequest({
      ...ENVELOPE,
      metrics: [
        {
          name: "temperature",
          unit: "Cel",
          type: { kind: "gauge" },
          points: [{ timeUnixNs: 5n, value: 41.5, attributes: attributes({ head: "left" }) }],
        },
        {
          name: "frames",
          description: "taken",
          type: { kind: "sum", isMonotonic: true },
          points: [{ startTimeUnixNs: 1n, timeUnixNs: 5n, value: -7n, attributes: NONE }],
        },
      ],
    });
    expect(decodeReferenceRequest("metrics", bytes)).toMatchObject({
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name: "temperature",
                  unit: "Cel",
                  gauge: {
                    dataPoints: [
                      {
                        timeUnixNano: "5",
                        asDouble: 41.5,
                        attributes: [{ key: "head", value: { stringValue: "left" } }],
                      },
                    ],
                  },
                },
                {
                  name: "frames",
                  description: "taken",
                  sum: {
                    aggregationTemporality: 2,
                    isMonotonic: true,
                    dataPoints: [{ startTimeUnixNano: "1", timeUnixNano: "5", asInt: "-7" }],
                  },
                },
              ],
            },
          ],
        },
      ],
    });
  });
});
