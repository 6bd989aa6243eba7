import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { MqttTransport } from "../../src/runtime/transports/mqtt.ts";
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

const part = findPart("mosquitto");
const UP_TO_200 = Array.from({ length: 200 }, (_, index) => index);

describe.skipIf(part.path === undefined)(`Mosquitto (${part.hint})`, () => {
  const folder = mkdtempSync(join(tmpdir(), "dora-mosquitto-"));
  let broker: Broker;
  let topics = 0;

  beforeAll(async () => {
    broker = await startMosquitto("allow_anonymous true");
  });
  afterAll(async () => {
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function startMosquitto(settings: string, queuedMax = 100_000): Promise<Broker> {
    return startBroker(part.path ?? "", (port) => {
      const file = join(folder, `${port}.conf`);
      // The tests send faster than the default of 1,000 messages that may wait for one receiver.
      const lines = [
        `listener ${port} 127.0.0.1`,
        settings,
        `max_queued_messages ${queuedMax}`,
        "user root",
      ];
      writeFileSync(file, lines.join("\n"));
      return ["-c", file];
    });
  }

  async function setUp(): Promise<BasicSetUp> {
    const endpoint = `mqtt://127.0.0.1:${broker.port}`;
    return {
      kind: "mqtt",
      settings: {},
      transport: new MqttTransport(),
      endpoint: async () => endpoint,
      nobody: "mqtt://127.0.0.1:1",
    };
  }

  /** A link through a proxy on each side, so that a test can cut either. */
  async function connectCuttable(receiver: LinkReceiver) {
    const transport = new MqttTransport();
    const target = { host: "127.0.0.1", port: broker.port };
    const [sending, receiving] = [await startCutProxy(target), await startCutProxy(target)];
    onTestFinished(() => sending.close());
    onTestFinished(() => receiving.close());
    const topic = `cut/${topics++}`;
    const inbox = await openInbox(transport, `mqtt://127.0.0.1:${receiving.port}`);
    const link = await inbox.accept({ topic, token: "" }, receiver);
    const events: string[] = [];
    const outbox = await openOutbox(transport, {
      endpoint: `mqtt://127.0.0.1:${sending.port}`,
      topic,
      token: "",
      onConnection: ({ status }) => events.push(status),
    });
    return { outbox, link, sending, receiving, events };
  }

  testMessages(setUp);

  test("a wildcard hears all topics that it means, and says which", async () => {
    const { transport } = await setUp();
    const endpoint = `mqtt://127.0.0.1:${broker.port}`;
    const inbox = await openInbox(transport, endpoint);
    const [factory, everything] = [new RecordingReceiver(), new RecordingReceiver()];
    await inbox.accept({ topic: "factory/+", token: "" }, factory);
    await inbox.accept({ topic: "#", token: "" }, everything);
    for (const topic of ["factory/temperature", "factory/pressure", "office/temperature"]) {
      const outbox = await openOutbox(transport, { endpoint, topic, token: "" });
      outbox.send(Buffer.from(topic), Buffer.from("21"));
      await outbox.close();
    }
    await factory.received(2);
    await everything.received(3);
    expect(factory.topics).toEqual(["factory/temperature", "factory/pressure"]);
    expect(everything.topics).toEqual([...factory.topics, "office/temperature"]);
    expect(factory.headers.map(String)).toEqual(
      factory.topics.map((topic) => String(Buffer.from(topic))),
    );
  });

  test("a sensor that knows nothing of us is heard, without a header", async () => {
    const { transport } = await setUp();
    const inbox = await openInbox(transport, `mqtt://127.0.0.1:${broker.port}`);
    const receiver = new RecordingReceiver();
    await inbox.accept({ topic: "sensor/+", token: "" }, receiver);
    const sensor = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { protocolVersion: 4 });
    await sensor.publishAsync("sensor/a", "21.5", { qos: 0 });
    await sensor.publishAsync("sensor/b", "", { qos: 1 });
    await receiver.received(2);
    await sensor.endAsync();
    expect(receiver.payloads.map((payload) => Buffer.from(payload).toString())).toEqual([
      "21.5",
      "",
    ]);
    expect(receiver.headers.map((header) => header.length)).toEqual([0, 0]);
  });

  test("a message that nobody hears is counted as lost by its sender", async () => {
    const { transport } = await setUp();
    const endpoint = `mqtt://127.0.0.1:${broker.port}`;
    const outbox = await openOutbox(transport, { endpoint, topic: "empty", token: "" });
    outbox.send(Buffer.alloc(0), Buffer.alloc(1));
    await outbox.close();
    expect(outbox.stats).toMatchObject({ sentMessages: 1, lostMessages: 1 });
  });

  test("messages wait at the broker for a paused link", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, link } = await connectCuttable(receiver);
    link.pause();
    for (let index = 0; index < 200; index++) {
      if (outbox.send(Buffer.alloc(0), numbered(index, 10_000)) !== "sent") await outbox.drained();
    }
    await outbox.close();
    expect(receiver.count).toBe(0);
    link.resume();
    await receiver.received(200);
    expect(receiver.numbers()).toEqual(UP_TO_200);
  });

  test("what the broker drops for want of room is counted by the receiver", async () => {
    const small = await startMosquitto("allow_anonymous true", 50);
    onTestFinished(() => small.stop());
    const endpoint = `mqtt://127.0.0.1:${small.port}`;
    const transport = new MqttTransport();
    const receiver = new RecordingReceiver();
    const inbox = await openInbox(transport, endpoint);
    const link = await inbox.accept({ topic: "full", token: "" }, receiver);
    const outbox = await openOutbox(transport, { endpoint, topic: "full", token: "" });
    link.pause();
    let sent = 0;
    while (sent < 200) {
      if (outbox.send(Buffer.alloc(0), numbered(sent++, 20_000)) !== "sent") await outbox.drained();
    }
    link.resume();
    await receiver.received(50);
    await expect
      .poll(() => {
        outbox.send(Buffer.alloc(0), numbered(sent++));
        return link.stats.lostMessages;
      })
      .toBeGreaterThan(0);
    await outbox.close();
    await expect.poll(() => receiver.count + link.stats.lostMessages).toBe(sent);
  });

  test("a lost connection, of the sender or the receiver, loses no message", async () => {
    const receiver = new RecordingReceiver();
    const { outbox, sending, receiving, events } = await connectCuttable(receiver);
    for (let index = 0; index < 100; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.cut();
    await expect.poll(() => events).toEqual(["disconnected"]);
    for (let index = 100; index < 150; index++) outbox.send(Buffer.alloc(0), numbered(index));
    sending.restore();
    await expect.poll(() => events.at(-1)).toBe("reconnected");
    receiving.cut();
    await receiver.until(() => receiver.connections.at(-1) === false);
    for (let index = 150; index < 200; index++) outbox.send(Buffer.alloc(0), numbered(index));
    await outbox.close();
    receiving.restore();
    await receiver.until(() => new Set(receiver.numbers()).size === 200);
    expect([...new Set(receiver.numbers())]).toEqual(UP_TO_200);
    expect(outbox.stats).toMatchObject({ lostMessages: 0, reconnects: 1 });
  });

  test("a message that its receiver failed at is given to it again", async () => {
    const receiver = new RecordingReceiver();
    let failures = 1;
    const { outbox } = await connectCuttable({
      onMessage: async (header, payload, topic) => {
        if (failures-- > 0) throw new Error("not today");
        receiver.onMessage(header, payload, topic);
      },
    });
    outbox.send(Buffer.alloc(0), numbered(0));
    outbox.send(Buffer.alloc(0), numbered(1));
    await receiver.received(2);
    expect(receiver.numbers()).toEqual([0, 1]);
  });

  test("a topic that is none, and wrong credentials, are refused", async () => {
    const { transport } = await setUp();
    const endpoint = `mqtt://127.0.0.1:${broker.port}`;
    for (const topic of ["", "a/+", "#"]) {
      const opening = transport.openOutbox({ endpoint, topic, token: "" });
      await expect(opening).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    }
    const closed = await startMosquitto("allow_anonymous false");
    onTestFinished(() => closed.stop());
    const refused = transport.openOutbox({
      endpoint: `mqtt://user:secret@127.0.0.1:${closed.port}`,
      topic: "t",
      token: "",
    });
    await expect(refused).rejects.toMatchObject({ code: "LINK_REFUSED" });
    await expect(refused).rejects.not.toThrow("secret");
  });
});
