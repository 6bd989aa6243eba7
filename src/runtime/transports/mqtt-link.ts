import type { DoneCallback, IPublishPacket, MqttClient } from "mqtt";
import { AppError } from "../../core/errors.ts";
import { connectMqtt, type MqttClientOptions } from "./mqtt-client.ts";
import { GapWatch } from "./gap-watch.ts";
import { decodeHeader, decodeNumber } from "./mqtt-header.ts";
import type { InboxLink, InboxStats, LinkReceiver } from "./transport.ts";

/** A message at which the receiver failed is given to it again after this time. */
const AGAIN_MS = 1_000;

export interface MqttLinkOptions extends Omit<MqttClientOptions, "onConnection" | "hasSession"> {
  readonly topic: string;
  readonly receiver: LinkReceiver;
}

/**
 * A link that hears a topic, or with `+` and `#` all topics of a pattern. It has a connection of its own, which
 * is not read while it is paused: the broker keeps what comes.
 */
export class MqttLink implements InboxLink {
  readonly stats: InboxStats = { receivedMessages: 0, receivedBytes: 0, lostMessages: 0 };
  readonly #receiver: LinkReceiver;
  readonly #gaps = new GapWatch();
  #client: MqttClient | undefined;
  #isPaused = false;
  #isClosed = false;
  #onResume: (() => void) | undefined;
  #again: NodeJS.Timeout | undefined;

  private constructor(receiver: LinkReceiver) {
    this.#receiver = receiver;
  }

  /** Errors: as `connectMqtt`; `LINK_REFUSED` where the broker does not allow the topic. */
  static async open(options: MqttLinkOptions): Promise<MqttLink> {
    const { receiver, topic } = options;
    const link = new MqttLink(receiver);
    const client = await connectMqtt({
      ...options,
      hasSession: true,
      onConnection: (isConnected) => receiver.onConnection?.(isConnected),
    });
    link.#client = client;
    client.handleMessage = (packet, done): void => void link.#take(packet, done);
    try {
      await client.subscribeAsync(topic, { qos: 1 });
    } catch (error) {
      await link.close();
      const message = `${options.endpoint.replace(/\/\/[^@/]*@/, "//")} does not allow ${topic}`;
      throw new AppError("LINK_REFUSED", message, { cause: error });
    }
    receiver.onConnection?.(true);
    return link;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#onResume?.();
  }

  recycle(): void {}

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#again);
    const client = this.#client;
    // A paused link would wait for ever for the end of what it does not read; the broker forgets the session.
    if (this.#isPaused) await client?.endAsync(true);
    else await client?.endAsync(false, { properties: { sessionExpiryInterval: 0 } });
    this.#receiver.onConnection?.(false);
  }

  /** Takes one message; the broker is told so, and the next is read, when the receiver is done with it. */
  async #take(packet: IPublishPacket, done: DoneCallback): Promise<void> {
    while (this.#isPaused && !this.#isClosed) await this.#resumed();
    const properties = packet.properties?.userProperties;
    const header = decodeHeader(properties);
    const sent = decodeNumber(properties);
    // What the broker dropped, it told nobody: only the numbers that are missing say so.
    if (sent !== undefined) {
      this.stats.lostMessages += this.#gaps.missingBefore(sent.outbox, sent.number);
    }
    const payload =
      typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    this.stats.receivedMessages++;
    this.stats.receivedBytes += header.length + payload.length;
    while (!this.#isClosed) {
      try {
        await this.#receiver.onMessage(header, payload, packet.topic);
        done();
        return;
      } catch {
        await new Promise<void>((resolve) => {
          this.#again = setTimeout(resolve, AGAIN_MS);
        });
      }
    }
    done(new Error("the link was closed"));
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onResume = resolve;
    });
  }
}
