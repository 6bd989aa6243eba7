import type net from "node:net";
import { WebSocket } from "ws";
import { errorMessage } from "../../core/errors.ts";
import { FrameError, type Hello } from "./frame.ts";
import type { FramedLink, LinkEvents } from "./framed-outbox.ts";
import type { TlsSettings } from "./tcp.ts";
import { OUTBOX_BYTES_MAX } from "./transport.ts";
import {
  PING_INTERVAL_MS,
  readFrame,
  SUBPROTOCOL,
  WEBSOCKET_MESSAGE_BYTES_MAX,
} from "./websocket-frames.ts";
import { type SharedConnection, WebSocketLink } from "./websocket-link.ts";

/** Connections to each peer, over which its links are balanced. */
export const POOL_CONNECTIONS_MAX = 4;

const HANDSHAKE_TIMEOUT_MS = 5_000;

/** The connections to one peer. A link stays on the one that it began on, for as long as that lasts. */
export class WebSocketPool {
  readonly #endpoint: string;
  readonly #tls: TlsSettings;
  readonly #connections = new Set<PoolConnection>();

  constructor(endpoint: string, settings: TlsSettings) {
    this.#endpoint = endpoint;
    this.#tls = settings;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Puts a link on a connection: a new one while there are few, then that with the fewest links. */
  open(hello: Hello, events: LinkEvents): FramedLink {
    return this.#connectionFor(hello).attach(hello, events);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  #connectionFor(hello: Hello): PoolConnection {
    const fewest = [...this.#connections].sort(
      (left, right) => left.linkCount - right.linkCount,
    )[0];
    if (fewest !== undefined && this.#connections.size >= POOL_CONNECTIONS_MAX) return fewest;
    const connection = new PoolConnection({ endpoint: this.#endpoint, tls: this.#tls, hello });
    this.#connections.add(connection);
    connection.onClosed = () => void this.#connections.delete(connection);
    return connection;
  }
}

class PoolConnection implements SharedConnection {
  onClosed: () => void = () => {};
  readonly #webSocket: WebSocket;
  readonly #links = new Map<number, WebSocketLink>();
  /** Hellos of links that came while the connection was being made. */
  readonly #greetings: (() => void)[] = [];
  #socket: net.Socket | undefined;
  #nextNumber = 1;
  #isCorked = false;
  #isAlive = true;
  #pings: NodeJS.Timeout | undefined;
  #reason = "the connection was closed";

  /** The first link's token opens the door; each link then shows its own. */
  constructor(options: {
    readonly endpoint: string;
    readonly tls: TlsSettings;
    readonly hello: Hello;
  }) {
    const { endpoint, hello } = options;
    const url = new URL(endpoint);
    url.searchParams.set("topic", hello.topic);
    this.#webSocket = new WebSocket(url, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${Buffer.from(hello.token).toString("base64url")}` },
      maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      skipUTF8Validation: true,
      ...(isBeyondProxies(url) ? { generateMask: leaveUnmasked } : {}),
      ...options.tls,
    });
    const webSocket = this.#webSocket;
    webSocket.on("upgrade", (response) => this.#begin(response.socket));
    webSocket.on("open", () => {
      for (const greet of this.#greetings.splice(0)) greet();
    });
    webSocket.on("message", (data, isBinary) => {
      try {
        const frame = readFrame(data, isBinary);
        this.#links.get(frame.link)?.take(frame);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        this.#reason = error.message;
        webSocket.terminate();
      }
    });
    webSocket.on("pong", () => (this.#isAlive = true));
    webSocket.on("unexpected-response", (request, response) => {
      request.destroy();
      this.#reason = `it answered ${response.statusCode}`;
      const isDenied = response.statusCode === 401;
      const firstLink = this.#links.get(1);
      if (isDenied) firstLink?.refuse("no link of this topic and token arrives here");
      this.#end();
    });
    webSocket.on("error", (error) => (this.#reason = errorMessage(error)));
    webSocket.once("close", () => this.#end());
  }

  get linkCount(): number {
    return this.#links.size;
  }

  get isFull(): boolean {
    return this.#webSocket.bufferedAmount >= OUTBOX_BYTES_MAX;
  }

  attach(hello: Hello, events: LinkEvents): WebSocketLink {
    const number = this.#nextNumber++;
    const link = new WebSocketLink(this, number, events);
    this.#links.set(number, link);
    if (this.#webSocket.readyState === WebSocket.OPEN) link.greet(hello);
    else this.#greetings.push(() => link.greet(hello));
    return link;
  }

  detach(number: number): void {
    this.#links.delete(number);
    if (this.#links.size > 0) return;
    // A new link begins a new connection: this one is about to go.
    this.onClosed();
    this.#webSocket.close();
  }

  send(frame: Buffer): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    this.#cork();
    this.#webSocket.send(frame, { binary: true });
  }

  close(): void {
    this.#webSocket.terminate();
  }

  #begin(socket: net.Socket): void {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("drain", () => {
      for (const link of this.#links.values()) link.goOn();
    });
    this.#pings = setInterval(() => {
      if (!this.#isAlive) this.#webSocket.terminate();
      this.#isAlive = false;
      this.#webSocket.ping();
    }, PING_INTERVAL_MS).unref();
  }

  /** All that is sent before the next turn of the event loop goes in one write. */
  #cork(): void {
    const socket = this.#socket;
    if (this.#isCorked || socket === undefined) return;
    this.#isCorked = true;
    socket.cork();
    queueMicrotask(() => {
      this.#isCorked = false;
      socket.uncork();
    });
  }

  #end(): void {
    clearInterval(this.#pings);
    this.onClosed();
    for (const link of this.#links.values()) link.close(this.#reason);
  }
}

/**
 * RFC 6455 masks what clients send, lest a proxy takes a payload for a request (section 10.3). Where no proxy
 * can read along, within TLS and on this machine, that is left out: masking costs ten times the sending.
 */
function isBeyondProxies(url: URL): boolean {
  return url.protocol === "wss:" || /^(127\.|\[::1\]$|localhost$)/.test(url.hostname);
}

function leaveUnmasked(mask: Buffer): void {
  mask.fill(0);
}
