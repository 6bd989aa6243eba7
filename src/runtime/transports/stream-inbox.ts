/** The receiving side of links that have a byte stream each: sockets and TCP. */
import type { Server, Socket } from "node:net";
import {
  decodeHello,
  encodeFrame,
  FRAME,
  FrameError,
  TOKEN_BYTES_MAX,
  TOPIC_BYTES_MAX,
} from "./frame.ts";
import { type Frame, FrameReader } from "./frame-reader.ts";
import type { ArrivingConnection, FramedInboxLink } from "./inbox-link.ts";
import { LinkIntake } from "./link-intake.ts";
import { LinkRegistry } from "./link-registry.ts";
import type { Inbox, InboxLink, InboxOptions, LinkAcceptance, LinkReceiver } from "./transport.ts";

/** A connection must say its hello within this time. */
const HELLO_TIMEOUT_MS = 5_000;

/** Connections that have not said a good hello yet; further ones are turned away. */
const STRANGERS_MAX = 128;

const HELLO_HEADER_BYTES_MAX = 8 + TOPIC_BYTES_MAX;

export interface StreamInboxSetup extends InboxOptions {
  readonly server: Server;
  /** `server` speaks TLS. Not asked of `node:tls`, which costs a process milliseconds to load. */
  readonly isSecure?: boolean;
  /** Folder of the rings; undefined where sender and receiver share no memory. */
  readonly ringFolder?: string;
}

export class StreamInbox implements Inbox {
  readonly endpoint: string;
  readonly #setup: StreamInboxSetup;
  readonly #links: LinkRegistry;
  readonly #connections = new Set<StreamConnection>();
  #strangers = 0;
  #refusedConnections = 0;
  #isClosed = false;

  /** `setup.server` listens at `setup.endpoint` already. */
  constructor(setup: StreamInboxSetup) {
    this.#setup = setup;
    this.endpoint = setup.endpoint;
    this.#links = new LinkRegistry(setup.endpoint);
    // With TLS, the connection that counts is the one inside it.
    const event = setup.isSecure === true ? "secureConnection" : "connection";
    setup.server.on(event, (socket: Socket) => this.#admit(socket));
  }

  get refusedConnections(): number {
    return this.#refusedConnections;
  }

  async accept(link: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink> {
    return this.#links.accept(link, receiver);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const closed = new Promise<void>((resolve) => {
      this.#setup.server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.cut("the inbox was closed");
    this.#links.clear();
    await closed;
  }

  #admit(socket: Socket): void {
    if (this.#strangers >= STRANGERS_MAX || this.#isClosed) {
      socket.destroy();
      this.#countRefused("too many connections that said no hello");
      return;
    }
    this.#strangers++;
    let isStranger = true;
    const connection = new StreamConnection(socket, {
      ringFolder: this.#setup.ringFolder,
      find: (topic, token) => this.#links.find(topic, token),
      known: () => {
        if (isStranger) this.#strangers--;
        isStranger = false;
      },
      refused: (reason) => this.#countRefused(reason),
    });
    this.#connections.add(connection);
    socket.once("close", () => {
      this.#connections.delete(connection);
      if (isStranger) this.#strangers--;
    });
  }

  #countRefused(reason: string): void {
    this.#refusedConnections++;
    this.#setup.onRefused?.(reason);
  }
}

interface ConnectionOwner {
  readonly ringFolder: string | undefined;
  find(topic: string, token: string): FramedInboxLink | undefined;
  known(): void;
  refused(reason: string): void;
}

class StreamConnection implements ArrivingConnection {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #reader: FrameReader;
  readonly #helloTimer: NodeJS.Timeout;
  #link: FramedInboxLink | undefined;
  #intake: LinkIntake | undefined;
  #frameType = 0;
  /** The reader has stopped amid a chunk. */
  #isStopped = false;
  #isClosed = false;

  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#reader = new FrameReader({
      check: (type, headerBytes, payloadBytes) => this.#check(type, headerBytes, payloadBytes),
      allocate: (bytes) => this.#intake?.allocate(this.#frameType, bytes) ?? Buffer.alloc(bytes),
      take: (frame) => this.#take(frame),
    });
    this.#helloTimer = setTimeout(() => this.#refuse("it said no hello"), HELLO_TIMEOUT_MS);
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    // What follows an error is the close.
    socket.on("error", () => {});
    socket.once("close", () => this.#end());
  }

  setPaused(isPaused: boolean): void {
    if (isPaused) {
      this.#isStopped = true;
      this.#reader.pause();
      this.#socket.pause();
    } else {
      // Not at once: the receiver may be in the middle of a message.
      setImmediate(() => this.#goOn());
    }
  }

  cut(_reason: string): void {
    this.#end();
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#isClosed) return;
    try {
      this.#reader.add(chunk);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #goOn(): void {
    if (this.#isClosed || !this.#isStopped || this.#link?.isPaused === true) return;
    this.#isStopped = false;
    try {
      if (this.#reader.resume()) this.#socket.resume();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #check(type: number, headerBytes: number, payloadBytes: number): void {
    this.#frameType = type;
    if (this.#intake !== undefined) {
      this.#intake.check(type, headerBytes, payloadBytes);
    } else if (
      type !== FRAME.hello ||
      headerBytes > HELLO_HEADER_BYTES_MAX ||
      payloadBytes > TOKEN_BYTES_MAX
    ) {
      throw new FrameError("it said no hello");
    }
  }

  #take(frame: Frame): boolean {
    if (this.#intake === undefined) this.#begin(frame);
    else this.#takeNext(this.#intake, frame);
    return !this.#isStopped && !this.#isClosed;
  }

  #begin(frame: Frame): void {
    const { topic, token } = decodeHello(frame.header, frame.payload);
    const link = this.#owner.find(topic, token);
    if (link === undefined) throw new FrameError("no link of this topic and token arrives here");
    clearTimeout(this.#helloTimer);
    this.#owner.known();
    this.#socket.setKeepAlive(true, 10_000);
    const { ringFolder } = this.#owner;
    const reply = (bytes: Buffer): void => void this.#socket.write(bytes);
    this.#intake = new LinkIntake(link, { reply, ringFolder });
    link.connect(this);
    // Only now, when the older connection hands over no more, is the count of what was taken the last.
    this.#link = link;
    this.#intake.welcome();
    if (link.isPaused) this.setPaused(true);
  }

  #takeNext(intake: LinkIntake, frame: Frame): void {
    intake.take(frame);
    if (intake.hasEnded) this.#socket.end();
  }

  #refuse(error: unknown): void {
    if (this.#isClosed) return;
    if (typeof error !== "string" && !(error instanceof FrameError)) {
      this.cut("a fault");
      throw error;
    }
    const reason = typeof error === "string" ? error : error.message;
    this.#owner.refused(reason);
    this.#end();
    this.#socket.end(encodeFrame(FRAME.refused, undefined, Buffer.from(reason)));
    this.#socket.destroySoon();
  }

  #end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#helloTimer);
    this.#intake?.close();
    this.#link?.disconnect(this);
  }
}
