import type { Server } from "node:net";
import { assert } from "../core/assert.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import type { AppendResult, Ingest } from "../log-store/ingest.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { Encoding } from "../wire/encoding.ts";
import { otlpJsonToProtobuf } from "../wire/otlp-json.ts";
import type { TokenAuthenticator } from "./authentication.ts";
import type { MemoryLimiter } from "./memory-limiter.ts";
import type { ReceiverStats } from "./receiver-stats.ts";
import type { Refusal } from "./refusal.ts";
import { refusalOfError, refuse } from "./refusal.ts";
import type { BodyPace } from "./request-body.ts";

/** What both OTLP receivers are started with. */
export interface OtlpReceiverOptions {
  readonly host: string;
  /** 0 takes any free port; `address` then says which. */
  readonly port: number;
  /** PEM. Without it the receiver speaks plain text. */
  readonly tls?: ReceiverTls;
  /** Without it everyone may send, as the principal "". */
  readonly authenticator?: TokenAuthenticator;
  readonly limiter: MemoryLimiter;
  readonly ingest: Ingest;
  readonly log: Logger;
  /** One request, before and after decompression; `REQUEST_BYTES_MAX` where it is not given. */
  readonly requestBytesMax?: number;
  /** Where requests are counted; the receiver's own where it is not given. */
  readonly stats?: ReceiverStats;
  readonly limits?: Partial<ReceiverLimits>;
}

export interface ReceiverTls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface ReceiverAddress {
  readonly host: string;
  readonly port: number;
}

/** What one client, or all of them, may hold of a receiver (SEC-006). */
export interface ReceiverLimits {
  /** From the connection to the end of the first request's headers, TLS included. */
  readonly headersMs: number;
  /** From a request's first byte to its last. */
  readonly requestMs: number;
  /** Bodies that come slower than this after the grace are refused. */
  readonly bodyGraceMs: number;
  readonly bodyBytesPerSecondMin: number;
  /** A connection without a request is closed. */
  readonly idleMs: number;
  /** How long the rest of a refused body is read and thrown away, so that the answer arrives. */
  readonly lingerMs: number;
  readonly connectionsMax: number;
  /** Calls at once on one HTTP/2 connection (OTLP-021). */
  readonly concurrentStreamsMax: number;
}

export const RECEIVER_LIMITS: ReceiverLimits = {
  headersMs: 15_000,
  requestMs: 60_000,
  bodyGraceMs: 5_000,
  bodyBytesPerSecondMin: 4 * 1024,
  idleMs: 300_000,
  lingerMs: 2_000,
  connectionsMax: 4_096,
  concurrentStreamsMax: 100,
};

export function paceOf(limits: ReceiverLimits): BodyPace {
  return {
    graceMs: limits.bodyGraceMs,
    bytesPerSecondMin: limits.bodyBytesPerSecondMin,
    wholeMs: limits.requestMs,
  };
}

/** What came of one request. */
export type Outcome =
  | { readonly status: "stored"; readonly rejectedCount: number; readonly message: string }
  | { readonly status: "refused"; readonly refusal: Refusal };

export interface Submission {
  readonly signal: Signal;
  /** Decompressed. */
  readonly body: Uint8Array;
  readonly encoding: Encoding;
  readonly principal: string;
}

/** Hands one request to the store. Never throws: what is thrown below becomes a refusal. */
export async function submit(
  ingest: Ingest,
  log: Logger,
  { signal, body, encoding, principal }: Submission,
): Promise<Outcome> {
  try {
    const protobuf = encoding === "json" ? otlpJsonToProtobuf(signal, body) : body;
    return outcomeOf(await ingest.append({ signal, body: protobuf, principal }));
  } catch (error) {
    const refusal = refusalOfError(error);
    if (refusal.reason !== "invalid") {
      log.error("a request could not be stored", { signal, error: errorMessage(error) });
    }
    return { status: "refused", refusal };
  }
}

function outcomeOf(result: AppendResult): Outcome {
  switch (result.status) {
    case "stored":
      return result;
    case "invalid":
      return { status: "refused", refusal: refuse("invalid", result.message) };
    case "unavailable":
      return {
        status: "refused",
        refusal: refuse("unavailable", result.message, result.retryAfterMs),
      };
  }
}

/**
 * The address to bind. `localhost` is 127.0.0.1: one socket, whose limits hold for all of it, where
 * the name may stand for two addresses.
 */
export function hostToBind(host: string): string {
  return host === "localhost" ? "127.0.0.1" : host;
}

export function boundAddress(server: Server): ReceiverAddress {
  const bound = server.address();
  assert(typeof bound === "object" && bound !== null, "the server listens on a TCP port");
  return { host: bound.address, port: bound.port };
}

/** What a failed start means. Errors: none; gives the `AppError` to throw. */
export function startError(
  error: unknown,
  { host, port, tls }: Pick<OtlpReceiverOptions, "host" | "port" | "tls">,
): AppError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const where = `${host}:${port}`;
  if (code === "EADDRINUSE") {
    return new AppError("ADDRESS_IN_USE", `cannot listen on ${where}: the address is in use`, {
      cause: error,
    });
  }
  if (tls !== undefined && /^ERR_(?:OSSL|SSL|TLS|CRYPTO)/.test(code)) {
    const message = `cannot use the TLS certificate and key for ${where}: ${errorMessage(error)}`;
    return new AppError("CONFIG_INVALID", message, { cause: error });
  }
  const message = `cannot listen on ${where}: ${errorMessage(error)}`;
  return new AppError("LISTEN_FAILED", message, { cause: error });
}
