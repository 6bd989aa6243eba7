import { GapWatch } from "./gap-watch.ts";
import { connectRedis, type RedisClient, type RedisClientOptions } from "./redis-client.ts";
import { type Envelope, readEnvelope } from "./redis-envelope.ts";
import type { InboxLink, InboxStats, LinkReceiver } from "./transport.ts";

/** What a paused link keeps; Redis cannot be made to wait, so that further events are lost, and counted. */
export const HELD_EVENTS_BYTES_MAX = 4 * 1024 * 1024;

export interface RedisLinkOptions {
  readonly endpoint: string;
  readonly topic: string;
  readonly receiver: LinkReceiver;
  readonly timeoutMs: number;
  readonly environment: RedisClientOptions["environment"];
}

interface HeldEvent {
  readonly event: Envelope;
  readonly topic: string;
}

/** A link that hears a channel, or with `*`, `?` and `[` in its topic all channels of a pattern. */
export class RedisEvents implements InboxLink {
  readonly stats: InboxStats = { receivedMessages: 0, receivedBytes: 0, lostMessages: 0 };
  readonly #receiver: LinkReceiver;
  readonly #gaps = new GapWatch();
  #client: RedisClient | undefined;
  #held: HeldEvent[] = [];
  #heldBytes = 0;
  #isPaused = false;
  #isClosed = false;

  private constructor(receiver: LinkReceiver) {
    this.#receiver = receiver;
  }

  /** Errors: as `connectRedis`. */
  static async open(options: RedisLinkOptions): Promise<RedisEvents> {
    const { receiver, topic } = options;
    const link = new RedisEvents(receiver);
    const client = await connectRedis({
      ...options,
      onConnection: (isConnected) => receiver.onConnection?.(isConnected),
    });
    link.#client = client;
    const hear = (value: Buffer, channel: Buffer): void => link.#hear(value, channel.toString());
    if (/[*?[]/.test(topic)) await client.pSubscribe(topic, hear, true);
    else await client.subscribe(topic, hear, true);
    receiver.onConnection?.(true);
    return link;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    // Not at once: the receiver may be in the middle of an event.
    setImmediate(() => this.#deliverHeld());
  }

  recycle(): void {}

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = [];
    this.#client?.destroy();
    this.#receiver.onConnection?.(false);
  }

  #hear(value: Buffer, topic: string): void {
    if (this.#isClosed) return;
    const event = readEnvelope(value);
    const { outbox, number } = event;
    // Events that Redis could not deliver are known by the numbers that are missing.
    if (outbox !== undefined) this.stats.lostMessages += this.#gaps.missingBefore(outbox, number);
    if (!this.#isPaused && this.#held.length === 0) {
      this.#deliver(event, topic);
    } else if (this.#heldBytes + value.length > HELD_EVENTS_BYTES_MAX) {
      this.stats.lostMessages++;
    } else {
      this.#held.push({ event, topic });
      this.#heldBytes += value.length;
    }
  }

  #deliverHeld(): void {
    let count = 0;
    while (count < this.#held.length && !this.#isPaused && !this.#isClosed) {
      const { event, topic } = this.#held[count++];
      this.#heldBytes -= event.header.length + event.payload.length;
      this.#deliver(event, topic);
    }
    this.#held.splice(0, count);
    if (this.#held.length === 0) this.#heldBytes = 0;
  }

  #deliver({ header, payload }: Envelope, topic: string): void {
    this.stats.receivedMessages++;
    this.stats.receivedBytes += header.length + payload.length;
    void this.#receiver.onMessage(header, payload, topic);
  }
}
