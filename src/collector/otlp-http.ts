import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import { REQUEST_BYTES_MAX } from "../core/limits.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import type { Encoding } from "../wire/encoding.ts";
import { encodeExportResponse } from "../wire/export-response.ts";
import { MEMORY_REFUSED_MESSAGE } from "./memory-limiter.ts";
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
import type { Refusal, RefusalReason } from "./refusal.ts";
import { encodeRefusal, refuse } from "./refusal.ts";
import { readBody, tooLarge } from "./request-body.ts";

/** Where each signal is posted to (OTLP-001). */
const PATHS: Readonly<Record<Signal, string>> = {
  logs: "/v1/logs",
  traces: "/v1/traces",
  metrics: "/v1/metrics",
};

/** How a request and its answer are written (OTLP-003). */
interface Format {
  readonly encoding: Encoding;
  readonly contentType: string;
}

const PROTOBUF: Format = { encoding: "protobuf", contentType: "application/x-protobuf" };
const JSON_FORMAT: Format = { encoding: "json", contentType: "application/json" };

/** What a client must know besides the status, by the reason. */
const REFUSAL_HEADERS: Readonly<Partial<Record<RefusalReason, Readonly<Record<string, string>>>>> =
  {
    auth: { "www-authenticate": "Bearer" },
    method: { allow: "POST" },
    encoding: { "accept-encoding": "gzip" },
  };

/** The rest of a refused body that is read and thrown away to keep the connection. */
const KEPT_CONNECTION_BYTES_MAX = 64 * 1024;

/**
 * Receives OTLP over HTTP/1.1: protobuf or JSON, plain or gzip.
 *
 * A request is checked from the outside in, and nothing of it is read before the step that needs
 * it: credentials, path, content type, encoding, announced length, memory; then its body, inflated
 * while it is counted; then the store.
 *
 * Errors: `start` throws `ADDRESS_IN_USE`, `LISTEN_FAILED` or `CONFIG_INVALID`; a request's failure
 *         is its answer, a google.rpc.Status in the request's encoding (OTLP-011).
 */
export class OtlpHttpReceiver {
  readonly transport = "http";
  readonly stats: ReceiverStats;
  readonly #options: OtlpReceiverOptions;
  readonly #limits: ReceiverLimits;
  readonly #bytesMax: number;
  readonly #app: FastifyInstance;
  #isClosing = false;

