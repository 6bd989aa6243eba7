/** The receiving side of links over gRPC: the service of docs/proto/dora/v1/links.proto. */
import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { FRAME, FrameError, TOKEN_BYTES_MAX, TOPIC_BYTES_MAX } from "./frame.ts";
import { GrpcCutter } from "./grpc-cutter.ts";
import { decodeSent, encodeAnswer, LINKS_PATH } from "./grpc-messages.ts";
import type { ArrivingConnection, FramedInboxLink } from "./inbox-link.ts";
import { LinkIntake } from "./link-intake.ts";
import { LinkRegistry } from "./link-registry.ts";
import type { Inbox, InboxLink, InboxOptions, LinkAcceptance, LinkReceiver } from "./transport.ts";

/** A connection, and a call, must say a good hello within this time. */
const HELLO_TIMEOUT_MS = 5_000;

/** Connections on which nobody has said a good hello; further ones are turned away. */
const STRANGERS_MAX = 128;

/** How long a call may stay open after its status. */
const LINGER_MS = 1_000;

/** So many that a link that is paused holds up none of those that share its connection. */
const CONNECTION_WINDOW_BYTES = 64 * 1024 * 1024;

const STATUS = { ok: 0, invalid: 3, aborted: 10, unimplemented: 12, unauthenticated: 16 } as const;

export class GrpcInbox implements Inbox {
  readonly endpoint: string;
  readonly #server: Http2Server;
  readonly #onRefused: ((reason: string) => void) | undefined;
  readonly #links: LinkRegistry;
  /** Below the sessions, which may leave theirs open when they are destroyed. */
  readonly #sockets = new Set<Socket>();
  readonly #strangers = new Set<ServerHttp2Session>();
  readonly #calls = new Set<GrpcCall>();
  #refusedConnections = 0;

