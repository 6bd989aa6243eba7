import { ErrorReply } from "@redis/client";
import { connectRedis, type RedisClient } from "./redis-client.ts";
import { readEnvelope } from "./redis-envelope.ts";
import type { RedisLinkOptions } from "./redis-events.ts";
import type { InboxLink, InboxStats, LinkReceiver } from "./transport.ts";

/** How long one wait for a task lasts: after it, tasks of dead workers are looked for. */
const WAIT_MS_MAX = 1_000;

export interface RedisTasksOptions extends RedisLinkOptions {
  readonly group: string;
  readonly worker: string;
  readonly idleMs: number;
}

interface Task {
  readonly id: string;
  readonly value: Buffer;
}

/**
 * A link that works through a stream: one task at a time, shared with all workers of its group. A task is
 * taken out of the stream when `onMessage` is done with it. While it is being worked on, it is shown to be in
 * living hands; one that no longer is goes to the next worker that looks.
 */
export class RedisTasks implements InboxLink {
  readonly stats: InboxStats = { receivedMessages: 0, receivedBytes: 0, lostMessages: 0 };
  readonly #options: RedisTasksOptions;
  readonly #receiver: LinkReceiver;
  #client: RedisClient | undefined;
  #isClosed = false;
  #isPaused = false;
  #onResume: (() => void) | undefined;
  #lookedMs = 0;

  private constructor(options: RedisTasksOptions) {
    this.#options = options;
    this.#receiver = options.receiver;
  }

  /** Errors: as `connectRedis`. */
  static async open(options: RedisTasksOptions): Promise<RedisTasks> {
    const link = new RedisTasks(options);
    link.#client = await connectRedis({
      ...options,
      onConnection: (isConnected) => {
        options.receiver.onConnection?.(isConnected);
        if (isConnected) link.#onResume?.();
      },
    });
    await link.#createGroup(link.#client);
    options.receiver.onConnection?.(true);
    void link.#work(link.#client);
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
    this.#onResume?.();
    this.#client?.destroy();
    this.#receiver.onConnection?.(false);
  }

  async #createGroup(client: RedisClient): Promise<void> {
    const { topic, group } = this.#options;
    try {
      await client.sendCommand(["XGROUP", "CREATE", topic, group, "0", "MKSTREAM"]);
    } catch (error) {
      // BUSYGROUP: another worker was first.
      if (!(error instanceof ErrorReply) || !error.message.startsWith("BUSYGROUP")) throw error;
    }
  }

  async #work(client: RedisClient): Promise<void> {
    while (!this.#isClosed) {
      if (this.#isPaused || !client.isReady) {
        await this.#resumed();
        continue;
      }
      try {
        const task = await this.#nextTask(client);
        if (task === undefined) continue;
        if (await this.#handle(client, task)) await this.#remove(client, task);
      } catch (error) {
        // Any other failure is the connection's, whose return goes on here.
        if (error instanceof ErrorReply) await this.#recover(client, error);
      }
    }
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onResume = resolve;
    });
  }

  /** A server that came back without its data has no group. */
  async #recover(client: RedisClient, error: ErrorReply): Promise<void> {
    if (error.message.startsWith("NOGROUP")) await this.#createGroup(client).catch(() => {});
    // Such as a server that loads its data: it is asked again, but not at once.
    else await new Promise((resolve) => setTimeout(resolve, WAIT_MS_MAX));
  }

  async #nextTask(client: RedisClient): Promise<Task | undefined> {
    const { topic, group, worker, idleMs } = this.#options;
    const waitMs = Math.max(1, Math.min(WAIT_MS_MAX, Math.floor(idleMs / 2)));
    if (performance.now() >= this.#lookedMs + waitMs) {
      const idle = String(idleMs);
      const claim = ["XAUTOCLAIM", topic, group, worker, idle, "0-0", "COUNT", "1"];
      const [task] = tasksOf(at(await client.sendCommand(claim), 1));
      if (task !== undefined) return task;
      this.#lookedMs = performance.now();
    }
    const read = ["XREADGROUP", "GROUP", group, worker, "COUNT", "1", "BLOCK", String(waitMs)];
    const answer: unknown = await client.sendCommand([...read, "STREAMS", topic, ">"]);
    return tasksOf(at(at(answer, 0), 1))[0];
  }

  /** Whether the receiver is done with it. */
  async #handle(client: RedisClient, task: Task): Promise<boolean> {
    const { topic, group, worker, idleMs } = this.#options;
    const { header, payload } = readEnvelope(task.value);
    this.stats.receivedMessages++;
    this.stats.receivedBytes += header.length + payload.length;
    const done = this.#receiver.onMessage(header, payload, topic);
    if (done === undefined) return true;
    const claim = ["XCLAIM", topic, group, worker, "0", task.id, "JUSTID"];
    const alive = setInterval(() => void client.sendCommand(claim).catch(() => {}), idleMs / 3);
    try {
      await done;
      return true;
    } catch {
      // It stays ours until it has been idle, then whoever looks first tries it again.
      return false;
    } finally {
      clearInterval(alive);
    }
  }

  /** Tries until the server has it, so that a task that was done is not done again if we can help it. */
  async #remove(client: RedisClient, task: Task): Promise<void> {
    const { topic, group } = this.#options;
    for (;;) {
      try {
        await Promise.all([
          client.sendCommand(["XACK", topic, group, task.id]),
          client.sendCommand(["XDEL", topic, task.id]),
        ]);
        return;
      } catch (error) {
        if (error instanceof ErrorReply || this.#isClosed) return;
        if (!client.isReady) await this.#resumed();
      }
    }
  }
}

/** The tasks in a list of entries: `[id, [field, value, ...]]` each; one that was deleted is null. */
function tasksOf(entries: unknown): readonly Task[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown) => {
    const [id, value] = [at(entry, 0), at(at(entry, 1), 1)];
    return Buffer.isBuffer(id) && Buffer.isBuffer(value) ? [{ id: id.toString(), value }] : [];
  });
}

function at(list: unknown, index: number): unknown {
  return Array.isArray(list) ? list[index] : undefined;
}
