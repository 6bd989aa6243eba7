import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { AppError } from "../../core/errors.ts";
import { boundEndpoint, listenError, parseHostPort } from "./endpoint.ts";
import { FramedOutbox } from "./framed-outbox.ts";
import { GUARANTEES } from "./guarantees.ts";
import type { TcpTransportOptions, TlsSettings } from "./tcp.ts";
import type { Inbox, InboxOptions, Outbox, OutboxOptions, Transport } from "./transport.ts";
import { WebSocketInbox } from "./websocket-inbox.ts";
import { WebSocketPool } from "./websocket-pool.ts";

/**
 * Links over `ws://HOST:PORT/PATH`, or `wss://`, which pass through proxies and balancers: a pool of at most
 * `POOL_CONNECTIONS_MAX` connections to each peer, each link pinned to one of them.
 *
 * Source:   docs/transports.md "websocket" and "Frames"; RFC 6455.
 * Pitfalls: over `ws://`, messages and tokens can be read on their way.
 */
export class WebSocketTransport implements Transport {
  readonly guarantees = GUARANTEES.websocket;
  readonly #tls: TlsSettings;
  readonly #pools = new Map<string, WebSocketPool>();

  constructor(options: TcpTransportOptions = {}) {
    this.#tls = options.tls ?? {};
  }

  async openInbox(options: InboxOptions): Promise<Inbox> {
    const { host, port, isSecure } = parseHostPort(options.endpoint, SCHEMES);
    const server = isSecure
      ? this.#createSecureServer(options.endpoint)
      : http.createServer(LIMITS);
    try {
      server.listen({ host, port });
      await once(server, "listening");
    } catch (error) {
      throw listenError(error, options.endpoint);
    }
    const endpoint = boundEndpoint(options.endpoint, server.address());
    return new WebSocketInbox(server, { ...options, endpoint });
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    parseHostPort(options.endpoint, SCHEMES);
    let pool = this.#pools.get(options.endpoint);
    if (pool === undefined) {
      pool = new WebSocketPool(options.endpoint, this.#tls);
      this.#pools.set(options.endpoint, pool);
    }
    const { topic, token } = options;
    return FramedOutbox.open(options, pool.open.bind(pool, { topic, token }));
  }

  /** How many connections there are to a peer. */
  connectionCount(endpoint: string): number {
    return this.#pools.get(endpoint)?.connectionCount ?? 0;
  }

  async close(): Promise<void> {
    for (const pool of this.#pools.values()) pool.close();
    this.#pools.clear();
  }

  #createSecureServer(endpoint: string): http.Server {
    const { cert, key, ca } = this.#tls;
    if (cert === undefined || key === undefined) {
      throw new AppError("CONFIG_INVALID", `${endpoint} needs a certificate and its key`);
    }
    const asksForCertificate = ca !== undefined;
    return https.createServer({
      ...LIMITS,
      ...this.#tls,
      minVersion: "TLSv1.2",
      requestCert: asksForCertificate,
      rejectUnauthorized: asksForCertificate,
    });
  }
}

const SCHEMES = { plain: "ws", secure: "wss" };
const LIMITS = { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 16 * 1024 };
