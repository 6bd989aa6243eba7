import { describe, expect, test } from "vitest";
import {
  encodeStatus,
  GRPC_CODE,
  httpStatusOfGrpcCode,
  isRetryableGrpcCode,
  isRetryableHttpStatus,
  STATUS_MESSAGE_BYTES_MAX,
} from "../../src/wire/rpc-status.ts";
import { decodeReference } from "./otlp-reference.ts";

const JSON_STATUS = { encoding: "json" } as const;
const PROTOBUF_STATUS = { encoding: "protobuf" } as const;

function parsed(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

describe("codes", () => {
  test.each([
    ["OK", 200, false],
    ["CANCELLED", 503, true],
    ["UNKNOWN", 500, false],
    ["INVALID_ARGUMENT", 400, false],
    ["DEADLINE_EXCEEDED", 503, true],
    ["NOT_FOUND", 500, false],
    ["ALREADY_EXISTS", 500, false],
    ["PERMISSION_DENIED", 403, false],
    ["RESOURCE_EXHAUSTED", 429, false],
    ["FAILED_PRECONDITION", 500, false],
    ["ABORTED", 503, true],
    ["OUT_OF_RANGE", 503, true],
    ["UNIMPLEMENTED", 404, false],
    ["INTERNAL", 500, false],
    ["UNAVAILABLE", 503, true],
    ["DATA_LOSS", 503, true],
    ["UNAUTHENTICATED", 401, false],
  ] as const)(
    "%s is HTTP %i over OTLP/HTTP, retryable without RetryInfo: %s (OTLP-013, OTLP-014, CONF-002)",
    (name, httpStatus, isRetryable) => {
      expect(httpStatusOfGrpcCode(GRPC_CODE[name])).toBe(httpStatus);
      expect(isRetryableGrpcCode(GRPC_CODE[name], false)).toBe(isRetryable);
    },
  );

  test("RetryInfo makes RESOURCE_EXHAUSTED retryable, and no other code (OTLP-013)", () => {
    expect(isRetryableGrpcCode(GRPC_CODE.RESOURCE_EXHAUSTED, true)).toBe(true);
    expect(isRetryableGrpcCode(GRPC_CODE.INVALID_ARGUMENT, true)).toBe(false);
  });

  test("four HTTP statuses are retryable and no others (OTLP-012)", () => {
    const all = Array.from({ length: 500 }, (_, index) => index + 100);
    expect(all.filter(isRetryableHttpStatus)).toEqual([429, 502, 503, 504]);
  });
});

describe("google.rpc.Status", () => {
  test("in JSON is code and message (OTLP-011)", () => {
    const bytes = encodeStatus({ code: 3, message: 'bad "id"', ...JSON_STATUS });
    expect(Buffer.from(bytes).toString()).toBe(`{"code":3,"message":"bad \\"id\\""}`);
  });

  test("in protobuf has exactly these bytes (OTLP-011)", () => {
    const bytes = encodeStatus({ code: 3, message: "bad", ...PROTOBUF_STATUS });
    expect(Buffer.from(bytes).toString("hex")).toBe("08031203626164");
  });

  test.each([
    [1500, "1.500s", { seconds: "1", nanos: 500_000_000 }],
    [2000, "2s", { seconds: "2" }],
    [7, "0.007s", { nanos: 7_000_000 }],
    [0.2, "0.001s", { nanos: 1_000_000 }],
    [0, "0s", {}],
    [-5, "0s", {}],
  ])("RetryInfo says %d ms in both encodings (OTLP-013)", (retryAfterMs, text, duration) => {
    const status = { code: GRPC_CODE.UNAVAILABLE, message: "busy", retryAfterMs };
    expect(parsed(encodeStatus({ ...status, ...JSON_STATUS }))).toEqual({
      code: 14,
      message: "busy",
      details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: text }],
    });
    expect(details(encodeStatus({ ...status, ...PROTOBUF_STATUS }))).toEqual([
      ["type.googleapis.com/google.rpc.RetryInfo", { retryDelay: duration }],
    ]);
  });

  test("BadRequest names the fields in both encodings (OTLP-011)", () => {
    const badRequest = [{ field: "resourceLogs[0]", description: "not an object" }];
    const status = { code: GRPC_CODE.INVALID_ARGUMENT, message: "no", badRequest };
    expect(parsed(encodeStatus({ ...status, ...JSON_STATUS }))).toMatchObject({
      details: [
        { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: badRequest },
      ],
    });
    expect(details(encodeStatus({ ...status, ...PROTOBUF_STATUS }))).toEqual([
      ["type.googleapis.com/google.rpc.BadRequest", { fieldViolations: badRequest }],
    ]);
  });

  test("a long message is cut at a character", () => {
    const message = "é".repeat(STATUS_MESSAGE_BYTES_MAX);
    const bytes = encodeStatus({ code: 3, message, ...JSON_STATUS });
    expect(bytes.length).toBeLessThan(STATUS_MESSAGE_BYTES_MAX + 40);
    expect(Buffer.from(bytes).toString()).toMatch(/"é+\.\.\."}$/);
  });
});

/** The details of a status in protobuf, as type and content. */
function details(bytes: Uint8Array): unknown {
  const status = decodeReference("StatusReply", bytes);
  if (!hasDetails(status)) return [];
  return status.details.map(({ typeUrl, value }) => [
    typeUrl,
    decodeReference(typeUrl.split(".").at(-1) ?? "", Buffer.from(value, "base64")),
  ]);
}

function hasDetails(
  status: unknown,
): status is { readonly details: readonly { typeUrl: string; value: string }[] } {
  return typeof status === "object" && status !== null && "details" in status;
}
