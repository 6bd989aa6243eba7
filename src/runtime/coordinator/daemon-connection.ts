import type { WebSocket } from "ws";
import type { ErrorCode } from "../../core/errors.ts";
import { AppError, ERRORS } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type {
  CoordinatorToDaemon,
  DaemonRequest,
  DaemonToCoordinator,
} from "../protocol/daemon-messages.ts";
import { DAEMON_PROTOCOL_VERSION } from "../protocol/daemon-messages.ts";
import { DaemonMessageSchema } from "./daemon-message-schema.ts";
import type { CoordinatorLimits } from "./limits.ts";

/** Close codes of RFC 6455 7.4.1. */
const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;

export type DaemonHello = Extract<DaemonToCoordinator, { readonly type: "hello" }>;

/** Who is told what a daemon says. */
export interface DaemonOwner {
  /** Admits it, or throws why not. */
  onHello(daemon: DaemonConnection, hello: DaemonHello): void;
  onMessage(
    daemon: DaemonConnection,
    message: Extract<DaemonToCoordinator, { readonly type: "event" | "status" }>,
  ): void;
  /** Once, of one that was admitted. */
  onGone(daemon: DaemonConnection): void;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: AppError): void;
  readonly timer: NodeJS.Timeout;
}

/**
 * A daemon that has connected: takes requests for it, and hands on what it says. A daemon that says what makes
 * no sense is let go, which costs its nodes nothing.
 */
export class DaemonConnection {
  readonly #socket: WebSocket;
  readonly #owner: DaemonOwner;
  readonly #limits: CoordinatorLimits;
  readonly #log: Logger;
  readonly #waiting = new Map<number, Waiting>();
  readonly #helloTimer: NodeJS.Timeout;
  #pinging: NodeJS.Timeout | undefined;
  #hello: DaemonHello | undefined;
  #lastId = 0;

  constructor(
    socket: WebSocket,
    owner: DaemonOwner,
    options: { readonly limits: CoordinatorLimits; readonly log: Logger },
  ) {
    this.#socket = socket;
    this.#owner = owner;
    this.#limits = options.limits;
    this.#log = options.log;
    const late = (): void => this.#letGo("it did not say hello in time");
    this.#helloTimer = setTimeout(late, this.#limits.daemonHelloMs);
    socket.on("message", (data: Buffer) => this.#onMessage(data));
    socket.on("error", (error) => this.#log.debug("a daemon's connection failed", { error }));
    socket.once("close", () => this.#onClose());
  }

  /** What it said of itself; undefined until it was admitted. */
  get hello(): DaemonHello | undefined {
    return this.#hello;
  }

  /**
   * Has the daemon do something; resolves when it has accepted.
   *
   * Errors: what the daemon answers; `DAEMON_UNREACHABLE` where it does not.
   */
  request(request: DaemonRequest): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      this.#waiting.delete(id);
      reject(this.#unreachable("did not answer in time"));
    }, this.#limits.daemonAnswerMs);
    this.#waiting.set(id, { resolve, reject, timer });
    this.#say({ type: "request", id, request });
    return promise;
  }

  close(): void {
    this.#socket.close(CLOSE_GOING_AWAY, "the coordinator stops");
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #onMessage(data: Buffer): void {
    const message = readMessage(data);
    if (typeof message === "string") {
      this.#letGo(message);
      return;
    }
    if (message.type === "hello") {
      this.#admit(message);
      return;
    }
    if (this.#hello === undefined) {
      this.#letGo("it did not say hello first");
      return;
    }
    switch (message.type) {
      case "reply":
        this.#settle(message.id)?.resolve(message.result);
        break;
      case "reply-error":
        this.#settle(message.id)?.reject(new AppError(toCode(message.code), message.message));
        break;
      case "event":
      case "status":
        this.#owner.onMessage(this, message);
    }
  }

  #admit(hello: DaemonHello): void {
    if (this.#hello !== undefined) {
      this.#letGo("it said hello twice");
      return;
    }
    clearTimeout(this.#helloTimer);
    try {
      if (hello.protocol !== DAEMON_PROTOCOL_VERSION) {
        const both = `version ${hello.protocol} of the daemon protocol, this coordinator version ${DAEMON_PROTOCOL_VERSION}`;
        throw new AppError("REQUEST_INVALID", `dora ${hello.version} speaks ${both}`);
      }
      this.#owner.onHello(this, hello);
    } catch (error) {
      const message = error instanceof AppError ? error.message : "the coordinator has a fault";
      this.#log.warn("a daemon was refused", { machine: hello.machine, error });
      this.#say({ type: "refused", message });
      this.#socket.close(CLOSE_POLICY);
      this.#socket.removeAllListeners("message");
      return;
    }
    this.#hello = hello;
    this.#say({ type: "welcome", machine: hello.machine });
    this.#ping();
  }

  /** A daemon whose machine was switched off is noticed by its silence. */
  #ping(): void {
    let isAnswered = true;
    this.#socket.on("pong", () => (isAnswered = true));
    this.#pinging = setInterval(() => {
      if (!isAnswered) this.#socket.terminate();
      isAnswered = false;
      this.#socket.ping();
    }, this.#limits.pingIntervalMs);
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    return waiting;
  }

  #letGo(reason: string): void {
    const machine = this.#hello?.machine ?? "";
    this.#log.warn("a daemon was let go", { machine, reason });
    this.#socket.close(CLOSE_POLICY, reason.slice(0, 100));
    // One that goes on talking is not heard any more.
    this.#socket.removeAllListeners("message");
  }

  #onClose(): void {
    clearTimeout(this.#helloTimer);
    clearInterval(this.#pinging);
    for (const id of this.#waiting.keys()) {
      this.#settle(id)?.reject(this.#unreachable("closed its connection"));
    }
    if (this.#hello !== undefined) this.#owner.onGone(this);
  }

  #unreachable(what: string): AppError {
    const message = `the daemon of ${this.#hello?.machine ?? "an unknown machine"} ${what}`;
    return new AppError("DAEMON_UNREACHABLE", message, {
      hint: "see the daemon's log, and `dora status`",
    });
  }

  #say(message: CoordinatorToDaemon): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }
}

/** The message, or what is wrong with it. */
function readMessage(data: Buffer): DaemonToCoordinator | string {
  let value: unknown;
  try {
    value = JSON.parse(data.toString("utf8"));
  } catch {
    return "it said what is no JSON";
  }
  const parsed = DaemonMessageSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return `it said what makes no sense: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`;
}

function toCode(code: string): ErrorCode {
  return isErrorCode(code) ? code : "INTERNAL";
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
