import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import http2 from "node:http2";
import type { Server, Socket } from "node:net";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import type { Signal } from "../core/record.ts";
import { encodeExportResponse } from "../wire/export-response.ts";
import { frameMessage, GrpcMessageReader, refusalTrailers } from "./grpc-message.ts";
import type {
  Outcome,
  OtlpReceiverOptions,
  ReceiverAddress,
  ReceiverLimits,
} from "./otlp-receiver.ts";
import {
  boundAddress,
  hostToBind,
  paceOf,
  RECEIVER_LIMITS,
  startError,
  submit,
} from "./otlp-receiver.ts";
import { ReceiverStats } from "./receiver-stats.ts";
import type { Refusal } from "./refusal.ts";
import { refuse } from "./refusal.ts";
import { inflateBody, readInto } from "./request-body.ts";

/** The one method of each OTLP service (OTLP-002). */
const SIGNAL_BY_PATH: ReadonlyMap<string, Signal> = new Map([
  ["/opentelemetry.proto.collector.logs.v1.LogsService/Export", "logs"],
  ["/opentelemetry.proto.collector.trace.v1.TraceService/Export", "traces"],
  ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "metrics"],
]);

/** What a sender may have under way on one call, and on one connection, before we have read it. */
const STREAM_WINDOW_BYTES = 256 * 1024;
const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** Of nghttp2 for one connection, in MB: headers and what waits to be sent. */
const SESSION_MEMORY_MB = 64;

const RESPONSE_HEADERS = {
  ":status": 200,
  "content-type": "application/grpc",
  "grpc-accept-encoding": "identity,gzip",
} as const;

/**
 * Receives OTLP over gRPC: the unary Export call of the three services, plain or gzip.
 *
 * It speaks gRPC's framing over node:http2 itself, and does not use the server of grpc-js, which
 * gathers a message of up to 64 MiB, then copies it, then inflates it, before anyone hears of it:
 * there is no place to count its bytes first (PIPE-003). Here a call's credentials are checked
 * before it is read, its message is reserved once the five bytes of its length are there, and
 * HTTP/2 flow control holds the rest at the sender.
 *
 * Errors: `start` throws `ADDRESS_IN_USE`, `LISTEN_FAILED` or `CONFIG_INVALID`; a call's failure is
 *         its status.
 * Source: gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md); OTLP specification, "OTLP/gRPC".
 */
