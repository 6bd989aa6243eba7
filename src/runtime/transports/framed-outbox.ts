/** The sending side of links that speak frames: what waits, what was lost, and the way back. */
import { AppError } from "../../core/errors.ts";
import { Backoff } from "./backoff.ts";
import { checkMessage } from "./payload.ts";
import {
  CLOSE_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  type Outbox,
  OUTBOX_BYTES_MAX,
  type OutboxOptions,
  type OutboxStats,
  type Payload,
  type SendResult,
  type WaitingMessage,
} from "./transport.ts";

/** A link's sending end on one connection. */
export interface FramedLink {
  /** Whether the next message has to wait. */
  readonly isFull: boolean;
  /** Takes a message, whether full or not; its bytes are read until the other end has taken it. */
  write(header: Uint8Array, payload: Payload, payloadBytes: number): void;
  /** Says that nothing follows; the other end closes when it has taken everything. */
  end(): void;
  destroy(): void;
}

/** What a connection tells its outbox. After `onClosed` nothing more. */
export interface LinkEvents {
  /** The inbox knows the link: the name of its acceptance, and how many messages it took, modulo 2^32. */
  onWelcome(acceptance: string, takenMessages: number): void;
  onRefused(reason: string): void;
  /** So many more messages were taken at the other end. */
  onTaken(messages: number): void;
  /** `isFull` may be false now. */
  onRoom(): void;
  onClosed(reason: string): void;
}

export type DialLink = (events: LinkEvents) => FramedLink;

interface Waiting extends WaitingMessage {
  readonly payloadBytes: number;
}

/**
 * Holds what waits for a connection or for room, in order, and counts what the other end took, so that
 * after a lost connection it is known how many messages went with it.
 */
export class FramedOutbox implements Outbox {
  readonly stats: OutboxStats = {
    sentMessages: 0,
    sentBytes: 0,
    lostMessages: 0,
    droppedMessages: 0,
    reconnects: 0,
  };
  readonly #options: OutboxOptions;
  readonly #dial: DialLink;
  readonly #backoff = new Backoff();
  /** What was sent while there was no connection, oldest first. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isToldFull = false;
  #link: FramedLink | undefined;
  #isWelcome = false;
  /** Which acceptance of the link the counts are about; empty before the first. */
  #acceptance = "";
  /** Messages given to the link, and known to be taken at the other end. */
  #written = 0;
  #taken = 0;
  #retry: NodeJS.Timeout | undefined;
  #state: "opening" | "open" | "closing" | "closed" = "opening";
  #drainWaiters: (() => void)[] = [];
  #settleOpening: (() => void) | undefined;
  #settleClosing: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #refusal: string | undefined;
  #failure = "it did not answer in time";

  private constructor(options: OutboxOptions, dial: DialLink) {
    this.#options = options;
    this.#dial = dial;
  }

  /** Errors: `LINK_REFUSED`, `LINK_UNREACHABLE`. */
  static async open(options: OutboxOptions, dial: DialLink): Promise<FramedOutbox> {
    const outbox = new FramedOutbox(options, dial);
    await outbox.#open(options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    return outbox;
  }

