import type { Socket } from "node:net";
import { errorMessage } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import { encodeJsonFrame, FRAME_HOPS, FRAME_JSON, FrameReader } from "../protocol/frames.ts";
import type { DaemonMessage, NodeMessage } from "../protocol/node-messages.ts";
import { readNodeMessage } from "./node-message-schema.ts";
import type { Timers } from "./timers.ts";

export type Hello = Extract<NodeMessage, { readonly type: "hello" }>;
/** What a node says after it was let in. */
export type AdmittedMessage = Exclude<NodeMessage, Hello>;

/** Who takes what a node says; one node's process. */
export interface NodeReceiver {
  onMessage(message: AdmittedMessage): void;
  /** `body` is valid during the call. */
  onHops(body: Buffer): void;
  onClose(): void;
}

export type Admission =
  | { readonly status: "admitted"; readonly receiver: NodeReceiver }
  | { readonly status: "refused"; readonly message: string };

export interface NodeConnectionOptions {
  readonly log: Logger;
  /** Asked once, at the hello. */
  readonly admit: (hello: Hello, connection: NodeConnection) => Admission;
  readonly onClose: (connection: NodeConnection) => void;
}

/** Who connects and says nothing is cut off. */
export const HELLO_TIMEOUT_MS = 30_000;
/** From the end of a process to the last of what its connection says. */
const LAST_WORDS_MS = 300;
/** What waits for a node that does not read; past it the connection is closed. */
const SEND_BYTES_MAX = 16 * 1024 * 1024;

/**
 * One connection to the daemon's socket, from its hello to its end. Frames that make no sense close it;
 * nothing that comes in throws.
 */
export class NodeConnection {
  readonly #socket: Socket;
  readonly #options: NodeConnectionOptions;
  readonly #frames = new FrameReader();
  #receiver: NodeReceiver | undefined;
  /** For the log: who it said it is. */
  #name = "";
  #unknownTypes = new Set<string>();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: NodeConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setTimeout(HELLO_TIMEOUT_MS, () => this.#fail("it said nothing"));
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#options.log.debug("a node's connection broke", { error }));
    socket.on("close", () => {
      this.#receiver?.onClose();
      this.#options.onClose(this);
      this.#closed.resolve();
    });
  }

  /** Resolves when all that it said was taken, and nothing follows; or after `LAST_WORDS_MS`. */
  async lastWords(timers: Timers): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cancel = timers.after(LAST_WORDS_MS, late.resolve);
    await Promise.race([this.#closed.promise, late.promise]);
    cancel();
  }

  /** Sends a message; a closed connection takes it in silence, since its node is told again at its next hello. */
  send(message: DaemonMessage): void {
    if (this.#socket.destroyed || !this.#socket.writable) return;
    this.#socket.write(encodeJsonFrame(message));
    if (this.#socket.writableLength > SEND_BYTES_MAX) this.#fail("it does not read");
  }

  /** Sends what waits, and closes. */
  close(): void {
    this.#socket.end();
    this.#socket.setTimeout(HELLO_TIMEOUT_MS, () => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    try {
      for (const { kind, body } of this.#frames.read(chunk)) {
        if (this.#socket.destroyed) return;
        if (kind === FRAME_JSON) this.#takeJson(body);
        else if (kind === FRAME_HOPS) this.#receiver?.onHops(body);
        else this.#fail(`there is no frame of kind ${kind}`);
      }
    } catch (error) {
      this.#fail(errorMessage(error));
    }
  }

  #takeJson(body: Buffer): void {
    const read = readNodeMessage(body);
    switch (read.status) {
      case "invalid":
        this.#fail(read.reason);
        break;
      case "unknown":
        if (this.#unknownTypes.size < 10 && !this.#unknownTypes.has(read.type)) {
          this.#unknownTypes.add(read.type);
          this.#options.log.debug("a node sent a message of an unknown type", {
            "dora.node.id": this.#name,
            type: read.type,
          });
        }
        break;
      case "ok":
        if (read.message.type === "hello") this.#greet(read.message);
        else if (this.#receiver === undefined) this.#fail("it did not say hello first");
        else this.#receiver.onMessage(read.message);
    }
  }

  #greet(hello: Hello): void {
    if (this.#receiver !== undefined) {
      this.#fail("it said hello twice");
      return;
    }
    this.#name = hello.node;
    this.#socket.setTimeout(0);
    const admission = this.#options.admit(hello, this);
    if (admission.status === "admitted") {
      this.#receiver = admission.receiver;
      return;
    }
    this.#options.log.warn("a node was refused", {
      "dora.node.id": hello.node,
      reason: admission.message,
    });
    this.send({ type: "refused", message: admission.message });
    this.close();
  }

  #fail(reason: string): void {
    if (this.#socket.destroyed) return;
    this.#options.log.warn("a node's connection was closed: it does not keep to the protocol", {
      "dora.node.id": this.#name,
      reason,
    });
    this.#socket.destroy();
  }
}
