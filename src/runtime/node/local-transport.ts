import { AppError } from "../../core/errors.ts";
import { GUARANTEES } from "../transports/guarantees.ts";
import { checkMessage } from "../transports/payload.ts";
import { Deque } from "./deque.ts";
import {
  CLOSE_TIMEOUT_MS,
  type Inbox,
  type InboxLink,
  type InboxStats,
  type LinkAcceptance,
  type LinkReceiver,
  type Outbox,
  OUTBOX_BYTES_MAX,
  type OutboxOptions,
  type OutboxStats,
  type Payload,
  type SendResult,
  type Transport,
  type WaitingMessage,
} from "../transports/transport.ts";

/** What is said as the address of links that do not leave the process. */
const ENDPOINT = "local:";

/**
 * Links of a node to itself, as operators of one process have them: a message is handed over as it is, its
 * bytes are not copied. It promises what sockets promise, and takes their place.
 *
 * Threads: one.
 */
export class LocalTransport implements Transport {
  readonly guarantees = GUARANTEES.socket;
  readonly #links = new Map<string, LocalLink>();

  openInbox(): Promise<Inbox> {
    return Promise.resolve({
      endpoint: ENDPOINT,
      refusedConnections: 0,
      accept: (link, receiver) => Promise.resolve(this.#accept(link, receiver)),
      close: () => {
        for (const link of this.#links.values()) link.cut();
        this.#links.clear();
        return Promise.resolve();
      },
    });
  }

  /** Errors: `LINK_REFUSED`. */
  async openOutbox({ topic }: OutboxOptions): Promise<Outbox> {
    const link = this.#links.get(topic);
    if (link !== undefined) return link.openOutbox();
    await Promise.resolve();
    throw new AppError("LINK_REFUSED", `this node has no input for ${topic}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #accept({ topic }: LinkAcceptance, receiver: LinkReceiver): InboxLink {
    const link = new LocalLink(topic, receiver, () => {
      if (this.#links.get(topic) === link) this.#links.delete(topic);
    });
    this.#links.set(topic, link);
    return link;
  }
}

interface Waiting {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** Both ends of one link. What comes while the receiver pauses waits here, in order. */
class LocalLink implements InboxLink {
  readonly stats: InboxStats = { receivedMessages: 0, receivedBytes: 0, lostMessages: 0 };
  readonly #topic: string;
  readonly #receiver: LinkReceiver;
  readonly #onClosed: () => void;
  #outbox: LocalOutbox | undefined;
  #waiting = new Deque<Waiting>();
  #waitingBytes = 0;
  #isPaused = false;
  #isClosed = false;

  constructor(topic: string, receiver: LinkReceiver, onClosed: () => void) {
    this.#topic = topic;
    this.#receiver = receiver;
    this.#onClosed = onClosed;
  }

  get isFull(): boolean {
    return this.#waitingBytes >= OUTBOX_BYTES_MAX;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The newest takes the place of an older one. */
  openOutbox(): Outbox {
    this.#outbox?.cut();
    this.#outbox = new LocalOutbox(this);
    this.#receiver.onConnection?.(true);
    return this.#outbox;
  }

  take(message: Waiting): void {
    if (this.#isPaused || this.#waiting.length > 0) {
      this.#waiting.push(message);
      this.#waitingBytes += sizeOf(message);
    } else {
      this.#give(message);
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** What waits comes a little later: who resumes may be in the middle of taking a message. */
  resume(): void {
    this.#isPaused = false;
    queueMicrotask(() => {
      this.#giveWaiting();
      this.#outbox?.onRoom();
    });
  }

  recycle(): void {
    // The memory is its sender's.
  }

  close(): Promise<void> {
    this.cut();
    this.#onClosed();
    return Promise.resolve();
  }

  /** Receives no more, and the sender finds nobody. */
  cut(): void {
    this.#isClosed = true;
    this.#dropWaiting();
    this.#outbox?.cut();
  }

  /** The sender has gone: with all that it sent taken, at its own end, or cut off. */
  left(outbox: LocalOutbox, isEnd: boolean): void {
    if (this.#outbox !== outbox) return;
    this.#outbox = undefined;
    this.#dropWaiting();
    if (this.#isClosed) return;
    this.#receiver.onConnection?.(false);
    if (isEnd) this.#receiver.onEnd?.();
  }

  /** A receiver that is full pauses again. */
  #giveWaiting(): void {
    while (!this.#isPaused) {
      const message = this.#waiting.shift();
      if (message === undefined) return;
      this.#waitingBytes -= sizeOf(message);
      this.#give(message);
    }
  }

  #give({ header, payload }: Waiting): void {
    this.stats.receivedMessages++;
    this.stats.receivedBytes += header.length + payload.length;
    void this.#receiver.onMessage(header, payload, this.#topic);
  }

  #dropWaiting(): void {
    this.#waiting = new Deque();
    this.#waitingBytes = 0;
  }
}

class LocalOutbox implements Outbox {
  readonly stats: OutboxStats = {
    sentMessages: 0,
    sentBytes: 0,
    lostMessages: 0,
    droppedMessages: 0,
    reconnects: 0,
  };
  readonly #link: LocalLink;
  #isClosing = false;
  #isClosed = false;
  #roomWaiters: (() => void)[] = [];

  constructor(link: LocalLink) {
    this.#link = link;
  }

  get isFull(): boolean {
    return this.#isClosing || this.#isClosed || this.#link.isFull;
  }

  send(header: Uint8Array, payload: Payload): SendResult {
    const payloadBytes = checkMessage(header, payload);
    if (this.#isClosing || this.#isClosed) {
      this.stats.droppedMessages++;
      return "dropped";
    }
    this.stats.sentMessages++;
    this.stats.sentBytes += header.length + payloadBytes;
    this.#link.take({ header, payload: inOnePiece(payload) });
    return this.isFull ? "full" : "sent";
  }

  /** All is with the other end, which is in this process. */
  takeWaiting(): readonly WaitingMessage[] {
    return [];
  }

  async drained(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (!this.#isClosing && !this.#isClosed && this.#link.isFull) await this.#room(signal);
  }

  async close(deadlineMs = CLOSE_TIMEOUT_MS): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosing = true;
    const deadline =
      deadlineMs > 0 ? AbortSignal.timeout(Math.ceil(deadlineMs)) : AbortSignal.abort();
    while (this.#link.waiting > 0 && !deadline.aborted) {
      await this.#room(deadline).catch(() => {});
    }
    this.stats.lostMessages += this.#link.waiting;
    this.#link.left(this, deadlineMs > 0 && this.#link.waiting === 0);
    this.cut();
  }

  onRoom(): void {
    for (const wake of this.#roomWaiters.splice(0)) wake();
  }

  cut(): void {
    this.#isClosed = true;
    this.onRoom();
  }

  /** Errors: the signal's reason. */
  #room(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new DOMException("given up", "AbortError"));
      signal?.addEventListener("abort", abort, { once: true });
      this.#roomWaiters.push(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
    });
  }
}

function sizeOf({ header, payload }: Waiting): number {
  return header.length + payload.length;
}

function inOnePiece(payload: Payload): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  return payload.length === 1 ? payload[0] : Buffer.concat(payload);
}
