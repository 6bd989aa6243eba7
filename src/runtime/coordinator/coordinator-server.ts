import http from "node:http";
import type { IncomingMessage } from "node:http";
import https from "node:https";
import type { Duplex } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import type { WebSocket } from "ws";
import { WebSocketServer } from "ws";
import type { TokenAuthenticator } from "../../collector/authentication.ts";
import { isLoopback } from "../../collector/config-endpoint.ts";
import { answerError, refuseUpgrade } from "../../collector/error-answer.ts";
import { isOriginAllowed } from "../../collector/origin.ts";
import type { ReceiverTls } from "../../collector/otlp-receiver.ts";
import { boundAddress, hostToBind, startError } from "../../collector/otlp-receiver.ts";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { DAEMON_PATH } from "../protocol/daemon-messages.ts";
import type { Coordinator } from "./coordinator.ts";
import { DaemonConnection } from "./daemon-connection.ts";
import { EventStreams } from "./event-streams.ts";
import { snakeKeys } from "./letter-case.ts";
import type { CoordinatorLimits } from "./limits.ts";
import {
  BODY_BYTES_MAX,
  DAEMON_MESSAGE_BYTES_MAX,
  EVENTS_PATH,
  STREAM_MESSAGE_BYTES_MAX,
} from "./limits.ts";
import { openApiDocument } from "./open-api.ts";
import { coordinatorRoutes } from "./routes.ts";
import { StreamSlots } from "./stream-slots.ts";

const HEALTH_PATH = "/healthz";

export interface CoordinatorServerOptions {
  readonly host: string;
  /** 0 takes any free port; `url` then says which. */
  readonly port: number;
  readonly tls?: ReceiverTls;
  /** Without it everyone who reaches the address may ask. */
  readonly authenticator?: TokenAuthenticator;
  readonly coordinator: Coordinator;
  readonly version: string;
  readonly limits: CoordinatorLimits;
  readonly log: Logger;
}

/**
 * Serves the coordinator's API: HTTP, events and daemons over WebSocket, all on one port.
 *
 * Who can start a dataflow runs programs. So a request is checked from the outside in: its host's name, where no
 * token protects it (a page may have a name of its own point here); origin; credentials; path; JSON; parameters.
 *
 * Errors: `start` throws `ADDRESS_IN_USE`, `LISTEN_FAILED` or `CONFIG_INVALID`; a request's failure is its answer.
 * Source: docs/coordinator-api.md
 */
export class CoordinatorServer {
  readonly #options: CoordinatorServerOptions;
  readonly #app: FastifyInstance;
  readonly #streams: EventStreams;
  readonly #slots: StreamSlots;
  readonly #daemons = new Set<DaemonConnection>();
  readonly #daemonSockets = socketServer(DAEMON_MESSAGE_BYTES_MAX);
  readonly #streamSockets = socketServer(STREAM_MESSAGE_BYTES_MAX);
  readonly #routes: string[] = [];
  #isClosing = false;

  private constructor(options: CoordinatorServerOptions) {
    this.#options = options;
    this.#streams = new EventStreams(options.coordinator, options);
    this.#slots = new StreamSlots(options.limits);
    this.#app = this.#createApp();
  }

  static async start(options: CoordinatorServerOptions): Promise<CoordinatorServer> {
    const server = new CoordinatorServer(options);
    try {
      await server.#app.listen({ host: hostToBind(options.host), port: options.port });
      return server;
    } catch (error) {
      server.#streams.stop();
      const failure = startError(error, options);
      if (failure.code !== "ADDRESS_IN_USE") throw failure;
      const hint = "see `dora status` whether a coordinator runs there, or give another --listen";
      throw new AppError(failure.code, failure.message, { cause: error, hint });
    }
  }

