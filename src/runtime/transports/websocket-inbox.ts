/** The receiving side of links over WebSocket: many links on each connection. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { decodeHello, encodeFrame, FRAME, FrameError } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import type { ArrivingConnection, FramedInboxLink } from "./inbox-link.ts";
import { LinkIntake } from "./link-intake.ts";
import { LinkRegistry } from "./link-registry.ts";
import type { Inbox, InboxLink, InboxOptions, LinkAcceptance, LinkReceiver } from "./transport.ts";
import {
  CONNECTION_LINKS_MAX,
  LINK_WINDOW_BYTES,
  PING_INTERVAL_MS,
  readFrame,
  SUBPROTOCOL,
  WEBSOCKET_MESSAGE_BYTES_MAX,
} from "./websocket-frames.ts";

export class WebSocketInbox implements Inbox {
  readonly endpoint: string;
  readonly #server: Server;
  readonly #onRefused: ((reason: string) => void) | undefined;
  readonly #links: LinkRegistry;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<InboxConnection>();
  #refusedConnections = 0;

  /** `server` listens at `options.endpoint` already, and is closed with the inbox. */
  constructor(server: Server, options: InboxOptions) {
    this.endpoint = options.endpoint;
    this.#server = server;
    this.#onRefused = options.onRefused;
    this.#links = new LinkRegistry(options.endpoint);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: WEBSOCKET_MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      skipUTF8Validation: true,
      handleProtocols: (protocols) => (protocols.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
    server.on("request", (_request, response) => {
      this.#countRefused("it asked for a page");
      response.writeHead(426, { connection: "close" }).end("this is a node of a dataflow\n");
    });
    server.on("clientError", (_error, socket) => {
      this.#countRefused("it spoke no HTTP");
      socket.destroy();
    });
  }

  get refusedConnections(): number {
    return this.#refusedConnections;
  }

  async accept(link: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink> {
    return this.#links.accept(link, receiver);
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close();
    this.#links.clear();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeAllConnections();
    await closed;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {});
    if (!this.#isKnown(request)) {
      this.#countRefused("no link of this topic and token arrives here");
      const answer = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
      socket.end(answer, () => socket.destroy());
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new InboxConnection(webSocket, this.#links, (reason) =>
        this.#countRefused(reason),
      );
      this.#connections.add(connection);
      webSocket.once("close", () => this.#connections.delete(connection));
    });
  }

  /** Whether it shows the token of a link. */
  #isKnown(request: IncomingMessage): boolean {
    const topic = new URL(request.url ?? "/", "ws://inbox").searchParams.get("topic");
    const found = /^Bearer ([\w-]+)$/.exec(request.headers.authorization ?? "");
    const token = Buffer.from(found?.[1] ?? "", "base64url").toString();
    return topic !== null && this.#links.find(topic, token) !== undefined;
  }

  #countRefused(reason: string): void {
    this.#refusedConnections++;
    this.#onRefused?.(reason);
  }
}

class InboxConnection {
  readonly #webSocket: WebSocket;
  readonly #registry: LinkRegistry;
  readonly #refused: (reason: string) => void;
  readonly #links = new Map<number, ArrivingLink>();
  readonly #pings: NodeJS.Timeout;
  #isAlive = true;

