import { AppError, errorMessage, ERRORS } from "../core/errors.ts";
import type { Encoding } from "../wire/encoding.ts";
import type { GrpcCode } from "../wire/rpc-status.ts";
import { encodeStatus, GRPC_CODE, httpStatusOfGrpcCode } from "../wire/rpc-status.ts";
import { WireError } from "../wire/wire-error.ts";

/**
 * Why a request was not stored, and how each transport says it. `httpStatus` stands where HTTP has
 * a word of its own; the others follow from the code.
 */
const REFUSALS = {
  auth: { code: GRPC_CODE.UNAUTHENTICATED },
  path: { code: GRPC_CODE.UNIMPLEMENTED },
  method: { code: GRPC_CODE.UNIMPLEMENTED, httpStatus: 405 },
  content_type: { code: GRPC_CODE.INVALID_ARGUMENT, httpStatus: 415 },
  encoding: { code: GRPC_CODE.UNIMPLEMENTED, httpStatus: 415 },
  /** Not 429 and no RetryInfo: the same request will be too large again (OTLP-006). */
  too_large: { code: GRPC_CODE.RESOURCE_EXHAUSTED, httpStatus: 413 },
  /** The sender was slower than the pace that a body must keep (SEC-006). */
  slow: { code: GRPC_CODE.CANCELLED, httpStatus: 408 },
  /** Bytes that are no HTTP, no gRPC, no gzip, no JSON or no OTLP. */
  invalid: { code: GRPC_CODE.INVALID_ARGUMENT },
  memory: { code: GRPC_CODE.UNAVAILABLE },
  /** The store cannot take it now. */
  unavailable: { code: GRPC_CODE.UNAVAILABLE },
  /** The service is stopping. */
  closing: { code: GRPC_CODE.UNAVAILABLE },
  /** A permanent fault of ours. */
  internal: { code: GRPC_CODE.INTERNAL },
  /** The client went away; nobody reads the answer. */
  aborted: { code: GRPC_CODE.CANCELLED },
} as const satisfies Readonly<
  Record<string, { readonly code: GrpcCode; readonly httpStatus?: number }>
>;

export type RefusalReason = keyof typeof REFUSALS;

/** A request that was not stored. */
export interface Refusal {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly code: GrpcCode;
  readonly httpStatus: number;
  /** Set where the same request may go through later. */
  readonly retryAfterMs?: number;
}

/** What a client is told where nobody knows better. */
const RETRY_AFTER_MS = 1000;

export function refuse(reason: RefusalReason, message: string, retryAfterMs?: number): Refusal {
  const entry: { readonly code: GrpcCode; readonly httpStatus?: number } = REFUSALS[reason];
  const refusal = {
    reason,
    message,
    code: entry.code,
    httpStatus: entry.httpStatus ?? httpStatusOfGrpcCode(entry.code),
  };
  if (entry.code !== GRPC_CODE.UNAVAILABLE) return refusal;
  return { ...refusal, retryAfterMs: retryAfterMs ?? RETRY_AFTER_MS };
}

/**
 * A refusal as google.rpc.Status (OTLP-011), with RetryInfo where the request may be sent again and
 * with BadRequest where its bytes are at fault.
 */
export function encodeRefusal(refusal: Refusal, encoding: Encoding): Uint8Array {
  const { code, message, reason, retryAfterMs } = refusal;
  return encodeStatus({
    code,
    message,
    encoding,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(reason === "invalid" && { badRequest: [{ field: "body", description: message }] }),
  });
}

/**
 * The refusal that something thrown stands for (OTLP-014): bad bytes are the sender's fault, a
 * failure that we know says itself whether it lasts, anything else may pass.
 */
export function refusalOfError(error: unknown): Refusal {
  if (error instanceof WireError) return refuse("invalid", error.message);
  if (!(error instanceof AppError)) return refuse("unavailable", "the request could not be stored");
  const { httpStatus } = ERRORS[error.code];
  if (httpStatus === 503) return refuse("unavailable", error.message);
  return refuse(httpStatus === 400 ? "invalid" : "internal", errorMessage(error));
}
