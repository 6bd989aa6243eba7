import { GUARANTEES } from "./guarantees.ts";
import { RedisInbox } from "./redis-inbox.ts";
import { openRedisOutbox } from "./redis-outbox.ts";
import {
  CONNECT_TIMEOUT_MS,
  type Inbox,
  type InboxOptions,
  type Outbox,
  type OutboxOptions,
  type Transport,
  type TransportGuarantees,
} from "./transport.ts";

/** A minute: longer than a worker's process may stand still, shorter than anyone wants to wait. */
const TASK_IDLE_MS = 60_000;

export interface RedisTransportOptions {
  readonly redis?: {
    /**
     * `events`: every receiver of a channel hears each message, if it listens at that moment (publish/subscribe).
     * `tasks`:  each message goes to one worker, and stays until it is done (a stream with a consumer group).
     */
    readonly mode?: "events" | "tasks";
    /** Default `dora`. Workers of one group share the tasks. */
    readonly group?: string;
    /** Default a minute: after so long without a sign of its worker, a task goes to another. */
    readonly idleMs?: number;
  };
}

/**
 * Links through a Redis server, `redis://` or `rediss://`: events to many, or tasks to one of several workers.
 *
 * Source: docs/transports.md "redis"; Redis commands PUBLISH, XREADGROUP, XAUTOCLAIM.
 */
export class RedisTransport implements Transport {
  readonly guarantees: TransportGuarantees;
  readonly #options: NonNullable<RedisTransportOptions["redis"]>;

  constructor(options: RedisTransportOptions = {}) {
    this.#options = options.redis ?? {};
    const isTasks = this.#options.mode === "tasks";
    this.guarantees = isTasks ? GUARANTEES["redis, tasks"] : GUARANTEES["redis, events"];
  }

  async openInbox({ endpoint }: InboxOptions): Promise<Inbox> {
    const { mode = "events", group = "dora", idleMs = TASK_IDLE_MS } = this.#options;
    const timeoutMs = CONNECT_TIMEOUT_MS;
    return new RedisInbox({ endpoint, mode, group, idleMs, timeoutMs, environment: process.env });
  }

  async openOutbox(options: OutboxOptions): Promise<Outbox> {
    return openRedisOutbox(options, this.guarantees, process.env);
  }

  async close(): Promise<void> {}
}
