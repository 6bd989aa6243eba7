import { randomBytes } from "node:crypto";
import type { MqttClient } from "mqtt";
import { AppError } from "../../core/errors.ts";
import { BrokerOutbox, type BrokerSender } from "./broker-outbox.ts";
import { GUARANTEES } from "./guarantees.ts";
import { connectMqtt } from "./mqtt-client.ts";
import { encodeProperties } from "./mqtt-header.ts";
import { MqttLink } from "./mqtt-link.ts";
import { isPieces } from "./payload.ts";
import type { TcpTransportOptions, TlsSettings } from "./tcp.ts";
import {
  CONNECT_TIMEOUT_MS,
  type Inbox,
  type InboxLink,
  type InboxOptions,
  type LinkAcceptance,
  type LinkReceiver,
  type Outbox,
  type OutboxOptions,
  type OutboxStats,
  type Payload,
  type Transport,
} from "./transport.ts";

/** The broker has the message, and nobody listens. */
const NO_SUBSCRIBERS = 16;

/**
 * Links through an MQTT 5 broker, `mqtt://` or `mqtts://`, with QoS 1.
 *
 * Source: docs/transports.md "mqtt"; MQTT 5.0 sections 3.3, 4.4 and 4.7.
 */
export class MqttTransport implements Transport {
  readonly guarantees = GUARANTEES.mqtt;
  readonly #tls: TlsSettings;

  constructor(options: TcpTransportOptions = {}) {
    this.#tls = options.tls ?? {};
  }

  async openInbox({ endpoint }: InboxOptions): Promise<Inbox> {
    return new MqttInbox(endpoint, this.#tls);
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    const { endpoint, topic } = options;
    if (topic === "" || /[+#]/.test(topic)) {
      throw new AppError("CONFIG_INVALID", `"${topic}" is no topic that can be sent to`);
    }
    const stats: OutboxStats = {
      sentMessages: 0,
      sentBytes: 0,
      lostMessages: 0,
      droppedMessages: 0,
      reconnects: 0,
    };
    const client = await connectMqtt({
      endpoint,
      timeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      hasSession: false,
      tls: this.#tls,
      environment: process.env,
      onConnection: (isConnected, reason) => {
        if (isConnected) stats.reconnects++;
        options.onConnection?.(
          isConnected
            ? { status: "reconnected", lostMessages: 0 }
            : { status: "disconnected", reason },
        );
      },
    });
    const { payloadBytesMax } = this.guarantees;
    return new BrokerOutbox(new MqttSender(client, topic), { payloadBytesMax, stats });
  }

  async close(): Promise<void> {}
}

class MqttInbox implements Inbox {
  readonly endpoint: string;
  readonly refusedConnections = 0;
  readonly #tls: TlsSettings;
  readonly #links = new Map<string, InboxLink>();

  constructor(endpoint: string, settings: TlsSettings) {
    this.endpoint = endpoint;
    this.#tls = settings;
  }

  async accept({ topic }: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink> {
    if (topic === "" || this.#links.has(topic)) {
      throw new AppError(
        "CONFIG_INVALID",
        `the topic "${topic}" is empty, or arrives here already`,
      );
    }
    const link = await MqttLink.open({
      endpoint: this.endpoint,
      topic,
      receiver,
      tls: this.#tls,
      timeoutMs: CONNECT_TIMEOUT_MS,
      environment: process.env,
    });
    this.#links.set(topic, link);
    return link;
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.values().map((link) => link.close()));
    this.#links.clear();
  }
}

/** While there is no connection, the client keeps what it is given, which its outbox limits. */
class MqttSender implements BrokerSender {
  readonly #client: MqttClient;
  readonly #topic: string;
  readonly #outbox = randomBytes(8).toString("hex");
  #number = 0;
  /** Messages of which the broker has just said that nobody listens. */
  readonly #unheard = new Set<number | undefined>();

  constructor(client: MqttClient, topic: string) {
    this.#client = client;
    this.#topic = topic;
    // The client's answer to `publish` does not hold the broker's reason, but comes right after it.
    client.on("packetreceive", (packet) => {
      const isUnheard = packet.cmd === "puback" && packet.reasonCode === NO_SUBSCRIBERS;
      if (isUnheard) this.#unheard.add(packet.messageId);
    });
  }

  async publish(header: Uint8Array, payload: Payload): Promise<boolean> {
    const bytes = isPieces(payload)
      ? Buffer.concat(payload)
      : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const userProperties = encodeProperties(header, `${this.#outbox}:${this.#number}`);
    this.#number = (this.#number + 1) >>> 0;
    try {
      const sent = await this.#client.publishAsync(this.#topic, bytes, {
        qos: 1,
        properties: { userProperties },
      });
      return !this.#unheard.delete(sent?.messageId);
    } catch {
      // The broker does not allow it, or the client was closed.
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