  get isFull(): boolean {
    if (this.#state !== "open" || this.#waitingBytes >= OUTBOX_BYTES_MAX) return true;
    return this.#isWelcome && this.#link?.isFull === true;
  }

  send(header: Uint8Array, payload: Payload): SendResult {
    const payloadBytes = checkMessage(header, payload);
    // It may have become full since the sender was last told: then this one more is taken.
    this.#isToldFull &&= this.isFull;
    if (this.#isToldFull || this.#state !== "open") {
      this.stats.droppedMessages++;
      return "dropped";
    }
    this.stats.sentMessages++;
    this.stats.sentBytes += header.length + payloadBytes;
    if (this.#isWelcome && this.#link !== undefined) {
      this.#written++;
      this.#link.write(header, payload, payloadBytes);
    } else {
      this.#waiting.push({ header, payload, payloadBytes });
      this.#waitingBytes += header.length + payloadBytes;
    }
    this.#isToldFull = this.isFull;
    return this.#isToldFull ? "full" : "sent";
  }

  takeWaiting(): readonly WaitingMessage[] {
    const waiting = this.#waiting;
    this.stats.sentMessages -= waiting.length;
    this.stats.sentBytes -= this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }

  async drained(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (this.isFull && (this.#state === "open" || this.#state === "opening")) {
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => reject(asError(signal?.reason));
        signal?.addEventListener("abort", abort, { once: true });
        this.#drainWaiters.push(() => {
          signal?.removeEventListener("abort", abort);
          resolve();
        });
      });
    }
  }

  async close(deadlineMs = CLOSE_TIMEOUT_MS): Promise<void> {
    if (this.#closing === undefined) this.#closing = this.#closeWithin(deadlineMs);
    else setTimeout(() => this.#settleClosing?.(), deadlineMs).unref();
    await this.#closing;
  }

  async #open(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#settleOpening = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#connect();
    });
    this.#settleOpening = undefined;
    if (this.#state === "open") return;
    this.#finish();
    const { endpoint, topic } = this.#options;
    throw this.#refusal === undefined
      ? new AppError(
          "LINK_UNREACHABLE",
          `${endpoint} cannot be reached for ${topic}: ${this.#failure}`,
        )
      : new AppError("LINK_REFUSED", `${endpoint} refuses ${topic}: ${this.#refusal}`);
  }

  async #closeWithin(deadlineMs: number): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closing";
    this.#wakeDrainWaiters();
    if (deadlineMs > 0) await this.#end(deadlineMs);
    this.stats.lostMessages += this.#written - this.#taken + this.#waiting.length;
    this.#finish();
  }

  async #end(deadlineMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#settleClosing = (): void => {
        clearTimeout(timer);
        resolve();
      };
      // Where the connection is away, the end is said when it is back.
      if (this.#isWelcome) this.#link?.end();
      else if (this.#waiting.length === 0) this.#settleClosing();
    });
  }

  #connect(): void {
    let isCurrent = true;
    this.#link = this.#dial({
      onWelcome: (acceptance, taken) => this.#welcome(acceptance, taken),
      onRefused: (reason) => (this.#refusal = reason),
      onTaken: (messages) => (this.#taken += messages),
      onRoom: () => this.#wakeDrainWaiters(),
      onClosed: (reason) => {
        if (isCurrent) this.#disconnect(reason);
        isCurrent = false;
      },
    });
  }

  #welcome(acceptance: string, taken: number): void {
    const isFirst = this.#acceptance === "";
    // The counts go up from the acceptance on; an inbox that is new knows none of the old messages.
    if (this.#acceptance === acceptance) this.#taken += (taken - this.#taken) >>> 0;
    const lostMessages = this.#written - this.#taken;
    this.#acceptance = acceptance;
    this.#written = taken;
    this.#taken = taken;
    this.#isWelcome = true;
    this.#backoff.reset();
    if (this.#state === "opening") this.#state = "open";
    this.#sendWaiting();
    if (isFirst) {
      this.#settleOpening?.();
    } else {
      this.stats.lostMessages += lostMessages;
      this.stats.reconnects++;
      this.#options.onConnection?.({ status: "reconnected", lostMessages });
    }
    if (this.#state === "closing") this.#link?.end();
    this.#wakeDrainWaiters();
  }

  #sendWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const { header, payload, payloadBytes } of waiting) {
      this.#written++;
      this.#link?.write(header, payload, payloadBytes);
    }
  }

  #disconnect(reason: string): void {
    const wasWelcome = this.#isWelcome;
    this.#link = undefined;
    this.#isWelcome = false;
    this.#failure = reason;
    if (this.#state === "closed") return;
    const hasAllTaken = this.#written === this.#taken && this.#waiting.length === 0;
    if (this.#state === "closing" && hasAllTaken) {
      this.#settleClosing?.();
      return;
    }
    if (this.#state === "opening" && this.#refusal !== undefined) {
      this.#settleOpening?.();
      return;
    }
    if (wasWelcome) this.#options.onConnection?.({ status: "disconnected", reason });
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.nextDelayMs());
    this.#wakeDrainWaiters();
  }

  #finish(): void {
    this.#state = "closed";
    clearTimeout(this.#retry);
    this.#link?.destroy();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#wakeDrainWaiters();
  }

  #wakeDrainWaiters(): void {
    const waiters = this.#drainWaiters;
    if (waiters.length === 0) return;
    this.#drainWaiters = [];
    for (const wake of waiters) wake();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
