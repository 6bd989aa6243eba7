import http from "node:http";
import https from "node:https";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fastify } from "fastify";
import type { TokenAuthenticator } from "../collector/authentication.ts";
import { boundAddress, hostToBind, startError } from "../collector/otlp-receiver.ts";
import type { Clock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { ApiContext, ApiStore, MetricsRenderer, ServiceStatus } from "./api-context.ts";
import { answerError } from "../collector/error-answer.ts";
import type { ApiLimits } from "./limits.ts";
import { API_LIMITS, BODY_BYTES_MAX } from "./limits.ts";
import { LIVE_PATH, LiveSearch } from "./live-search.ts";
import { QuerySlots } from "./query-slots.ts";
import { addGroupsRoutes } from "./routes-groups.ts";
import { addHistogramRoute } from "./routes-histogram.ts";
import { addSearchRoutes } from "./routes-search.ts";
import { addServiceRoutes, PUBLIC_PATHS } from "./routes-service.ts";
import { addTraceRoute } from "./routes-trace.ts";

export interface ApiServerOptions {
  readonly host: string;
  /** 0 takes any free port; `url` then says which. */
  readonly port: number;
  /** PEM. Without it the API speaks plain text. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer };
  /** Without it everyone may ask. */
  readonly authenticator?: TokenAuthenticator;
  readonly store: ApiStore;
  readonly metrics: MetricsRenderer;
  readonly clock: Clock;
  readonly log: Logger;
  readonly isReady: () => boolean;
  readonly limits?: Partial<ApiLimits>;
  /** Origins of pages, beside the API's own host, that may open a live search. */
  readonly originsAllowed?: readonly string[];
  /** What the service says of itself in `/api/v1/status`. */
  readonly service: () => ServiceStatus;
}

/**
 * Serves the query API: HTTP, and live search over WebSocket on the same port.
 *
 * A request is checked from the outside in: credentials, before any byte of a body is read
 * (SEC-003); path; content type and length; parameters; then a slot for its query.
 *
 * Errors: `start` throws `ADDRESS_IN_USE`, `LISTEN_FAILED` or `CONFIG_INVALID`; a request's failure
 *         is its answer.
 * Source: docs/http-api.md
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #limits: ApiLimits;
  readonly #app: FastifyInstance;
  readonly #live: LiveSearch;
  readonly #routes: string[] = [];
  #isClosing = false;

  private constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#limits = { ...API_LIMITS, ...options.limits };
    const context = this.#createContext();
    this.#live = new LiveSearch(context, options.originsAllowed ?? []);
    this.#app = this.#createApp(context);
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    try {
      const server = new ApiServer(options);
      await server.#app.listen({ host: hostToBind(options.host), port: options.port });
      return server;
    } catch (error) {
      throw startError(error, options);
    }
  }

  /** Where it listens, such as `http://127.0.0.1:6014`. */
  get url(): string {
    const { host, port } = boundAddress(this.#app.server);
    const name = host.includes(":") ? `[${host}]` : host;
    return `${this.#options.tls === undefined ? "http" : "https"}://${name}:${port}`;
  }

  /** What is served, as `GET /healthz`; a test holds docs/http-api.md to it. */
  get routes(): readonly string[] {
    return this.#routes;
  }

  /** Takes no further requests, finishes those that run, and cuts them off at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#live.stop();
    const timer = setTimeout(() => {
      this.#live.terminate();
      this.#app.server.closeAllConnections();
    }, deadlineMs);
    await this.#app.close();
    clearTimeout(timer);
  }

  #createContext(): ApiContext {
    const { store, metrics, clock, log, authenticator, isReady, service } = this.#options;
    const limits = this.#limits;
    return {
      store,
      metrics,
      clock,
      log,
      limits,
      authenticator,
      slots: new QuerySlots({
        what: "queries",
        perPrincipalMax: limits.queriesPerPrincipalMax,
        totalMax: limits.connectionsMax,
      }),
      isReady: () => !this.#isClosing && isReady(),
      service,
    };
  }

  #createApp(context: ApiContext): FastifyInstance {
    const { log } = this.#options;
    const app = fastify({
      serverFactory: (handler) => this.#createServer(handler),
      bodyLimit: BODY_BYTES_MAX,
      exposeHeadRoutes: false,
      frameworkErrors: (error, _request, reply) => void refuse(reply, answerError(error, log)),
    });
    // Only JSON: what a page of another site can post without asking first is no JSON (SEC-008).
    app.removeContentTypeParser("text/plain");
    app.decorateRequest("principal", "");
    app.addHook("onRoute", ({ method, url }) => {
      for (const name of [method].flat()) this.#routes.push(`${name} ${url}`);
    });
    app.addHook("onRequest", (request, reply, done) => {
      reply.raw.setHeader("x-content-type-options", "nosniff");
      reply.raw.setHeader("cache-control", "no-store");
      done(this.#authenticate(request));
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
      return refuse(reply, answerError(error, log));
    });
    app.setNotFoundHandler((request, reply) =>
      refuse(reply, answerError(notFound(app, request), log)),
    );
    addSearchRoutes(app, context);
    addGroupsRoutes(app, context);
    addHistogramRoute(app, context);
    addTraceRoute(app, context);
    addServiceRoutes(app, context);
    app.get(LIVE_PATH, () => {
      throw new AppError("REQUEST_INVALID", "live search is a WebSocket: connect with ws://");
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
      // Others, such as curl's offer of HTTP/2, are answered as if they had not asked.
      shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
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
    server.on("upgrade", (request, socket, head: Buffer) =>
      this.#live.upgrade(request, socket, head),
    );
    return server;
  }

  /** Notes who asks, or gives the refusal. */
  #authenticate(request: FastifyRequest): AppError | undefined {
    const { authenticator } = this.#options;
    if (authenticator === undefined) return undefined;
    if (PUBLIC_PATHS.includes(request.routeOptions.url ?? "")) return undefined;
    const principal = authenticator.authenticate(request.headers.authorization);
    if (principal === undefined) {
      return new AppError("UNAUTHENTICATED", "give a token: Authorization: Bearer TOKEN");
    }
    request.setDecorator("principal", principal);
    return undefined;
  }
}

function refuse(reply: FastifyReply, answer: ReturnType<typeof answerError>): FastifyReply {
  return reply.code(answer.httpStatus).headers(answer.headers).send(answer.body);
}

function notFound(app: FastifyInstance, { method, url }: FastifyRequest): AppError {
  const path = url.split("?", 1)[0] ?? "";
  const hint = "see docs/http-api.md for the routes";
  const other = app.hasRoute({ method: "GET", url: path }) ? "; only GET is served there" : "";
  return new AppError("NOT_FOUND", `there is no ${method} ${path}${other}`, { hint });
}
