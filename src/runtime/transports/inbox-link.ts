import { randomBytes } from "node:crypto";
import type { MemoryPool } from "./memory-pool.ts";
import type { InboxLink, InboxStats, LinkAcceptance, LinkReceiver } from "./transport.ts";

/** What a link needs of the connection it arrives by. */
export interface ArrivingConnection {
  /** Hand over no more, or go on. */
  setPaused(isPaused: boolean): void;
  cut(reason: string): void;
}

/**
 * A link that arrives by frames. It outlives its connections: at most one at a time, the newest.
 *
 * Threads: one; `pause`, `resume`, `recycle` and `close` may be called from within `onMessage`.
 */
export class FramedInboxLink implements InboxLink {
  readonly topic: string;
  readonly token: string;
  /** Tells a sender that comes back whether the count of messages taken is that of its own link. */
  readonly acceptance = randomBytes(16);
  readonly stats: InboxStats = { receivedMessages: 0, receivedBytes: 0, lostMessages: 0 };
  readonly pool: MemoryPool;
  readonly #receiver: LinkReceiver;
  readonly #forget: () => void;
  #connection: ArrivingConnection | undefined;
  #isPaused = false;

  constructor(
    link: LinkAcceptance,
    receiver: LinkReceiver,
    owner: { readonly pool: MemoryPool; readonly forget: () => void },
  ) {
    this.topic = link.topic;
    this.token = link.token;
    this.pool = owner.pool;
    this.#receiver = receiver;
    this.#forget = owner.forget;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** A sender has shown the token. */
  connect(connection: ArrivingConnection): void {
    const older = this.#connection;
    this.#connection = connection;
    older?.cut("a newer connection took the link's place");
    if (older === undefined) this.#receiver.onConnection?.(true);
  }

  disconnect(connection: ArrivingConnection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#receiver.onConnection?.(false);
  }

  deliver(header: Uint8Array, payload: Uint8Array): void {
    this.stats.receivedMessages++;
    this.stats.receivedBytes += header.length + payload.length;
    void this.#receiver.onMessage(header, payload, this.topic);
  }

  end(): void {
    this.#receiver.onEnd?.();
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.setPaused(true);
  }

  resume(): void {
    this.#isPaused = false;
    this.#connection?.setPaused(false);
  }

  recycle(payload: Uint8Array): void {
    this.pool.recycle(payload);
  }

  async close(): Promise<void> {
    this.#forget();
    this.#connection?.cut("the link was closed");
  }
}
