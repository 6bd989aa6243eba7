import net from "node:net";
import { AppError, errorMessage } from "../../core/errors.ts";
import {
  encodeFrame,
  encodeJsonFrame,
  FRAME_HOPS,
  FRAME_JSON,
  FrameReader,
} from "../protocol/frames.ts";
import type { DaemonMessage, NodeConfig, NodeMessage } from "../protocol/node-messages.ts";
import { Backoff } from "../transports/backoff.ts";
import { readDaemonMessage } from "./daemon-message.ts";
import { ShapeError } from "./shape.ts";

/** How long a daemon may take to answer `hello`. */
/** A hundred nodes that start at once on a small machine keep each other, and the daemon, from answering. */
const WELCOME_TIMEOUT_MS = 30_000;
/** Messages that wait for the daemon to come back; more are dropped and counted. */
const PENDING_BYTES_MAX = 1024 * 1024;
/** A daemon that does not read gets nothing more above this. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;

type Hello = Extract<NodeMessage, { readonly type: "hello" }>;
type Told = Exclude<DaemonMessage, { readonly type: "welcome" | "refused" }>;

export interface DaemonLinkEvents {
  onMessage(message: Told): void;
  /** The same daemon is back, or another one that knows this node; it is told anew what a daemon must know. */
  onReconnected(): void;
  /** Another daemon is there, which does not know this node. Nothing follows. */
  onRefused(): void;
  /** What the daemon said made no sense, or it went away; in words. */
  onFault(message: string): void;
}

/**
 * The connection to the daemon. Once it was open, its loss is no end: it is tried again, at growing
 * intervals, for ever, with the same `hello`; what is said meanwhile waits.
 */
export class DaemonLink {
  readonly #path: string;
  readonly #hello: Hello;
  readonly #backoff = new Backoff();
  #socket: net.Socket | undefined;
  #state: "opening" | "welcome" | "away" | "closed" = "opening";
  #events: DaemonLinkEvents | undefined;
  /** Came before anybody listened. */
  #early: Told[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #retry: NodeJS.Timeout | undefined;
  #welcomeTimer: NodeJS.Timeout | undefined;
  #opening: { resolve(config: NodeConfig): void; reject(error: AppError): void } | undefined;
  /** Messages to the daemon that were dropped. */
  dropped = 0;

  constructor(path: string, hello: Hello) {
    this.#path = path;
    this.#hello = hello;
  }

  /** Errors: `DAEMON_UNREACHABLE`, `NODE_REFUSED`. */
  open(): Promise<NodeConfig> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.#connect();
    });
  }

  /** Tells what comes, beginning with what has come since `open` resolved. */
  listen(events: DaemonLinkEvents): void {
    this.#events = events;
    const early = this.#early;
    this.#early = [];
    for (const message of early) events.onMessage(message);
  }

  /** Sends, or keeps until the daemon is back. */
  send(message: NodeMessage): void {
    if (this.#state === "closed") return;
    const frame = encodeJsonFrame(message);
    if (this.#canWrite()) {
      this.#socket?.write(frame);
    } else if (this.#pendingBytes + frame.length > PENDING_BYTES_MAX) {
      this.dropped++;
    } else {
      this.#pending.push(frame);
      this.#pendingBytes += frame.length;
    }
  }

  /** Sends what is of no use later; false where the daemon cannot take it now. */
  trySend(message: NodeMessage): boolean {
    if (!this.#canWrite()) return false;
    this.#socket?.write(encodeJsonFrame(message));
    return true;
  }

  /** As `trySend`; the body is only made where it can be sent. */
  trySendHops(body: () => Buffer): boolean {
    if (!this.#canWrite()) return false;
    this.#socket?.write(encodeFrame(FRAME_HOPS, body()));
    return true;
  }

  /**
   * Closes once the daemon has read what was sent, or the deadline is over. One that answers on a connection
   * that is gone already would lose what it has not read of it.
   */
  async close(deadlineMs: number): Promise<void> {
    const socket = this.#socket;
    const wasOpen = this.#state === "welcome";
    this.#state = "closed";
    clearTimeout(this.#retry);
    clearTimeout(this.#welcomeTimer);
    if (socket === undefined) return;
    if (wasOpen) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        socket.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
        socket.end();
      });
    }
    socket.destroy();
  }

  #canWrite(): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.#state !== "welcome" || this.#pending.length > 0) return false;
    return socket.writableLength < UNREAD_BYTES_MAX;
  }

  #connect(): void {
    const socket = net.connect(this.#path);
    const reader = new FrameReader();
    this.#socket = socket;
    let reason = "it closed the connection";
    socket.once("connect", () => socket.write(encodeJsonFrame(this.#hello)));
    socket.on("data", (chunk: Buffer) => {
      try {
        for (const frame of reader.read(chunk)) {
          if (frame.kind === FRAME_JSON) this.#read(frame.body);
        }
      } catch (error) {
        // Nothing after it can be read.
        reason = errorMessage(error);
        socket.destroy();
      }
    });
    socket.on("drain", () => this.#sendPending());
    socket.on("error", (error) => (reason = error.message));
    socket.once("close", () => {
      if (this.#socket === socket) this.#lose(reason);
    });
    this.#welcomeTimer = setTimeout(() => {
      reason = `it did not answer in ${WELCOME_TIMEOUT_MS / 1000} s`;
      socket.destroy();
    }, WELCOME_TIMEOUT_MS);
  }

  #read(body: Buffer): void {
    let message: DaemonMessage | undefined;
    try {
      message = readDaemonMessage(body);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      this.#events?.onFault(`the daemon said what makes no sense: ${error.message}`);
      return;
    }
    if (message === undefined || this.#state === "closed") return;
    if (message.type === "welcome") this.#welcome(message.config);
    else if (message.type === "refused") this.#refuse(message.message);
    else if (this.#events === undefined) this.#early.push(message);
    else this.#events.onMessage(message);
  }

  #welcome(config: NodeConfig): void {
    if (this.#state === "welcome") return;
    clearTimeout(this.#welcomeTimer);
    this.#backoff.reset();
    this.#state = "welcome";
    if (this.#opening === undefined) this.#events?.onReconnected();
    this.#opening?.resolve(config);
    this.#opening = undefined;
    this.#sendPending();
  }

  #refuse(message: string): void {
    const opening = this.#opening;
    this.#state = "closed";
    clearTimeout(this.#welcomeTimer);
    this.#socket?.destroy();
    if (opening === undefined) this.#events?.onRefused();
    else opening.reject(new AppError("NODE_REFUSED", `the daemon refuses this node: ${message}`));
  }

  #lose(reason: string): void {
    clearTimeout(this.#welcomeTimer);
    this.#socket = undefined;
    if (this.#state === "closed") return;
    if (this.#opening !== undefined) {
      this.#state = "closed";
      const message = `no daemon can be reached at ${this.#path}: ${reason}`;
      this.#opening.reject(new AppError("DAEMON_UNREACHABLE", message));
      return;
    }
    if (this.#state === "welcome") this.#events?.onFault(`the daemon was lost: ${reason}`);
    this.#state = "away";
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.nextDelayMs());
  }

  #sendPending(): void {
    if (this.#state !== "welcome" || this.#pending.length === 0) return;
    const frames = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const frame of frames) this.#socket?.write(frame);
  }
}
