import { ErrorReply } from "@redis/client";
import { BrokerOutbox, type BrokerSender } from "./broker-outbox.ts";
import { checkMessage } from "./payload.ts";
import { connectRedis, type RedisClient, type RedisClientOptions } from "./redis-client.ts";
import { EnvelopeWriter } from "./redis-envelope.ts";
import {
  CONNECT_TIMEOUT_MS,
  type Outbox,
  type OutboxOptions,
  type OutboxStats,
  type Payload,
  type TransportGuarantees,
} from "./transport.ts";

/** Tasks that wait in a stream, or are being done, before its senders wait too. */
export const TASKS_MAX = 10_000;

/** Looked at after so many tasks, and again after a while until there is room. */
const TASKS_BETWEEN_LOOKS = 64;
const LOOK_INTERVAL_MS = 50;

interface Attempt {
  readonly job: Job;
}

interface Job {
  readonly value: Buffer;
  readonly settle: (isDelivered: boolean) => void;
}

/** Gives values to Redis in order. A task is given again after a lost connection, an event is not. */
class RedisSender implements BrokerSender {
  readonly #isTask: boolean;
  readonly #topic: string;
  readonly #envelopes = new EnvelopeWriter();
  #client: RedisClient | undefined;
  #waiting: Job[] = [];
  /** Given to Redis and not confirmed, oldest first. */
  #underWay: Attempt[] = [];
  #untilLook = TASKS_BETWEEN_LOOKS;
  #lookTimer: NodeJS.Timeout | undefined;
  #isHeld = false;

  constructor(topic: string, isTask: boolean) {
    this.#topic = topic;
    this.#isTask = isTask;
  }

  begin(client: RedisClient): void {
    this.#client = client;
  }

  publish(header: Uint8Array, payload: Payload): Promise<boolean> {
    const value = this.#envelopes.write(header, payload, checkMessage(header, payload));
    return new Promise((settle) => {
      this.#waiting.push({ value, settle });
      this.#giveWaiting();
    });
  }

  /** What was under way when the connection was lost is no longer. */
  goOn(): void {
    this.#giveWaiting();
  }

  async close(): Promise<void> {
    clearTimeout(this.#lookTimer);
    this.#waiting = [];
    this.#client?.destroy();
  }

  #giveWaiting(): void {
    const client = this.#client;
    if (client === undefined) return;
    while (client.isReady && !this.#isHeld) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      void this.#give(client, job);
      if (this.#isTask && --this.#untilLook === 0) void this.#look(client);
    }
  }

  async #give(client: RedisClient, job: Job): Promise<void> {
    const attempt = { job };
    this.#underWay.push(attempt);
    let isDelivered = false;
    try {
      const answer: unknown = await (this.#isTask
        ? client.sendCommand(["XADD", this.#topic, "*", "m", job.value])
        : client.sendCommand(["PUBLISH", this.#topic, job.value]));
      isDelivered = answer !== 0;
    } catch (error) {
      // A server that is out of memory has answered, and would answer the same again.
      if (this.#isTask && !(error instanceof ErrorReply)) {
        this.#giveAgain(attempt);
        return;
      }
    }
    const index = this.#underWay.indexOf(attempt);
    if (index >= 0) this.#underWay.splice(index, 1);
    job.settle(isDelivered);
  }

  /** Commands fail in their order: the first to fail puts all that were given after it back at once. */
  #giveAgain(attempt: Attempt): void {
    const index = this.#underWay.indexOf(attempt);
    if (index < 0) return;
    this.#waiting.unshift(...this.#underWay.splice(index).map(({ job }) => job));
    this.#giveWaiting();
  }

  /** Holds the sender while the stream is full. */
  async #look(client: RedisClient): Promise<void> {
    this.#untilLook = TASKS_BETWEEN_LOOKS;
    // Where the connection is lost, what comes next waits for it anyway.
    const tasks = await client.sendCommand(["XLEN", this.#topic]).catch(() => 0);
    this.#isHeld = typeof tasks === "number" && tasks >= TASKS_MAX;
    if (!this.#isHeld) this.#giveWaiting();
    else this.#lookTimer = setTimeout(() => void this.#look(client), LOOK_INTERVAL_MS);
  }
}

/** Errors: as `connectRedis`. */
export async function openRedisOutbox(
  options: OutboxOptions,
  guarantees: TransportGuarantees,
  environment: RedisClientOptions["environment"],
): Promise<Outbox> {
  const stats: OutboxStats = {
    sentMessages: 0,
    sentBytes: 0,
    lostMessages: 0,
    droppedMessages: 0,
    reconnects: 0,
  };
  const sender = new RedisSender(options.topic, guarantees.delivery === "at least once");
  let lostBefore = 0;
  const client = await connectRedis({
    endpoint: options.endpoint,
    timeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
    environment,
    onConnection: (isConnected, reason) => {
      if (!isConnected) {
        lostBefore = stats.lostMessages;
        options.onConnection?.({ status: "disconnected", reason });
        return;
      }
      stats.reconnects++;
      const lostMessages = stats.lostMessages - lostBefore;
      options.onConnection?.({ status: "reconnected", lostMessages });
      sender.goOn();
    },
  });
  sender.begin(client);
  const { payloadBytesMax } = guarantees;
  return new BrokerOutbox(sender, { payloadBytesMax, stats });
}