export class OtlpGrpcReceiver {
  readonly transport = "grpc";
  readonly stats: ReceiverStats;
  readonly #options: OtlpReceiverOptions;
  readonly #limits: ReceiverLimits;
  readonly #bytesMax: number;
  readonly #server: Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(options: OtlpReceiverOptions) {
    this.#options = options;
    this.#limits = { ...RECEIVER_LIMITS, ...options.limits };
    this.stats = options.stats ?? new ReceiverStats();
    // A request that the limiter could never hold is too large, not to be sent again.
    this.#bytesMax = Math.min(
      options.requestBytesMax ?? REQUEST_BYTES_MAX,
      options.limiter.inFlightBytesMax,
    );
    this.#server = this.#createServer();
  }

  static async start(options: OtlpReceiverOptions): Promise<OtlpGrpcReceiver> {
    try {
      const receiver = new OtlpGrpcReceiver(options);
      await new Promise<void>((resolve, reject) => {
        receiver.#server.once("error", reject);
        receiver.#server.listen({ host: hostToBind(options.host), port: options.port }, () => {
          receiver.#server.off("error", reject);
          resolve();
        });
      });
      return receiver;
    } catch (error) {
      throw startError(error, options);
    }
  }

  /** Where it listens. */
  get address(): ReceiverAddress {
    return boundAddress(this.#server);
  }

  /** Takes no further calls, answers those that are running, and gives up at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, deadlineMs);
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const session of this.#sessions) session.close();
    await closed;
    clearTimeout(timer);
  }

  #createServer(): Server {
    const { tls } = this.#options;
    const options = {
      maxSessionMemory: SESSION_MEMORY_MB,
      settings: {
        maxConcurrentStreams: this.#limits.concurrentStreamsMax,
        initialWindowSize: STREAM_WINDOW_BYTES,
        enablePush: false,
      },
    };
    const server =
      tls === undefined
        ? http2.createServer(options)
        : http2.createSecureServer({
            ...options,
            ...tls,
            minVersion: "TLSv1.2",
            handshakeTimeout: this.#limits.headersMs,
          });
    server.maxConnections = this.#limits.connectionsMax;
    server.on("session", (session: ServerHttp2Session) => this.#watch(session));
    server.on("secureConnection", (socket: Socket) => socket.on("error", () => {}));
    server.on("sessionError", () => this.stats.add(this.transport, "invalid"));
    server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      void this.#answer(stream, headers);
    });
    return server;
  }

  /** Closes connections on which nothing happens (SEC-006). */
  #watch(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.setTimeout(this.#limits.headersMs);
    let hasCalled = false;
    session.once("stream", () => {
      hasCalled = true;
      session.setTimeout(this.#limits.idleMs);
    });
    session.on("timeout", () => {
      if (hasCalled) session.close();
      else session.destroy();
    });
    session.once("close", () => this.#sessions.delete(session));
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    // A stream that fails is also closed, and that is what is looked at.
    stream.on("error", () => {});
    const httpStatus = httpRefusal(headers);
    if (httpStatus !== undefined) {
      this.stats.add(this.transport, httpStatus === 405 ? "method" : "content_type");
      stream.respond({ ":status": httpStatus }, { endStream: true });
      this.#discard(stream);
      return;
    }
    const signal = SIGNAL_BY_PATH.get(headers[":path"] ?? "") ?? "none";
    const outcome = await this.#store(signal, stream, headers);
    this.stats.add(this.transport, outcome.status === "stored" ? "stored" : outcome.refusal.reason);
    if (stream.destroyed || stream.closed) return;
    if (outcome.status === "stored" && signal !== "none") {
      stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(frameMessage(encodeExportResponse(signal, outcome, "protobuf")));
    } else if (outcome.status === "refused") {
      const trailers = refusalTrailers(outcome.refusal);
      stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
      this.#discard(stream);
    }
  }

  async #store(
    signal: Signal | "none",
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): Promise<Outcome> {
    const { authenticator, limiter, ingest, log } = this.#options;
    const principal =
      authenticator === undefined ? "" : authenticator.authenticate(headers.authorization);
    if (principal === undefined) {
      return refused("auth", "give a token of this service: authorization: Bearer TOKEN");
    }
    if (signal === "none") {
      return refused("path", `no such method; served are ${[...SIGNAL_BY_PATH.keys()].join(", ")}`);
    }
    const reader = new GrpcMessageReader(limiter, this.#bytesMax);
    try {
      const body = await this.#read(stream, reader, encodingOf(headers));
      if ("reason" in body) return { status: "refused", refusal: body };
      return await submit(ingest, log, { signal, body, encoding: "protobuf", principal });
    } finally {
      reader.reservation?.release();
    }
  }

  /** The call's message, inflated, or the refusal. */
  async #read(
    stream: ServerHttp2Stream,
    reader: GrpcMessageReader,
    encoding: string,
  ): Promise<Buffer | Refusal> {
    const refusal = await readInto(stream, reader, paceOf(this.#limits));
    if (refusal !== undefined) return refusal;
    // A stream that the client resets ends like one that is whole.
    if (stream.aborted) return refuse("aborted", "the client cancelled the call");
    const message = reader.finish();
    if ("reason" in message) return message;
    const { reservation } = reader;
    if (!message.isCompressed || reservation === undefined) return message.body;
    if (encoding !== "gzip") {
      return refuse(
        "encoding",
        `the message is compressed as "${encoding}"; send gzip or identity`,
      );
    }
    const inflated = await inflateBody(message.body, { reservation, bytesMax: this.#bytesMax });
    return inflated.status === "read" ? inflated.body : inflated.refusal;
  }

  /** Throws away what still comes of a call that was answered, and soon asks for its end. */
  #discard(stream: ServerHttp2Stream): void {
    stream.resume();
    const timer = setTimeout(() => {
      stream.close(http2.constants.NGHTTP2_NO_ERROR);
    }, this.#limits.lingerMs);
    stream.once("close", () => clearTimeout(timer));
  }
}

function refused(reason: Refusal["reason"], message: string): Outcome {
  return { status: "refused", refusal: refuse(reason, message) };
}

/** The HTTP status for a request that is no gRPC call at all. */
function httpRefusal(headers: IncomingHttpHeaders): number | undefined {
  if (headers[":method"] !== "POST") return 405;
  return headers["content-type"]?.startsWith("application/grpc") === true ? undefined : 415;
}

function encodingOf(headers: IncomingHttpHeaders): string {
  const encoding = headers["grpc-encoding"];
  return typeof encoding === "string" ? encoding : "identity";
}
