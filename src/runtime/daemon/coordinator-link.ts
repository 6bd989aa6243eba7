import { once } from "node:events";
import { WebSocket } from "ws";
import { AppError, errorMessage } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { CoordinatorToDaemon, DaemonToCoordinator } from "../protocol/daemon-messages.ts";
import { DAEMON_PATH, DAEMON_PROTOCOL_VERSION } from "../protocol/daemon-messages.ts";
import { Backoff } from "../transports/backoff.ts";
import type { Daemon } from "./daemon.ts";
import { CoordinatorMessageSchema } from "./daemon-request-schema.ts";
import type { Timers } from "./timers.ts";
import { systemTimers } from "./timers.ts";

/** Attempts at the first connection, and the time between them. */
export const RETRIES = 2;
export const RETRY_DELAY_MS = 1000;
/** What a coordinator may say at once. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** What waits for a coordinator that does not read; past it the connection is closed. */
const SEND_BYTES_MAX = 16 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const PING_INTERVAL_MS = 10_000;

export interface FailedAttempt {
  /** From 1. */
  readonly attempt: number;
  /** Infinity where it is tried for ever. */
  readonly attempts: number;
  readonly retryDelayMs: number;
  readonly reason: string;
}

export interface CoordinatorLinkOptions {
  readonly daemon: Daemon;
  readonly version: string;
  /** `http://HOST:PORT` or `https://HOST:PORT` of the coordinator's API. */
  readonly url: string;
  readonly token?: string;
  /** Of an authority that signed the coordinator's certificate, PEM. */
  readonly ca?: string;
  /** Attempts at the first connection; default `RETRIES`. */
  readonly retries?: number;
  readonly retryDelayMs?: number;
  readonly retryForever?: boolean;
  readonly log: Logger;
  readonly timers?: Timers;
  /** Told of each failed attempt at the first connection; after the last one there is no wait. */
  readonly onAttemptFailed?: (attempt: FailedAttempt) => void;
}

/**
 * The daemon's connection to its coordinator. The first one is tried so many times; once it was there, its
 * loss ends nothing: nodes run on, and it is tried again for ever, at growing intervals. At each connection the
 * daemon says what it runs, so that events meanwhile need not be kept.
 */
