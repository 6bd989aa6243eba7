import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createClient } from "@redis/client";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { RedisTransport } from "../../src/runtime/transports/redis.ts";
import type { LinkReceiver } from "../../src/runtime/transports/transport.ts";
import { startCutProxy } from "../runtime/transports/cut-proxy.ts";
import { numbered, RecordingReceiver } from "../runtime/transports/recording-receiver.ts";
import {
  type BasicSetUp,
  openInbox,
  openOutbox,
  testMessages,
} from "../runtime/transports/transport-contract.ts";
import { type Broker, startBroker } from "./transports-broker.ts";

const part = findPart("redis");
const IDLE_MS = 300;
const UP_TO_200 = Array.from({ length: 200 }, (_, index) => index);

describe.skipIf(part.path === undefined)(`Redis (${part.hint})`, () => {
  let broker: Broker;
  let topics = 0;

  beforeAll(async () => {
    const settings = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    broker = await startBroker(part.path ?? "", (port) => ["--port", String(port), ...settings]);
  });
  afterAll(() => broker.stop());

  async function setUp(mode: "events" | "tasks"): Promise<BasicSetUp> {
    const client = await openClient();
    await client.flushAll();
    const settings = { redis: { mode, idleMs: IDLE_MS } };
    const endpoint = `redis://127.0.0.1:${broker.port}`;
    return {
      kind: "redis",
      settings,
      transport: new RedisTransport(settings),
      endpoint: async () => endpoint,
      nobody: "redis://127.0.0.1:1",
    };
  }

  async function openClient() {
    const client = createClient({ url: `redis://127.0.0.1:${broker.port}` });
    client.on("error", () => {});
    onTestFinished(() => client.destroy());
    await client.connect();
    return client;
  }

  /** A link through a proxy on each side, so that a test can cut either. */
  async function connectCuttable(mode: "events" | "tasks", receiver: LinkReceiver) {
    const { transport } = await setUp(mode);
    const target = { host: "127.0.0.1", port: broker.port };
    const [sending, receiving] = [await startCutProxy(target), await startCutProxy(target)];
    onTestFinished(() => sending.close());
    onTestFinished(() => receiving.close());
    const topic = `cut/${topics++}`;
    const inbox = await openInbox(transport, `redis://127.0.0.1:${receiving.port}`);
    const link = await inbox.accept({ topic, token: "" }, receiver);
    const events: string[] = [];
    const outbox = await openOutbox(transport, {
      endpoint: `redis://127.0.0.1:${sending.port}`,
      topic,
      token: "",
      onConnection: ({ status }) => events.push(status),
    });
    return { outbox, link, sending, receiving, events, topic };
  }

  describe("events", () => {
    testMessages(() => setUp("events"));
  });

  describe("tasks", () => {
    testMessages(() => setUp("tasks"));
  });

  test("every receiver hears an event; a pattern hears all channels that it means", async () => {
    const { transport } = await setUp("events");
    const endpoint = `redis://127.0.0.1:${broker.port}`;
    const [all, one] = [new RecordingReceiver(), new RecordingReceiver()];
    const inbox = await openInbox(transport, endpoint);
    await inbox.accept({ topic: "done/*", token: "" }, all);
    await inbox.accept({ topic: "done/b", token: "" }, one);
    for (const topic of ["done/a", "done/b", "other/b"]) {
      const outbox = await openOutbox(transport, { endpoint, topic, token: "" });
      outbox.send(Buffer.from(topic), Buffer.from("completed"));
      await outbox.close();
    }
    await all.received(2);
    await one.received(1);
    expect(all.topics).toEqual(["done/a", "done/b"]);
    expect(one.topics).toEqual(["done/b"]);
  });

  test("what another program publishes arrives as it is, without a header", async () => {
    const { transport } = await setUp("events");
    const inbox = await openInbox(transport, `redis://127.0.0.1:${broker.port}`);
    const receiver = new RecordingReceiver();
    await inbox.accept({ topic: "dataflow_updates", token: "" }, receiver);
    const client = await openClient();
    for (const text of [
      "Update: Node B completed Task X",
      "",
      "DORA",
      "DORA\xff\xff\xff\xff".repeat(4),
    ]) {
      await client.publish("dataflow_updates", text);
    }
    await receiver.received(4);
    expect(receiver.payloads.map((payload) => Buffer.from(payload).toString())).toEqual([
      "Update: Node B completed Task X",
      "",
      "DORA",
      "DORA\xff\xff\xff\xff".repeat(4),
    ]);
    expect(receiver.headers.every((header) => header.length === 0)).toBe(true);
  });

  test("an event that nobody hears is counted as lost by its sender", async () => {
    const { transport } = await setUp("events");
    const endpoint = `redis://127.0.0.1:${broker.port}`;
    const outbox = await openOutbox(transport, { endpoint, topic: "empty", token: "" });
    outbox.send(Buffer.alloc(0), Buffer.alloc(1));
    await outbox.close();
    expect(outbox.stats).toMatchObject({ sentMessages: 1, lostMessages: 1 });
  });

  test("a paused receiver keeps some events, and counts those that it cannot", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, link } = await connectCuttable("events", receiver);
    link.pause();
    for (let index = 0; index < 200; index++) {
      if (outbox.send(Buffer.alloc(0), numbered(index, 100_000)) !== "sent") await outbox.drained();
    }
    await outbox.close();
    await expect.poll(() => link.stats.lostMessages).toBeGreaterThan(100);
    link.resume();
    await expect.poll(() => receiver.count + link.stats.lostMessages).toBe(200);
    // The last ones may come after the pause.
    const numbers = receiver.numbers();
    expect(numbers).toEqual(UP_TO_200.filter((number) => numbers.includes(number)));
  });

  test("events that were published while a receiver was away are counted when it is back", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, link, receiving } = await connectCuttable("events", receiver);
    outbox.send(Buffer.alloc(0), numbered(0));
    await receiver.received(1);
    receiving.cut();
    await receiver.until(() => receiver.connections.at(-1) === false);
    for (let index = 1; index < 6; index++) outbox.send(Buffer.alloc(0), numbered(index));
    await expect.poll(() => outbox.stats.lostMessages).toBe(5);
    receiving.restore();
    await receiver.until(() => receiver.connections.at(-1) === true);
    // It is back as soon as it is heard by: events go on, none is repeated.
    let next = 6;
    while (receiver.count === 1) {
      outbox.send(Buffer.alloc(0), numbered(next++));
      await expect.poll(() => outbox.stats.lostMessages + receiver.count).toBe(next);
    }
    expect(link.stats.lostMessages).toBe(next - 2);
    expect(receiver.numbers()).toEqual([0, next - 1]);
  });

  test("a sender that loses the broker goes on when it is back; events under way are counted", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, sending, events } = await connectCuttable("events", receiver);
    for (let index = 0; index < 100; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.cut();
    await expect.poll(() => events).toEqual(["disconnected"]);
    for (let index = 100; index < 200; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.restore();
    await outbox.close();
    const { lostMessages, reconnects } = outbox.stats;
    expect(reconnects).toBe(1);
    await receiver.until(() => receiver.numbers().at(-1) === 199);
    // An event may have arrived whose confirmation did not.
    expect(receiver.count).toBeGreaterThanOrEqual(200 - lostMessages);
    expect(receiver.numbers().slice(-100)).toEqual(UP_TO_200.slice(100));
  });

  test("each task goes to one worker, and to each in turn", async () => {
    const { transport } = await setUp("tasks");
    const endpoint = `redis://127.0.0.1:${broker.port}`;
    const workers = [new RecordingReceiver(), new RecordingReceiver()];
    for (const worker of workers) {
      const inbox = await openInbox(transport, endpoint);
      await inbox.accept({ topic: "work", token: "" }, worker);
    }
    const outbox = await openOutbox(transport, { endpoint, topic: "work", token: "" });
    for (let index = 0; index < 200; index++) outbox.send(Buffer.alloc(0), numbered(index));
    await expect.poll(() => workers[0].count + workers[1].count).toBe(200);
    const numbers = workers.flatMap((worker) => worker.numbers());
    expect(numbers.toSorted((left, right) => left - right)).toEqual(UP_TO_200);
    for (const worker of workers) expect(worker.count).toBeGreaterThan(20);
    await expect.poll(async () => (await openClient()).xLen("work")).toBe(0);
  });

  test("the task of a worker that is killed goes to another, once it has been idle", async () => {
    const { transport } = await setUp("tasks");
    const endpoint = `redis://127.0.0.1:${broker.port}`;
    const outbox = await openOutbox(transport, { endpoint, topic: "killed", token: "" });
    outbox.send(Buffer.from("h"), numbered(7));
    await outbox.close();
    const file = fileURLToPath(new URL("transports-worker.ts", import.meta.url));
    const child = spawn(process.execPath, [file, endpoint, "killed", String(IDLE_MS)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const receiver = new RecordingReceiver();
    const inbox = await openInbox(transport, endpoint);
    await inbox.accept({ topic: "killed", token: "" }, receiver);
    // It lives and works: longer than a task may be idle, nobody takes its task from it.
    const client = await openClient();
    const startedMs = performance.now();
    await expect.poll(() => performance.now() - startedMs).toBeGreaterThan(3 * IDLE_MS);
    expect(receiver.count).toBe(0);
    child.kill("SIGKILL");
    await receiver.received(1);
    expect(receiver.numbers()).toEqual([7]);
    await expect.poll(() => client.xLen("killed")).toBe(0);
  });

  test("a task that its worker failed at is done again", async () => {
    const receiver = new RecordingReceiver();
    let failures = 2;
    const { outbox } = await connectCuttable("tasks", {
      onMessage: async (header, payload, topic) => {
        if (failures-- > 0) throw new Error("not today");
        receiver.onMessage(header, payload, topic);
      },
    });
    outbox.send(Buffer.alloc(0), numbered(3));
    await receiver.received(1);
    expect(failures).toBe(-1);
  });

  test("tasks wait in Redis for a paused worker, and are lost by no cut connection", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, link, sending, receiving, events } = await connectCuttable("tasks", receiver);
    link.pause();
    for (let index = 0; index < 100; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.cut();
    receiving.cut();
    await expect.poll(() => events).toEqual(["disconnected"]);
    for (let index = 100; index < 200; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.restore();
    receiving.restore();
    await outbox.close();
    expect(outbox.stats).toMatchObject({ lostMessages: 0, reconnects: 1 });
    expect(receiver.count).toBeLessThanOrEqual(1);
    link.resume();
    await receiver.until(() => new Set(receiver.numbers()).size === 200);
    const first = [...new Set(receiver.numbers())];
    expect(first.toSorted((left, right) => left - right)).toEqual(UP_TO_200);
  });

  test("a broker that comes back empty is worked with as before", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, events } = await connectCuttable("tasks", receiver);
    await broker.stop();
    await expect.poll(() => events).toContain("disconnected");
    await broker.start();
    outbox.send(Buffer.alloc(0), numbered(5));
    await receiver.received(1);
    expect(receiver.numbers()).toEqual([5]);
  });

  test("wrong credentials are refused in words that do not hold them", async () => {
    const { transport } = await setUp("events");
    const client = await openClient();
    await client.configSet("requirepass", "right");
    onTestFinished(async () => {
      await client.configSet("requirepass", "");
    });
    const endpoint = `redis://:wrong@127.0.0.1:${broker.port}`;
    const opening = transport.openOutbox({ endpoint, topic: "t", token: "" });
    await expect(opening).rejects.toMatchObject({ code: "LINK_REFUSED" });
    await expect(opening).rejects.not.toThrow("wrong@");
    const right = `redis://:right@127.0.0.1:${broker.port}`;
    await openOutbox(transport, { endpoint: right, topic: "t", token: "" });
  });
});
