import { randomUUID } from "node:crypto";
import { AppError } from "../../core/errors.ts";
import { RedisEvents } from "./redis-events.ts";
import { RedisTasks } from "./redis-tasks.ts";
import type { RedisClientOptions } from "./redis-client.ts";
import type { Inbox, InboxLink, LinkAcceptance, LinkReceiver } from "./transport.ts";

export interface RedisInboxOptions {
  readonly endpoint: string;
  readonly mode: "events" | "tasks";
  /** Of workers that share a stream's tasks. */
  readonly group: string;
  /** A task that its worker has not shown to be alive for so long is given to another. */
  readonly idleMs: number;
  readonly timeoutMs: number;
  readonly environment: RedisClientOptions["environment"];
}

/** The receiving side at a Redis server: each link has a connection of its own, so that each can be paused. */
export class RedisInbox implements Inbox {
  readonly endpoint: string;
  readonly refusedConnections = 0;
  readonly #options: RedisInboxOptions;
  readonly #links = new Map<string, InboxLink>();
  readonly #worker = randomUUID();

  constructor(options: RedisInboxOptions) {
    this.#options = options;
    this.endpoint = options.endpoint;
  }

  async accept({ topic }: LinkAcceptance, receiver: LinkReceiver): Promise<InboxLink> {
    if (topic === "" || this.#links.has(topic)) {
      throw new AppError(
        "CONFIG_INVALID",
        `the topic "${topic}" is empty, or arrives here already`,
      );
    }
    const options = { ...this.#options, topic, receiver, worker: this.#worker };
    const link =
      this.#options.mode === "tasks"
        ? await RedisTasks.open(options)
        : await RedisEvents.open(options);
    this.#links.set(topic, link);
    return link;
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.values().map((link) => link.close()));
    this.#links.clear();
  }
}