export class CoordinatorLink {
  readonly #options: CoordinatorLinkOptions;
  readonly #timers: Timers;
  readonly #url: string;
  readonly #backoff = new Backoff();
  readonly #closing = new AbortController();
  #socket: WebSocket | undefined;
  #unsubscribe: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  private constructor(options: CoordinatorLinkOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
    const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) {
      const message = `"${options.url}" is no address of a coordinator`;
      throw new AppError("USAGE", message, { hint: "give one such as http://127.0.0.1:6015" });
    }
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.pathname = `${url.pathname.replace(/\/$/, "")}${DAEMON_PATH}`;
    this.#url = url.href;
  }

  /**
   * Connects, as often as the options say.
   *
   * Errors: `COORDINATOR_UNREACHABLE` after the last attempt; `SERVICE_REFUSED` where the coordinator does not
   *         take this daemon, which no further attempt would change; `USAGE`; the signal's reason.
   */
  static async connect(
    options: CoordinatorLinkOptions,
    signal?: AbortSignal,
  ): Promise<CoordinatorLink> {
    signal?.throwIfAborted();
    const link = new CoordinatorLink(options);
    const onAbort = (): void => void link.close();
    signal?.addEventListener("abort", onAbort);
    try {
      await link.#connectFirst();
    } catch (error) {
      await link.close();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
    return link;
  }

  get isConnected(): boolean {
    return this.#unsubscribe !== undefined;
  }

  /** Ends it; the daemon goes on. Safe to call twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelRetry?.();
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = once(socket, "close");
    if (socket.readyState === WebSocket.OPEN) socket.close();
    else socket.terminate();
    const cancel = this.#timers.after(1000, () => socket.terminate());
    await closed;
    cancel();
  }

  async #connectFirst(): Promise<void> {
    const {
      retries = RETRIES,
      retryDelayMs = RETRY_DELAY_MS,
      retryForever = false,
    } = this.#options;
    const attempts = retryForever ? Infinity : Math.max(1, retries);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (this.#closing.signal.aborted || isFinal(error)) throw error;
        const reason = errorMessage(error);
        this.#options.onAttemptFailed?.({ attempt, attempts, retryDelayMs, reason });
        if (attempt < attempts) await this.#wait(retryDelayMs);
        if (attempt >= attempts || this.#closing.signal.aborted) {
          const message = `no coordinator answers at ${this.#options.url}: ${reason}`;
          throw new AppError("COORDINATOR_UNREACHABLE", message, { cause: error });
        }
      }
    }
  }

  async #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#timers.after(delayMs, resolve);
    this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    cancel();
  }

  /** Resolves with the coordinator's welcome. */
  #connect(): Promise<void> {
    const { token, ca, log } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const socket = new WebSocket(this.#url, {
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
      ...(ca === undefined ? {} : { ca }),
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    });
    this.#socket = socket;
    let reason: unknown = new Error("it closed the connection");
    const cancelWelcome = this.#timers.after(CONNECT_TIMEOUT_MS, () => socket.terminate());
    socket.on("unexpected-response", (request, response) => {
      reason = refusal(response.statusCode ?? 0);
      request.destroy();
      socket.terminate();
    });
    socket.on("open", () => this.#say(this.#hello()));
    socket.on("error", (error) => (reason = error));
    let state: "greeting" | "open" | "refused" = "greeting";
    socket.on("message", (data: Buffer) => {
      const message = state === "refused" ? undefined : this.#read(data);
      if (message === undefined) return;
      if (message.type === "welcome" && state === "greeting") {
        state = "open";
        cancelWelcome();
        this.#begin(socket);
        resolve();
      } else if (message.type === "refused" && state === "greeting") {
        state = "refused";
        reason = new AppError("SERVICE_REFUSED", `the coordinator refused: ${message.message}`);
        socket.close();
      } else if (message.type === "request" && state === "open") {
        void this.#answer(socket, message);
      } else {
        reason = new Error(`it said "${message.type}" out of its turn`);
        socket.terminate();
      }
    });
    socket.once("close", () => {
      cancelWelcome();
      reject(reason);
      if (this.#socket !== socket || !this.isConnected) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
      if (this.#closing.signal.aborted) return;
      log.warn("the connection to the coordinator was lost: nodes run on", { error: reason });
      this.#reconnectLater();
    });
    return promise;
  }

  /** From now on events and status are told. */
  #begin(socket: WebSocket): void {
    this.#backoff.reset();
    const unsubscribe = this.#options.daemon.subscribe({
      onEvent: (event) => this.#say({ type: "event", event }),
      onStatus: (dataflows) => this.#say({ type: "status", dataflows }),
    });
    let isAnswered = true;
    socket.on("pong", () => (isAnswered = true));
    let cancelPing = (): void => {};
    const ping = (): void => {
      if (!isAnswered) {
        socket.terminate();
        return;
      }
      isAnswered = false;
      socket.ping();
      cancelPing = this.#timers.after(PING_INTERVAL_MS, ping);
    };
    cancelPing = this.#timers.after(PING_INTERVAL_MS, ping);
    this.#unsubscribe = () => {
      cancelPing();
      unsubscribe();
    };
    this.#options.log.info("connected to the coordinator", { url: this.#options.url });
  }

  #reconnectLater(): void {
    this.#cancelRetry = this.#timers.after(this.#backoff.nextDelayMs(), () => {
      this.#connect().catch((error: unknown) => {
        if (this.#closing.signal.aborted) return;
        this.#options.log.debug("the coordinator cannot be reached yet", { error });
        this.#reconnectLater();
      });
    });
  }

  #hello(): DaemonToCoordinator {
    const { daemon, version } = this.#options;
    return {
      type: "hello",
      protocol: DAEMON_PROTOCOL_VERSION,
      machine: daemon.machine,
      version,
      pid: process.pid,
      dataflows: daemon.status(),
    };
  }

  #read(data: Buffer): CoordinatorToDaemon | undefined {
    let value: unknown;
    try {
      value = JSON.parse(data.toString());
    } catch (error) {
      this.#options.log.warn("the coordinator said what is no JSON", { error });
      return undefined;
    }
    const parsed = CoordinatorMessageSchema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const message = `${issue?.path.join(".") ?? ""}: ${issue?.message ?? ""}`;
    this.#options.log.warn("the coordinator said what makes no sense", { reason: message });
    // It waits for an answer.
    const id = requestId(value);
    if (id !== undefined) this.#say({ type: "reply-error", id, code: "REQUEST_INVALID", message });
    return undefined;
  }

  async #answer(
    socket: WebSocket,
    { id, request }: Extract<CoordinatorToDaemon, { readonly type: "request" }>,
  ): Promise<void> {
    let answer: DaemonToCoordinator;
    try {
      const result = (await this.#options.daemon.handle(request)) ?? null;
      answer = { type: "reply", id, result };
    } catch (error) {
      const code = error instanceof AppError ? error.code : "INTERNAL";
      answer = { type: "reply-error", id, code, message: errorMessage(error) };
    }
    if (this.#socket === socket) this.#say(answer);
  }

  #say(message: DaemonToCoordinator): void {
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > SEND_BYTES_MAX) {
      socket.terminate();
      return;
    }
    socket.send(JSON.stringify(message));
  }
}

function refusal(statusCode: number): Error {
  const message = `the coordinator answered ${statusCode}`;
  const isFinalAnswer = statusCode === 401 || statusCode === 403;
  return isFinalAnswer ? new AppError("SERVICE_REFUSED", message) : new Error(message);
}

function isFinal(error: unknown): boolean {
  return error instanceof AppError && error.code === "SERVICE_REFUSED";
}

function requestId(value: unknown): number | undefined {
  const isObject = typeof value === "object" && value !== null && "id" in value;
  return isObject && typeof value.id === "number" ? value.id : undefined;
}