  constructor(webSocket: WebSocket, registry: LinkRegistry, refused: (reason: string) => void) {
    this.#webSocket = webSocket;
    this.#registry = registry;
    this.#refused = refused;
    webSocket.on("message", (data, isBinary) => {
      try {
        this.#take(readFrame(data, isBinary));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
        refused(error.message);
        this.close();
      }
    });
    // Such as a message over the limit: the close follows.
    webSocket.on("error", (error) => refused(error.message));
    webSocket.on("pong", () => (this.#isAlive = true));
    webSocket.once("close", () => this.#end());
    this.#pings = setInterval(() => {
      if (!this.#isAlive) webSocket.terminate();
      this.#isAlive = false;
      webSocket.ping();
    }, PING_INTERVAL_MS).unref();
  }

  close(): void {
    this.#end();
    this.#webSocket.terminate();
  }

  #take(frame: Frame): void {
    const link = this.#links.get(frame.link);
    if (link === undefined && frame.type === FRAME.hello) this.#begin(frame);
    // Frames may still be on their way when a link was cut.
    else if (frame.type === FRAME.refused) link?.end();
    else link?.add(frame);
  }

  #begin({ link: number, header, payload }: Frame): void {
    const { topic, token } = decodeHello(header, payload);
    if (this.#links.size >= CONNECTION_LINKS_MAX) throw new FrameError("too many links");
    const reply = (bytes: Buffer): void => {
      if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#webSocket.send(bytes);
    };
    const refuse = (reason: string): void => {
      reply(encodeFrame(FRAME.refused, undefined, Buffer.from(reason), number));
    };
    const link = this.#registry.find(topic, token);
    if (link === undefined) {
      const reason = "no link of this topic and token arrives here";
      this.#refused(reason);
      refuse(reason);
      return;
    }
    const forget = (): void => void this.#links.delete(number);
    this.#links.set(number, new ArrivingLink(link, { number, reply, refuse, forget }));
  }

  #end(): void {
    clearInterval(this.#pings);
    for (const link of this.#links.values()) link.end();
  }
}

interface ArrivingLinkOwner {
  readonly number: number;
  reply(bytes: Buffer): void;
  refuse(reason: string): void;
  forget(): void;
}

/** A link on a shared connection: while it is paused, what its window allows waits here. */
class ArrivingLink implements ArrivingConnection {
  readonly #link: FramedInboxLink;
  readonly #owner: ArrivingLinkOwner;
  readonly #intake: LinkIntake;
  #held: Frame[] = [];
  #heldBytes = 0;
  #isPaused: boolean;
  #isEnded = false;

  constructor(link: FramedInboxLink, owner: ArrivingLinkOwner) {
    this.#link = link;
    this.#owner = owner;
    this.#intake = new LinkIntake(link, { ...owner, windowBytes: LINK_WINDOW_BYTES });
    link.connect(this);
    this.#isPaused = link.isPaused;
    this.#intake.welcome();
  }

  setPaused(isPaused: boolean): void {
    if (isPaused) this.#isPaused = true;
    // Not at once: the receiver may be in the middle of a message.
    else setImmediate(() => this.#goOn());
  }

  cut(reason: string): void {
    if (this.#isEnded) return;
    this.#owner.refuse(reason);
    this.end();
  }

  /** Errors: `FrameError`. */
  add(frame: Frame): void {
    if (!this.#isPaused && this.#held.length === 0) {
      this.#take(frame);
      return;
    }
    this.#heldBytes += frame.header.length + frame.payload.length;
    if (this.#heldBytes > LINK_WINDOW_BYTES + 2 * WEBSOCKET_MESSAGE_BYTES_MAX) {
      throw new FrameError("more under way than the link's window allows");
    }
    this.#held.push(frame);
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#held = [];
    this.#owner.forget();
    this.#intake.close();
    this.#link.disconnect(this);
  }

  #goOn(): void {
    if (this.#link.isPaused) return;
    this.#isPaused = false;
    let count = 0;
    while (count < this.#held.length && !this.#isPaused && !this.#isEnded) {
      const frame = this.#held[count++];
      this.#heldBytes -= frame.header.length + frame.payload.length;
      this.#take(frame);
    }
    this.#held.splice(0, count);
  }

  #take(frame: Frame): void {
    this.#intake.check(frame.type, frame.header.length, frame.payload.length);
    this.#intake.take(frame);
    if (!this.#intake.hasEnded) return;
    this.#owner.reply(encodeFrame(FRAME.close, undefined, undefined, this.#owner.number));
    this.end();
  }
}
