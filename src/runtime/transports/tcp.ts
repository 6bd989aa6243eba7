import { once } from "node:events";
import net from "node:net";
import type { Server as TlsServer } from "node:tls";
import { AppError } from "../../core/errors.ts";
import { boundEndpoint, listenError, parseHostPort } from "./endpoint.ts";
import { FramedOutbox } from "./framed-outbox.ts";
import { GUARANTEES } from "./guarantees.ts";
import { connectSocket } from "./socket.ts";
import { StreamInbox } from "./stream-inbox.ts";
import { StreamLink } from "./stream-link.ts";
import type { Inbox, InboxOptions, Outbox, OutboxOptions, Transport } from "./transport.ts";

/** PEM texts. An inbox needs `cert` and `key`; with `ca` it asks senders for a certificate too. */
export interface TlsSettings {
  readonly cert?: string;
  readonly key?: string;
  /** Whom to trust; the system's authorities where it is left out. */
  readonly ca?: string;
}

export interface TcpTransportOptions {
  readonly tls?: TlsSettings;
}

/**
 * Links between machines, each over a connection of its own: `tcp://HOST:PORT`, or `tls://HOST:PORT`.
 *
 * Source:   docs/transports.md "tcp" and "Frames".
 * Pitfalls: over `tcp://`, messages and tokens can be read on their way.
 */
export class TcpTransport implements Transport {
  readonly guarantees = GUARANTEES.tcp;
  readonly #tls: TlsSettings;

  constructor(options: TcpTransportOptions = {}) {
    this.#tls = options.tls ?? {};
  }

  async openInbox(options: InboxOptions): Promise<Inbox> {
    const { host, port, isSecure } = parseHostPort(options.endpoint, SCHEMES);
    const server = isSecure ? await this.#createTlsServer(options.endpoint) : net.createServer();
    try {
      server.listen({ host, port });
      await once(server, "listening");
    } catch (error) {
      throw listenError(error, options.endpoint);
    }
    const endpoint = boundEndpoint(options.endpoint, server.address());
    return new StreamInbox({ ...options, endpoint, server, isSecure });
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    const { host, port, isSecure } = parseHostPort(options.endpoint, SCHEMES);
    // It costs a process milliseconds: only who needs it loads it.
    const tls = isSecure ? await import("node:tls") : undefined;
    return FramedOutbox.open(options, (events) => {
      const socket = tls
        ? tls.connect({ host, port, ...serverName(host), ...this.#tls })
        : connectSocket({ host, port });
      return new StreamLink(socket, { hello: options }, events);
    });
  }

  async close(): Promise<void> {}

  async #createTlsServer(endpoint: string): Promise<TlsServer> {
    const { cert, key, ca } = this.#tls;
    if (cert === undefined || key === undefined) {
      throw new AppError("CONFIG_INVALID", `${endpoint} needs a certificate and its key`);
    }
    const tls = await import("node:tls");
    return tls.createServer({
      ...this.#tls,
      minVersion: "TLSv1.2",
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      requestCert: ca !== undefined,
      rejectUnauthorized: ca !== undefined,
    });
  }
}

const SCHEMES = { plain: "tcp", secure: "tls" };
const HANDSHAKE_TIMEOUT_MS = 5_000;

/** An address is no name that a server can be asked for. */
function serverName(host: string): { readonly servername?: string } {
  return net.isIP(host) === 0 ? { servername: host } : {};
}
