import {
  JsonLogsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { describe, expect, test } from "vitest";
import { SIGNALS } from "../../src/core/record.ts";
import {
  encodeExportResponse,
  PARTIAL_SUCCESS_MESSAGE_BYTES_MAX,
} from "../../src/wire/export-response.ts";

const FULL_SUCCESS = { rejectedCount: 0, message: "" };

describe("the response to an export", () => {
  test.each(SIGNALS)("of %s is no byte, or {}, on full success (OTLP-008)", (signal) => {
    expect(encodeExportResponse(signal, FULL_SUCCESS, "protobuf")).toHaveLength(0);
    expect(text(encodeExportResponse(signal, FULL_SUCCESS, "json"))).toBe("{}");
  });

  test("counts what was rejected under the signal's own name, as a string (OTLP-010)", () => {
    const outcome = { rejectedCount: 3, message: "too large" };
    expect(text(encodeExportResponse("logs", outcome, "json"))).toBe(
      `{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too large"}}`,
    );
    expect(text(encodeExportResponse("traces", outcome, "json"))).toContain(`"rejectedSpans":"3"`);
    expect(text(encodeExportResponse("metrics", outcome, "json"))).toContain(
      `"rejectedDataPoints":"3"`,
    );
  });

  test("is what the official SDK reads (OTLP-010)", () => {
    const outcome = { rejectedCount: 300, message: "one was too large" };
    const logs = encodeExportResponse("logs", outcome, "protobuf");
    expect(ProtobufLogsSerializer.deserializeResponse(logs).partialSuccess).toMatchObject({
      rejectedLogRecords: 300,
      errorMessage: outcome.message,
    });
    const spans = encodeExportResponse("traces", outcome, "protobuf");
    expect(ProtobufTraceSerializer.deserializeResponse(spans).partialSuccess).toMatchObject({
      rejectedSpans: 300,
    });
    const points = encodeExportResponse("metrics", outcome, "protobuf");
    expect(ProtobufMetricsSerializer.deserializeResponse(points).partialSuccess).toMatchObject({
      rejectedDataPoints: 300,
    });
    expect(
      JsonLogsSerializer.deserializeResponse(encodeExportResponse("logs", outcome, "json")),
    ).toMatchObject({ partialSuccess: { errorMessage: outcome.message } });
    expect(
      JsonTraceSerializer.deserializeResponse(encodeExportResponse("traces", FULL_SUCCESS, "json"))
        .partialSuccess,
    ).toBeUndefined();
  });

  test("with a message and nothing rejected is a warning (OTLP-010)", () => {
    const outcome = { rejectedCount: 0, message: "slow down" };
    expect(text(encodeExportResponse("logs", outcome, "json"))).toBe(
      `{"partialSuccess":{"errorMessage":"slow down"}}`,
    );
    expect(Buffer.from(encodeExportResponse("logs", outcome, "protobuf")).toString("latin1")).toBe(
      "\n\u000b\u0012\tslow down",
    );
  });

  test("cuts a huge message at a character (OTLP-007)", () => {
    const outcome = { rejectedCount: 1, message: "😀".repeat(5_000_000) };
    for (const encoding of ["json", "protobuf"] as const) {
      const response = encodeExportResponse("logs", outcome, encoding);
      expect(response.length).toBeLessThan(PARTIAL_SUCCESS_MESSAGE_BYTES_MAX + 100);
      expect(text(response)).toContain("😀...");
      expect(text(response)).not.toContain("😀\ufffd");
    }
  });
});

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
