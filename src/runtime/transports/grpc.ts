import { once } from "node:events";
import http2 from "node:http2";
import { AppError } from "../../core/errors.ts";
import { boundEndpoint, listenError, parseHostPort } from "./endpoint.ts";
import { FramedOutbox } from "./framed-outbox.ts";
import { GrpcInbox } from "./grpc-inbox.ts";
import { GrpcLink } from "./grpc-link.ts";
import { GUARANTEES } from "./guarantees.ts";
import type { TcpTransportOptions, TlsSettings } from "./tcp.ts";
import type { Inbox, InboxOptions, Outbox, OutboxOptions, Transport } from "./transport.ts";

/**
 * Links for nodes of any language: a bidirectional stream of gRPC each, `grpc://HOST:PORT` or `grpcs://`.
 *
 * It speaks gRPC's framing over node:http2 itself, as the OTLP receiver does, so that a paused link is held by
 * flow control and a message of 4 MiB is not gathered by anyone before its length is checked.
 *
 * Source:   docs/transports.md "grpc"; docs/proto/dora/v1/links.proto; gRPC over HTTP2.
 * Pitfalls: over `grpc://`, messages and tokens can be read on their way.
 */
export class GrpcTransport implements Transport {
  readonly guarantees = GUARANTEES.grpc;
  readonly #tls: TlsSettings;

  constructor(options: TcpTransportOptions = {}) {
    this.#tls = options.tls ?? {};
  }

  async openInbox(options: InboxOptions): Promise<Inbox> {
    const { host, port, isSecure } = parseHostPort(options.endpoint, SCHEMES);
    const server = isSecure
      ? this.#createSecureServer(options.endpoint)
      : http2.createServer(LIMITS);
    try {
      server.listen({ host, port });
      await once(server, "listening");
    } catch (error) {
      throw listenError(error, options.endpoint);
    }
    const endpoint = boundEndpoint(options.endpoint, server.address());
    return new GrpcInbox(server, { ...options, endpoint });
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    const { isSecure } = parseHostPort(options.endpoint, SCHEMES);
    const { topic, token } = options;
    const { host } = new URL(options.endpoint);
    const authority = `${isSecure ? "https" : "http"}://${host}`;
    return FramedOutbox.open(
      options,
      (events) => new GrpcLink({ authority, hello: { topic, token }, tls: this.#tls }, events),
    );
  }

  async close(): Promise<void> {}

  #createSecureServer(endpoint: string): http2.Http2SecureServer {
    const { cert, key, ca } = this.#tls;
    if (cert === undefined || key === undefined) {
      throw new AppError("CONFIG_INVALID", `${endpoint} needs a certificate and its key`);
    }
    const asksForCertificate = ca !== undefined;
    return http2.createSecureServer({
      ...LIMITS,
      ...this.#tls,
      minVersion: "TLSv1.2",
      requestCert: asksForCertificate,
      rejectUnauthorized: asksForCertificate,
    });
  }
}

const SCHEMES = { plain: "grpc", secure: "grpcs" };

const LIMITS = {
  maxSessionMemory: 128,
  settings: { maxConcurrentStreams: 256, initialWindowSize: 1024 * 1024, enablePush: false },
};
