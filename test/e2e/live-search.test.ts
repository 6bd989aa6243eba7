import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { AcknowledgedClient } from "../fault/acknowledged-client.ts";
import { LONG_TEST_MS } from "../run-size.ts";
import type { ServeProcess } from "../serve-process.ts";
import { startServe } from "../serve-process.ts";

const Message = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("entries"),
    entries: z.array(z.looseObject({ message: z.string() })),
  }),
  z.strictObject({ type: z.literal("missed"), count: z.number() }),
]);

/** Characters that a record of the slow reader's search carries. */
const FILLER_CHARS = 20_000;

/** The 4 MiB that the service keeps for a reader, and what two sockets and the batch under way take. */
const WAITING_BYTES_MAX = 24 * 1024 * 1024;

/** Each has at least one record. */
const REQUESTS_AFTER_SEAL = 10;

/** For what comes at once where the machine does nothing else. */
const PATIENCE_MS = 100_000;

const RECORD = /^record (?<id>\S+) took /;

/** A live search, and all that it was told. */
class LiveReader {
  readonly ids: string[] = [];
  missed = 0;
  readonly socket: WebSocket;

  constructor({ api }: ServeProcess, parameters: Readonly<Record<string, string>>) {
    const query = new URLSearchParams(parameters).toString();
    this.socket = new WebSocket(`${api.replace("http", "ws")}/api/v1/logs/live?${query}`);
    this.socket.on("error", () => {});
    this.socket.on("message", (data: Buffer) => {
      const message = Message.parse(JSON.parse(data.toString()));
      if (message.type === "missed") {
        this.missed += message.count;
        return;
      }
      for (const entry of message.entries) {
        this.ids.push(RECORD.exec(entry.message)?.groups?.["id"] ?? entry.message);
      }
    });
    onTestFinished(() => this.socket.terminate());
  }

  /** What it was told and what it was told to have missed, together. */
  get accounted(): number {
    return this.ids.length + this.missed;
  }
}

async function startService(): Promise<ServeProcess> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "dora-live-"));
  onTestFinished(() => rm(dataDirectory, { recursive: true, force: true }));
  const service = await startServe({ dataDirectory });
  onTestFinished(async () => void (await service.close()));
  return service;
}

function sender(service: ServeProcess, clientId: string, fillerChars = 0): AcknowledgedClient {
  const endpoint = (): string => service.otlpHttp;
  const client = new AcknowledgedClient({ clientId, seed: 7, endpoint, fillerChars });
  onTestFinished(() => client.close());
  return client;
}

function recordsOf(clients: readonly AcknowledgedClient[]): readonly string[] {
  return clients.flatMap((client) => [...client.acknowledged]);
}

async function segmentsOf({ api }: ServeProcess): Promise<number> {
  const metrics = await (await fetch(`${api}/metrics`)).text();
  return Number(/^dora_store_segments (\d+)$/m.exec(metrics)?.[1]);
}

/** Sends until a seal is through, and a little more. */
async function sendAcrossSeal(
  service: ServeProcess,
  clients: readonly AcknowledgedClient[],
): Promise<void> {
  const stop = new AbortController();
  const sending = Promise.all(clients.map((client) => client.run(stop.signal)));
  await expect.poll(() => segmentsOf(service), { timeout: PATIENCE_MS, interval: 100 }).not.toBe(0);
  stop.abort();
  await sending;
  const patience = AbortSignal.timeout(PATIENCE_MS);
  await Promise.all(clients.map((client) => client.settle(patience)));
  // Records after the seal, too.
  await Promise.all(clients.map((client) => client.run(patience, REQUESTS_AFTER_SEAL)));
}

test(
  "a live search across a seal gives the backlog, then every record as it comes, each once",
  async () => {
    const service = await startService();
    const followed = [sender(service, "camera"), sender(service, "detector")];
    // Brings the store to a seal, and is not looked for.
    const recorder = sender(service, "recorder", 40_000);
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (const client of followed) await client.run(patience, 5);
    const countBefore = recordsOf(followed).length;
    const sending = sendAcrossSeal(service, [...followed, recorder]);
    // Begins under load: what is backlog and what is pushed is decided between two requests.
    const reader = new LiveReader(service, {
      query: "record.id:* -node:recorder",
      backlog: "10000",
    });
    await once(reader.socket, "open");
    await sending;
    const acknowledged = recordsOf(followed);
    await expect.poll(() => reader.accounted).toBeGreaterThanOrEqual(acknowledged.length);
    expect(reader.missed).toBe(0);
    expect(new Set(reader.ids).size).toBe(reader.ids.length);
    expect(new Set(reader.ids)).toEqual(new Set(acknowledged));
    expect(acknowledged.length).toBeGreaterThan(countBefore);
    for (const client of followed) {
      // What was sent after the seal was pushed in the order of sending.
      const own = reader.ids.filter((id) => client.acknowledged.has(id));
      expect(own.slice(-REQUESTS_AFTER_SEAL)).toEqual(
        [...client.acknowledged].slice(-REQUESTS_AFTER_SEAL),
      );
    }
  },
  LONG_TEST_MS,
);

test(
  "a reader that stops reading is told how many it missed, and holds no more than its share (SEC-007)",
  async () => {
    const service = await startService();
    const clients = [
      sender(service, "camera", FILLER_CHARS),
      sender(service, "detector", FILLER_CHARS),
      sender(service, "planner", FILLER_CHARS),
    ];
    const reader = new LiveReader(service, { query: "record.id:*" });
    const fast = new LiveReader(service, { query: "record.id:* | fields".split(" |")[0] ?? "" });
    await Promise.all([once(reader.socket, "open"), once(fast.socket, "open")]);
    reader.socket.pause();
    const patience = AbortSignal.timeout(PATIENCE_MS);
    await Promise.all(clients.map((client) => client.run(patience, 60)));
    const acknowledged = recordsOf(clients);
    reader.socket.resume();
    await expect.poll(() => reader.accounted).toBe(acknowledged.length);
    expect(reader.missed).toBeGreaterThan(0);
    expect(reader.ids.length).toBeGreaterThan(0);
    expect(new Set(reader.ids).size).toBe(reader.ids.length);
    // All that waited for it, here and in the sockets between, was a small part of what was sent.
    expect(reader.ids.length * FILLER_CHARS).toBeLessThan(WAITING_BYTES_MAX);
    expect(acknowledged.length * FILLER_CHARS).toBeGreaterThan(2 * WAITING_BYTES_MAX);
  },
  LONG_TEST_MS,
);