  private constructor(options: OtlpReceiverOptions) {
    this.#options = options;
    this.#limits = { ...RECEIVER_LIMITS, ...options.limits };
    this.stats = options.stats ?? new ReceiverStats();
    // A request that the limiter could never hold is too large, not to be sent again.
    this.#bytesMax = Math.min(
      options.requestBytesMax ?? REQUEST_BYTES_MAX,
      options.limiter.inFlightBytesMax,
    );
    this.#app = this.#createApp();
  }

  static async start(options: OtlpReceiverOptions): Promise<OtlpHttpReceiver> {
    try {
      const receiver = new OtlpHttpReceiver(options);
      await receiver.#app.listen({ host: hostToBind(options.host), port: options.port });
      return receiver;
    } catch (error) {
      throw startError(error, options);
    }
  }

  /** Where it listens. */
  get address(): ReceiverAddress {
    return boundAddress(this.#app.server);
  }

  /** Takes no further requests, answers those that are running, and gives up at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    const timer = setTimeout(() => this.#app.server.closeAllConnections(), deadlineMs);
    await this.#app.close();
    clearTimeout(timer);
  }

  #createApp(): FastifyInstance {
    const app = fastify({
      serverFactory: (handler) => this.#createServer(handler),
      return503OnClosing: false,
      clientErrorHandler: (error, socket) => this.#refuseBytes(error.code, socket),
      frameworkErrors: (_error, request, reply) => {
        void this.#refuse(request, reply, refuse("path", "no such path"));
      },
    });
    app.removeAllContentTypeParsers();
    // Bodies are read by `#receive`, after what must come before.
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    app.decorateRequest("principal", "");
    app.addHook("onRequest", (request, reply, done) => {
      const refusal = this.#admit(request);
      if (refusal === undefined) done();
      else void this.#refuse(request, reply, refusal);
    });
    for (const signal of SIGNALS) {
      app.post(PATHS[signal], (request, reply) => this.#receive(signal, request, reply));
    }
    app.setNotFoundHandler((request, reply) => this.#refuse(request, reply, refusePath(request)));
    app.setErrorHandler((error, request, reply) => {
      const isType = error instanceof Error && "statusCode" in error && error.statusCode === 415;
      if (isType) return this.#refuse(request, reply, refuseContentType());
      this.#options.log.error("a request failed", { error: String(error) });
      return this.#refuse(request, reply, refuse("internal", "the request failed"));
    });
    return app;
  }

  #createServer(handler: http.RequestListener): http.Server {
    const limits = this.#limits;
    const options: http.ServerOptions = {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
    };
    const { tls } = this.#options;
    const server =
      tls === undefined
        ? http.createServer(options, handler)
        : https.createServer(
            { ...options, ...tls, minVersion: "TLSv1.2", handshakeTimeout: limits.headersMs },
            handler,
          );
    server.maxConnections = limits.connectionsMax;
    // Whoever asks before sending the body is answered once there is room for it.
    server.on("checkContinue", handler);
    return server;
  }

  /** Checks what needs no byte of the body (SEC-003), and notes who sends. */
  #admit(request: FastifyRequest): Refusal | undefined {
    if (this.#isClosing) return refuse("closing", "the service is stopping; send again");
    const { authenticator } = this.#options;
    if (authenticator === undefined) return undefined;
    const principal = authenticator.authenticate(request.headers.authorization);
    if (principal === undefined) {
      return refuse("auth", "give a token of this service: Authorization: Bearer TOKEN");
    }
    request.setDecorator("principal", principal);
    return undefined;
  }

  async #receive(
    signal: Signal,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const format = formatOf(request);
    if (format === undefined) return this.#refuse(request, reply, refuseContentType());
    const outcome = await this.#store(signal, format, request, reply);
    if (outcome.status === "refused") return this.#refuse(request, reply, outcome.refusal);
    this.stats.add(this.transport, "stored");
    const body = encodeExportResponse(signal, outcome, format.encoding);
    // Full success in protobuf is no byte; text goes out in one write with the headers.
    return reply.header("content-type", format.contentType).send(body.length === 0 ? "" : body);
  }

  async #store(
    signal: Signal,
    { encoding }: Format,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Outcome> {
    const compression = compressionOf(request);
    if (typeof compression === "object") return { status: "refused", refusal: compression };
    const lengthBytes = bodyLengthOf(request);
    if (lengthBytes !== undefined && lengthBytes > this.#bytesMax) {
      return { status: "refused", refusal: tooLarge(this.#bytesMax) };
    }
    const { limiter, ingest, log } = this.#options;
    const reservation = limiter.tryReserve(lengthBytes ?? 0);
    if (reservation === undefined) {
      return { status: "refused", refusal: refuse("memory", MEMORY_REFUSED_MESSAGE) };
    }
    try {
      if (request.headers.expect !== undefined) reply.raw.writeContinue();
      const bytesMax = this.#bytesMax;
      const pace = paceOf(this.#limits);
      const limits = { compression, lengthBytes, bytesMax, reservation, pace };
      const read = await readBody(request.raw, limits);
      if (read.status === "refused") return read;
      const principal = request.getDecorator<string>("principal");
      return await submit(ingest, log, { signal, body: read.body, encoding, principal });
    } finally {
      reservation.release();
    }
  }

  async #refuse(
    request: FastifyRequest,
    reply: FastifyReply,
    refusal: Refusal,
  ): Promise<FastifyReply> {
    this.stats.add(this.transport, refusal.reason);
    const { encoding, contentType } = formatOf(request) ?? JSON_FORMAT;
    const body = encodeRefusal(refusal, encoding);
    const headers = { "content-type": contentType, ...headersOf(refusal) };
    const restBytes = request.raw.complete ? 0 : (bodyLengthOf(request) ?? Infinity);
    if (restBytes <= KEPT_CONNECTION_BYTES_MAX && refusal.reason !== "slow") {
      return reply.code(refusal.httpStatus).headers(headers).send(body);
    }
    reply.hijack();
    const lengthHeaders = { "content-length": body.length, connection: "close" };
    reply.raw.writeHead(refusal.httpStatus, { ...headers, ...lengthHeaders });
    reply.raw.write(body);
    const lingerMs = refusal.reason === "slow" ? 0 : this.#limits.lingerMs;
    discardThenEnd(request.raw, reply.raw, { lingerMs, bytesMax: this.#bytesMax });
    return reply;
  }

  /** Answers bytes that are no request, and requests that come too slowly. */
  #refuseBytes(code: string | undefined, socket: Socket): void {
    const isSlow = code === "ERR_HTTP_REQUEST_TIMEOUT";
    const refusal = isSlow
      ? refuse("slow", "the request came too slowly")
      : refuse("invalid", "this is no HTTP request");
    this.stats.add(this.transport, refusal.reason);
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const body = encodeRefusal(refusal, "json");
    const status = `${refusal.httpStatus} ${http.STATUS_CODES[refusal.httpStatus] ?? ""}`;
    const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n`;
    socket.write(`${head}content-length: ${body.length}\r\nconnection: close\r\n\r\n`);
    socket.write(body);
    socket.destroySoon();
  }
}

/** What the content type says, parameters and case aside, or undefined where it is none of ours. */
function formatOf(request: FastifyRequest): Format | undefined {
  const contentType = request.headers["content-type"];
  // The usual spellings first: this runs for every request.
  if (contentType === PROTOBUF.contentType) return PROTOBUF;
  if (contentType === JSON_FORMAT.contentType) return JSON_FORMAT;
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return [PROTOBUF, JSON_FORMAT].find((format) => format.contentType === mediaType);
}

/** How the body is compressed, once at the most (SEC-004), or the refusal. */
function compressionOf(request: FastifyRequest): "none" | "gzip" | Refusal {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity") return "none";
  if (encoding === "gzip" || encoding === "x-gzip") return "gzip";
  return refuse("encoding", "send the body with content-encoding gzip, once, or with none");
}

/** The length of a body as it is announced: 0 where there is none, undefined where it is open. */
function bodyLengthOf(request: FastifyRequest): number | undefined {
  if (request.headers["transfer-encoding"] !== undefined) return undefined;
  return Number(request.headers["content-length"] ?? 0);
}

function refusePath(request: FastifyRequest): Refusal {
  const path = request.url.split("?", 1)[0] ?? "";
  if (Object.values(PATHS).includes(path)) return refuse("method", "only POST is served here");
  return refuse("path", `no such path; OTLP is served at ${Object.values(PATHS).join(", ")}`);
}

function refuseContentType(): Refusal {
  const supported = `${PROTOBUF.contentType}, ${JSON_FORMAT.contentType}`;
  return refuse("content_type", `the content type is none of ${supported}`);
}

/** What an answer says besides its status. */
function headersOf({ reason, retryAfterMs }: Refusal): Readonly<Record<string, string>> {
  if (retryAfterMs !== undefined) return { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  return REFUSAL_HEADERS[reason] ?? {};
}

/**
 * Ends an answer that was written before its request was read: the rest is thrown away for a
 * while, since a connection closed on unread bytes is reset, and the client may lose the answer.
 */
function discardThenEnd(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { lingerMs, bytesMax }: { readonly lingerMs: number; readonly bytesMax: number },
): void {
  let discardedBytes = 0;
  const end = (): void => {
    clearTimeout(timer);
    request.off("data", count).off("end", end).off("close", end);
    response.end();
  };
  const count = (chunk: Buffer): void => {
    discardedBytes += chunk.length;
    if (discardedBytes > bytesMax) end();
  };
  const timer = setTimeout(end, lingerMs);
  request.on("data", count).once("end", end).once("close", end).resume();
}