  /** Where it listens, such as `http://127.0.0.1:6015`. */
  get url(): string {
    const { host, port } = boundAddress(this.#app.server);
    const name = host.includes(":") ? `[${host}]` : host;
    return `${this.#options.tls === undefined ? "http" : "https"}://${name}:${port}`;
  }

  /** What is served, as `GET /healthz`; a test holds docs/coordinator-api.md to it. */
  get routes(): readonly string[] {
    return this.#routes;
  }

  /** Takes no further requests, finishes those that run, and cuts them off at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#streams.stop();
    for (const daemon of this.#daemons) daemon.close();
    const timer = setTimeout(() => {
      this.#streams.terminate();
      for (const daemon of this.#daemons) daemon.terminate();
      this.#app.server.closeAllConnections();
    }, deadlineMs);
    await this.#app.close();
    clearTimeout(timer);
  }

  #createApp(): FastifyInstance {
    const { coordinator, log, version } = this.#options;
    const app = fastify({
      serverFactory: (handler) => this.#createServer(handler),
      bodyLimit: BODY_BYTES_MAX,
      exposeHeadRoutes: false,
      frameworkErrors: (error, _request, reply) => void refuse(reply, error, log),
    });
    // Only JSON: what a page of another site can post without asking first is no JSON (SEC-008).
    app.removeContentTypeParser("text/plain");
    app.addHook("onRoute", ({ method, url }) => {
      for (const name of [method].flat()) this.#routes.push(`${name} ${url}`);
    });
    app.addHook("onRequest", (request, reply, done) => {
      reply.raw.setHeader("x-content-type-options", "nosniff");
      reply.raw.setHeader("cache-control", "no-store");
      done(this.#check(request));
    });
    app.addHook("preHandler", (request, _reply, done) => {
      const isJson = request.method !== "POST" || request.body !== undefined || request.is404;
      if (isJson) done();
      else done(new AppError("CONTENT_TYPE_UNSUPPORTED", "the body is not declared as JSON"));
    });
    app.setErrorHandler((error, request, reply) => {
      // The client went away: there is nobody to answer, and nothing to log.
      if (reply.raw.destroyed) return reply.hijack();
      // The rest of a body that was not read must not be read either.
      if (!request.raw.complete) reply.header("connection", "close");
      return refuse(reply, error, log);
    });
    app.setNotFoundHandler(({ method, url }, reply) =>
      refuse(reply, notFound(method, url.split("?", 1)[0] ?? ""), log),
    );
    const health = { status: "ok", service: "dora-coordinator", version, pid: process.pid };
    app.get(HEALTH_PATH, (_request, reply) => reply.send(health));
    const routes = coordinatorRoutes(coordinator);
    const document = openApiDocument(routes, version);
    app.get("/openapi.json", (_request, reply) => reply.send(document));
    for (const path of [EVENTS_PATH, DAEMON_PATH]) {
      app.get(path, () => {
        throw new AppError("REQUEST_INVALID", "this is a WebSocket: connect with ws://");
      });
    }
    for (const route of routes) {
      const { method, path, status } = route;
      app.route<{ Params: Record<string, string> }>({
        method,
        url: path,
        handler: async (request, reply) => {
          const answer = await route.handle(request.params, request.body);
          return reply.code(status).send(snakeKeys(answer));
        },
      });
    }
    return app;
  }

  #createServer(handler: http.RequestListener): http.Server {
    const { limits, tls } = this.#options;
    const options: http.ServerOptions = {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(5_000, limits.headersMs),
      // Others, such as curl's offer of HTTP/2, are answered as if they had not asked.
      shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
    };
    const server =
      tls === undefined
        ? http.createServer(options, handler)
        : https.createServer(
            { ...options, ...tls, minVersion: "TLSv1.2", handshakeTimeout: limits.headersMs },
            handler,
          );
    server.maxConnections = limits.connectionsMax;
    server.on("upgrade", (request, socket, head: Buffer) => this.#upgrade(request, socket, head));
    return server;
  }

  #check(request: FastifyRequest): AppError | undefined {
    try {
      this.#checkSender(request.raw);
      if (request.routeOptions.url !== HEALTH_PATH) this.#authenticate(request.raw);
      return undefined;
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
  }

  /** Errors: `ORIGIN_REFUSED` */
  #checkSender({ headers: { host, origin } }: IncomingMessage): void {
    const { authenticator, host: ownHost } = this.#options;
    if (!isOriginAllowed(origin, host, [])) {
      throw new AppError("ORIGIN_REFUSED", "pages of this origin may not connect");
    }
    if (authenticator !== undefined || !isLoopback(ownHost) || host === undefined) return;
    const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, "") ?? "";
    if (isLoopback(name)) return;
    throw new AppError("ORIGIN_REFUSED", "this name is not one of this machine's own", {
      hint: "ask for it as 127.0.0.1 or localhost, or start it with a token",
    });
  }

  /** Errors: `UNAUTHENTICATED` */
  #authenticate({ headers, socket }: IncomingMessage): string {
    const { authenticator } = this.#options;
    if (authenticator === undefined) return socket.remoteAddress ?? "";
    const principal = authenticator.authenticate(headers.authorization);
    if (principal !== undefined) return principal;
    throw new AppError("UNAUTHENTICATED", "give a token: Authorization: Bearer TOKEN");
  }

  /** Takes a connection that asked for an upgrade. Never throws: what is refused is answered. */
  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client may reset the connection at any time; its close is seen elsewhere.
    socket.on("error", () => {});
    try {
      const path = URL.parse(request.url ?? "/", "http://localhost")?.pathname;
      this.#checkSender(request);
      const principal = this.#authenticate(request);
      if (this.#isClosing) throw new AppError("STORE_CLOSED", "the coordinator is stopping");
      if (path === DAEMON_PATH) {
        if (request.headers.origin !== undefined) {
          throw new AppError("ORIGIN_REFUSED", "a page is no daemon");
        }
        this.#daemonSockets.handleUpgrade(request, socket, head, (client) =>
          this.#addDaemon(client),
        );
      } else if (path === EVENTS_PATH) {
        socket.once("close", this.#slots.acquire(principal));
        this.#streamSockets.handleUpgrade(request, socket, head, (client) =>
          this.#streams.add(client),
        );
      } else {
        throw notFound("WebSocket", path ?? "");
      }
    } catch (error) {
      refuseUpgrade(socket, answerError(error, this.#options.log));
    }
  }

  #addDaemon(client: WebSocket): void {
    const { coordinator, limits, log } = this.#options;
    if (this.#daemons.size >= 2 * limits.daemonsMax) {
      client.close(1013, "too many daemons");
      return;
    }
    const daemon = new DaemonConnection(client, coordinator, { limits, log });
    this.#daemons.add(daemon);
    client.once("close", () => this.#daemons.delete(daemon));
  }
}

function socketServer(maxPayload: number): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload,
    perMessageDeflate: false,
  });
}

function refuse(reply: FastifyReply, error: unknown, log: Logger): FastifyReply {
  const { httpStatus, headers, body } = answerError(error, log);
  return reply.code(httpStatus).headers(headers).send(body);
}

function notFound(method: string, path: string): AppError {
  const hint = "see docs/coordinator-api.md, or /openapi.json";
  return new AppError("NOT_FOUND", `there is no ${method} ${path}`, { hint });
}