  /** `server` listens at `options.endpoint` already, and is closed with the inbox. */
  constructor(server: Http2Server, options: InboxOptions) {
    this.endpoint = options.endpoint;
    this.#server = server;
    this.#onRefused = options.onRefused;
    this.#links = new LinkRegistry(options.endpoint);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("session", (session) => this.#watch(session));
    server.on("sessionError", () => this.#countRefused("it spoke no HTTP/2"));
    server.on("stream", (stream, headers) => this.#answer(stream, headers));
  }

  get refusedConnections(): number {
    return this.#refusedConnections;
  }

  async accept(link: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink> {
    return this.#links.accept(link, receiver);
  }

  async close(): Promise<void> {
    for (const call of this.#calls) call.cut("the inbox was closed");
    this.#links.clear();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #watch(session: ServerHttp2Session): void {
    if (this.#strangers.size >= STRANGERS_MAX) {
      this.#countRefused("too many connections that said no hello");
      session.destroy();
      return;
    }
    this.#strangers.add(session);
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    const timer = setTimeout(() => {
      this.#countRefused("it said no hello");
      session.destroy();
    }, HELLO_TIMEOUT_MS);
    session.once("known", () => {
      clearTimeout(timer);
      this.#strangers.delete(session);
    });
    session.once("close", () => {
      clearTimeout(timer);
      this.#strangers.delete(session);
    });
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A stream that fails is also closed, and that is what is looked at.
    stream.on("error", () => {});
    const isGrpc = headers["content-type"]?.startsWith("application/grpc") === true;
    if (headers[":method"] !== "POST" || !isGrpc) {
      this.#countRefused("it asked for a page");
      stream.respond({ ":status": 415 }, { endStream: true });
      return;
    }
    if (headers[":path"] !== LINKS_PATH) {
      this.#countRefused("it called another method");
      const status = { "grpc-status": STATUS.unimplemented, "grpc-message": "no such method" };
      stream.respond({ ...RESPONSE_HEADERS, ...status }, { endStream: true });
      return;
    }
    const call = new GrpcCall(stream, {
      find: (topic, token) => this.#links.find(topic, token),
      known: () => void stream.session?.emit("known"),
      refused: (reason) => this.#countRefused(reason),
    });
    this.#calls.add(call);
    stream.once("close", () => this.#calls.delete(call));
  }

  #countRefused(reason: string): void {
    this.#refusedConnections++;
    this.#onRefused?.(reason);
  }
}

const RESPONSE_HEADERS = { ":status": 200, "content-type": "application/grpc" } as const;

interface CallOwner {
  find(topic: string, token: string): FramedInboxLink | undefined;
  known(): void;
  refused(reason: string): void;
}

class GrpcCall implements ArrivingConnection {
  readonly #stream: ServerHttp2Stream;
  readonly #owner: CallOwner;
  readonly #cutter = new GrpcCutter((message) => this.#take(message));
  readonly #helloTimer: NodeJS.Timeout;
  #link: FramedInboxLink | undefined;
  #intake: LinkIntake | undefined;
  #isStopped = false;
  #isClosed = false;

  constructor(stream: ServerHttp2Stream, owner: CallOwner) {
    this.#stream = stream;
    this.#owner = owner;
    this.#helloTimer = setTimeout(() => this.#fail("it said no hello"), HELLO_TIMEOUT_MS);
    stream.on("data", (chunk: Buffer) => this.#read(() => this.#cutter.add(chunk)));
    stream.once("end", () => this.#end());
    stream.once("close", () => this.#end());
  }

  setPaused(isPaused: boolean): void {
    if (isPaused) {
      this.#isStopped = true;
      this.#cutter.pause();
      this.#stream.pause();
    } else {
      // Not at once: the receiver may be in the middle of a message.
      setImmediate(() => this.#goOn());
    }
  }

  cut(reason: string): void {
    this.#end();
    this.#finish(STATUS.aborted, reason);
  }

  #goOn(): void {
    if (this.#isClosed || !this.#isStopped || this.#link?.isPaused === true) return;
    this.#isStopped = false;
    this.#read(() => {
      if (this.#cutter.resume()) this.#stream.resume();
    });
  }

  #read(read: () => void): void {
    if (this.#isClosed) return;
    try {
      read();
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#fail(error.message);
    }
  }

  #take(message: Buffer): void {
    if (this.#isClosed) return;
    const sent = decodeSent(message);
    if ("topic" in sent) {
      this.#begin(sent.topic, sent.token);
      return;
    }
    const intake = this.#intake;
    if (intake === undefined) throw new FrameError("it said no hello");
    intake.check(sent.type, sent.header.length, sent.payload.length);
    intake.take(sent);
    if (sent.type === FRAME.close) {
      this.#end();
      this.#finish(STATUS.ok, "");
    }
  }

  #begin(topic: string, token: string): void {
    const isTooLong = topic.length > TOPIC_BYTES_MAX || token.length > TOKEN_BYTES_MAX;
    if (this.#intake !== undefined || isTooLong) throw new FrameError("a hello is out of place");
    const link = this.#owner.find(topic, token);
    if (link === undefined) {
      this.#fail("no link of this topic and token arrives here", STATUS.unauthenticated);
      return;
    }
    clearTimeout(this.#helloTimer);
    this.#owner.known();
    this.#respond();
    const reply = (frame: Buffer): void => {
      if (this.#stream.writable) this.#stream.write(encodeAnswer(frame));
    };
    this.#intake = new LinkIntake(link, { reply });
    link.connect(this);
    this.#link = link;
    this.#intake.welcome();
    if (link.isPaused) this.setPaused(true);
  }

  #fail(reason: string, status: number = STATUS.invalid): void {
    if (this.#isClosed) return;
    this.#owner.refused(reason);
    this.#end();
    this.#finish(status, reason);
  }

  #respond(): void {
    if (!this.#stream.headersSent)
      this.#stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
  }

  /** Ends the call with a status; what still comes is thrown away. */
  #finish(status: number, message: string): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    this.#respond();
    const trailers = { "grpc-status": String(status), "grpc-message": encodeURIComponent(message) };
    stream.once("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end();
    stream.resume();
    // A sender that does not stop at the status is asked to: NO_ERROR.
    const timer = setTimeout(() => stream.close(0), LINGER_MS);
    stream.once("close", () => clearTimeout(timer));
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#helloTimer);
    this.#intake?.close();
    this.#link?.disconnect(this);
  }
}
