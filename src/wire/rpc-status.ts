import { cutText } from "./cut-text.ts";
import type { Encoding } from "./encoding.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** Status codes of gRPC. Source: grpc/grpc doc/statuscodes.md. */
export const GRPC_CODE = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcCode = (typeof GRPC_CODE)[keyof typeof GRPC_CODE];

/** What a code means to an OTLP sender: the HTTP status beside it, and whether to send again. */
interface CodeMeaning {
  readonly httpStatus: number;
  /** "throttled" may be sent again only where RetryInfo comes with it (OTLP-013). */
  readonly retry: "always" | "throttled" | "never";
}

const RETRYABLE: CodeMeaning = { httpStatus: 503, retry: "always" };
const SERVER_FAULT: CodeMeaning = { httpStatus: 500, retry: "never" };

/** Source: the Collector's OTLP receiver (OTLP-014); OTLP specification "Failures" (OTLP-013). */
const MEANINGS: Readonly<Record<GrpcCode, CodeMeaning>> = {
  [GRPC_CODE.OK]: { httpStatus: 200, retry: "never" },
  [GRPC_CODE.CANCELLED]: RETRYABLE,
  [GRPC_CODE.UNKNOWN]: SERVER_FAULT,
  [GRPC_CODE.INVALID_ARGUMENT]: { httpStatus: 400, retry: "never" },
  [GRPC_CODE.DEADLINE_EXCEEDED]: RETRYABLE,
  [GRPC_CODE.NOT_FOUND]: SERVER_FAULT,
  [GRPC_CODE.ALREADY_EXISTS]: SERVER_FAULT,
  [GRPC_CODE.PERMISSION_DENIED]: { httpStatus: 403, retry: "never" },
  [GRPC_CODE.RESOURCE_EXHAUSTED]: { httpStatus: 429, retry: "throttled" },
  [GRPC_CODE.FAILED_PRECONDITION]: SERVER_FAULT,
  [GRPC_CODE.ABORTED]: RETRYABLE,
  [GRPC_CODE.OUT_OF_RANGE]: RETRYABLE,
  [GRPC_CODE.UNIMPLEMENTED]: { httpStatus: 404, retry: "never" },
  [GRPC_CODE.INTERNAL]: SERVER_FAULT,
  [GRPC_CODE.UNAVAILABLE]: RETRYABLE,
  [GRPC_CODE.DATA_LOSS]: RETRYABLE,
  [GRPC_CODE.UNAUTHENTICATED]: { httpStatus: 401, retry: "never" },
};

/** The HTTP status that says over OTLP/HTTP what `code` says over gRPC (OTLP-014). */
export function httpStatusOfGrpcCode(code: GrpcCode): number {
  return MEANINGS[code].httpStatus;
}

/** Whether a sender may send the same request again (OTLP-013). */
export function isRetryableGrpcCode(code: GrpcCode, hasRetryInfo: boolean): boolean {
  const { retry } = MEANINGS[code];
  return retry === "always" || (retry === "throttled" && hasRetryInfo);
}

/** Whether a sender may send the same request again: these four and no others (OTLP-012). */
export function isRetryableHttpStatus(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

/** A status message is at most this long: gRPC carries it in a header too. */
export const STATUS_MESSAGE_BYTES_MAX = 1024;

/** One part of a request that is wrong, as `google.rpc.BadRequest` names it. */
export interface FieldViolation {
  /** Path of the field, such as `resourceLogs[0].schemaUrl`; "" where none can be named. */
  readonly field: string;
  readonly description: string;
}

export interface StatusToEncode {
  readonly code: GrpcCode;
  readonly message: string;
  /** When to send again, as a `RetryInfo` detail. */
  readonly retryAfterMs?: number;
  /** What was wrong, as a `BadRequest` detail. */
  readonly badRequest?: readonly FieldViolation[];
  readonly encoding: Encoding;
}

/**
 * The bytes of a `google.rpc.Status`: the body of every OTLP/HTTP error, and the value of
 * `grpc-status-details-bin` (OTLP-011).
 *
 * Limits: message and descriptions are cut at `STATUS_MESSAGE_BYTES_MAX`.
 * Source: google/rpc/status.proto, error_details.proto; protobuf "ProtoJSON Format" for `Any` and
 *         `Duration`.
 */
export function encodeStatus(status: StatusToEncode): Uint8Array {
  return status.encoding === "json" ? encodeJson(status) : encodeProtobuf(status);
}

const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest";

function encodeJson(status: StatusToEncode): Uint8Array {
  const details: object[] = [];
  if (status.retryAfterMs !== undefined) {
    const { seconds, nanoseconds } = toDuration(status.retryAfterMs);
    const milliseconds = String(nanoseconds / 1e6).padStart(3, "0");
    const retryDelay = nanoseconds === 0 ? `${seconds}s` : `${seconds}.${milliseconds}s`;
    details.push({ "@type": RETRY_INFO, retryDelay });
  }
  if (status.badRequest !== undefined) {
    const fieldViolations = status.badRequest.map(({ field, description }) => ({
      field,
      description: cutText(description, STATUS_MESSAGE_BYTES_MAX),
    }));
    details.push({ "@type": BAD_REQUEST, fieldViolations });
  }
  const message = cutText(status.message, STATUS_MESSAGE_BYTES_MAX);
  const body =
    details.length === 0 ? { code: status.code, message } : { code: status.code, message, details };
  return Buffer.from(JSON.stringify(body));
}

function encodeProtobuf(status: StatusToEncode): Uint8Array {
  const writer = new ProtobufWriter();
  writer.uint32Field(1, status.code);
  writer.textField(2, cutText(status.message, STATUS_MESSAGE_BYTES_MAX));
  if (status.retryAfterMs !== undefined) {
    writeDetail(writer, RETRY_INFO, encodeRetryInfo(status.retryAfterMs));
  }
  if (status.badRequest !== undefined) {
    writeDetail(writer, BAD_REQUEST, encodeBadRequest(status.badRequest));
  }
  return writer.finish();
}

/** Writes a `google.protobuf.Any` into `details`. */
function writeDetail(writer: ProtobufWriter, typeUrl: string, value: Uint8Array): void {
  const mark = writer.beginField(3);
  writer.textField(1, typeUrl);
  writer.bytesField(2, value);
  writer.end(mark);
}

function encodeRetryInfo(retryAfterMs: number): Uint8Array {
  const { seconds, nanoseconds } = toDuration(retryAfterMs);
  const writer = new ProtobufWriter({ initialBytes: 32 });
  const mark = writer.beginField(1);
  writer.uint32Field(1, seconds);
  writer.uint32Field(2, nanoseconds);
  writer.end(mark);
  return writer.finish();
}

function encodeBadRequest(violations: readonly FieldViolation[]): Uint8Array {
  const writer = new ProtobufWriter();
  for (const { field, description } of violations) {
    const mark = writer.beginField(1);
    writer.textField(1, field);
    writer.textField(2, cutText(description, STATUS_MESSAGE_BYTES_MAX));
    writer.end(mark);
  }
  return writer.finish();
}

/** Whole milliseconds, rounded up, so that nobody comes back too early. */
function toDuration(durationMs: number): {
  readonly seconds: number;
  readonly nanoseconds: number;
} {
  const wholeMs = Math.max(0, Math.ceil(durationMs));
  return { seconds: Math.floor(wholeMs / 1000), nanoseconds: (wholeMs % 1000) * 1e6 };
}
