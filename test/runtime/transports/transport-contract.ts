/** What every transport must do, whatever it is made of. Each transport's test file calls `testContract`. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { TransportOptions } from "../../../src/runtime/transports/open-transport.ts";
import {
  HEADER_BYTES_MAX,
  type Inbox,
  type InboxLink,
  type Outbox,
  type OutboxOptions,
  type Transport,
} from "../../../src/runtime/transports/transport.ts";
import { numbered, RecordingReceiver } from "./recording-receiver.ts";

/** What a transport's own test file provides. */
export interface BasicSetUp {
  /** As `openTransport` takes them, also in another process. */
  readonly kind: string;
  readonly settings: TransportOptions;
  readonly transport: Transport;
  /** An endpoint where nothing listens yet, or the broker's. */
  endpoint(): Promise<string>;
  /** An endpoint of nobody. */
  readonly nobody: string;
}

export interface ContractSetUp extends BasicSetUp {
  /** An endpoint that leads to the inbox, whose connections the test can cut. */
  cuttable(inbox: Inbox): Promise<{ readonly endpoint: string; cut(): void; restore(): void }>;
}

const TOKEN = "a token that is right";
const MIB = 1024 * 1024;
const SIZES = [0, 1, 15, 16, 17, 8191, 8192, 65_535, 65_536, 131_072, 400_000, 4_000_000, 64 * MIB];

/** A sender that never waits may be one message over what is named in the transport's limits. */
const HELD_BYTES_MAX = 24 * MIB;

/** Of a transport between two nodes, which nothing is lost by but by a lost connection. */
export function testContract(setUp: () => Promise<ContractSetUp>): void {
  testMessages(setUp);
  testFlow(setUp);
}

/** Of every transport. */
export function testMessages(setUp: () => Promise<BasicSetUp>): void {
  test("messages arrive in order, with headers byte for byte", async () => {
    const { outbox, receiver } = await connect(await setUp());
    const headers = Array.from({ length: 5_000 }, (_, index) => randomBytes(index % 90));
    for (const [index, header] of headers.entries()) {
      if (outbox.send(header, numbered(index, 4 + (index % 60))) !== "sent") await outbox.drained();
    }
    await receiver.received(5_000);
    expect(receiver.numbers()).toEqual(headers.keys().toArray());
    const isSame = headers.every((header, index) => header.equals(receiver.headers[index]));
    expect(isSame).toBe(true);
  });

  test("payloads of every size arrive whole, small and large by turns", async () => {
    const { outbox, receiver, transport } = await connect(await setUp());
    const sizes = SIZES.filter((size) => size <= transport.guarantees.payloadBytesMax);
    const digests: string[] = [];
    receiver.onEach = (payload) => void digests.push(digestOf(payload));
    for (const size of sizes) {
      const payload = randomBytes(size);
      await outbox.drained();
      outbox.send(Buffer.from(digestOf(payload)), payload);
      await outbox.drained();
      outbox.send(Buffer.from(digestOf(Buffer.from("between"))), Buffer.from("between"));
    }
    await receiver.received(2 * sizes.length);
    expect(digests).toEqual(receiver.headers.map((header) => Buffer.from(header).toString()));
  });

  test("a payload in pieces arrives as one", async () => {
    const { outbox, receiver } = await connect(await setUp());
    const pieces = [randomBytes(10), new Uint8Array(0), randomBytes(9_000), randomBytes(200_000)];
    outbox.send(Buffer.from("small"), pieces.slice(0, 2));
    outbox.send(Buffer.from("large"), pieces);
    await outbox.drained();
    outbox.send(Buffer.from("large again"), pieces);
    await receiver.received(3);
    const digests = receiver.payloads.map(digestOf);
    const whole = digestOf(Buffer.concat(pieces));
    expect(digests).toEqual([digestOf(pieces[0]), whole, whole]);
  });

  test("what is larger than the limit is refused by an error that names it, and the link goes on", async () => {
    const { outbox, receiver, transport } = await connect(await setUp());
    const { payloadBytesMax } = transport.guarantees;
    const tooLong = Buffer.allocUnsafeSlow(payloadBytesMax + 1);
    const sendTooLong = (): unknown => outbox.send(Buffer.alloc(0), tooLong);
    expect(sendTooLong).toThrow(expect.objectContaining({ code: "MESSAGE_TOO_LARGE" }));
    expect(sendTooLong).toThrow(String(payloadBytesMax));
    const header = randomBytes(HEADER_BYTES_MAX + 1);
    const sendHeader = (): unknown => outbox.send(header, Buffer.alloc(0));
    expect(sendHeader).toThrow(String(HEADER_BYTES_MAX));
    outbox.send(header.subarray(1), Buffer.from("after"));
    await receiver.received(1);
    expect(Buffer.from(receiver.payloads[0]).toString()).toBe("after");
    expect(header.subarray(1).equals(receiver.headers[0])).toBe(true);
  });

  test("memory that is handed back is filled anew, and what was kept stays as it was", async () => {
    const { outbox, receiver, link, transport } = await connect(await setUp());
    const bytes = Math.min(1_000_000, transport.guarantees.payloadBytesMax);
    const kept: Uint8Array[] = [];
    let wrong = 0;
    receiver.onEach = (payload) => {
      if (payload.length !== bytes || payload[bytes - 1] !== payload[0]) wrong++;
      if (kept.length < 5 && receiver.count % 3 === 0) kept.push(payload);
      else for (let times = 0; times < 2; times++) link.recycle(payload);
    };
    for (let index = 0; index < 20; index++) {
      if (outbox.send(Buffer.alloc(0), numbered(index, bytes)) !== "sent") await outbox.drained();
    }
    await receiver.received(20);
    expect(wrong).toBe(0);
    expect(kept.map((payload) => [payload[0], payload[bytes - 1]])).toEqual(
      [2, 5, 8, 11, 14].map((number) => [number, number]),
    );
  });

  test("fifty links arrive at one inbox, each in its order", async () => {
    const { transport, endpoint } = await setUp().then(async (found) => ({
      transport: found.transport,
      endpoint: await found.endpoint(),
    }));
    const inbox = await openInbox(transport, endpoint);
    const links = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const receiver = new RecordingReceiver();
        const topic = `fifty/${index}`;
        await inbox.accept({ topic, token: `${TOKEN} ${index}` }, receiver);
        const outbox = await openOutbox(transport, {
          endpoint: inbox.endpoint,
          topic,
          token: `${TOKEN} ${index}`,
        });
        return { receiver, outbox };
      }),
    );
    for (let number = 0; number < 100; number++) {
      for (const { outbox } of links) {
        if (outbox.send(Buffer.alloc(1), numbered(number, 400)) !== "sent") await outbox.drained();
      }
    }
    for (const { receiver } of links) {
      await receiver.received(100);
      expect(receiver.numbers()).toEqual(Array.from({ length: 100 }, (_, index) => index));
    }
  });

  test("a sender that waits where it is told to, and for other things, has nothing dropped", async () => {
    const { outbox, receiver } = await connect(await setUp());
    let sent = 0;
    for (let turn = 0; turn < 40; turn++) {
      for (let index = 0; index < 700; index++) {
        if (outbox.send(Buffer.alloc(90), numbered(sent++, 10)) !== "sent") await outbox.drained();
      }
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await receiver.received(sent);
    expect(outbox.stats).toMatchObject({ sentMessages: sent, droppedMessages: 0 });
  });

  test("nobody at the endpoint is told in the time given", async () => {
    const { transport, nobody } = await setUp();
    const opening = transport.openOutbox({
      endpoint: nobody,
      topic: "t",
      token: TOKEN,
      connectTimeoutMs: 200,
    });
    await expect(opening).rejects.toMatchObject({ code: "LINK_UNREACHABLE" });
  });

  test("close waits until everything was taken; what is sent after it is dropped", async () => {
    const { outbox, receiver } = await connect(await setUp());
    for (let index = 0; index < 300; index++) {
      if (outbox.send(Buffer.alloc(0), numbered(index, 5_000)) !== "sent") await outbox.drained();
    }
    await outbox.close();
    await receiver.received(300);
    expect(outbox.stats).toMatchObject({ sentMessages: 300, lostMessages: 0 });
    expect(outbox.send(Buffer.alloc(0), Buffer.alloc(1))).toBe("dropped");
    expect(outbox.stats.droppedMessages).toBe(1);
    await outbox.close();
    await outbox.drained();
  });

  test.each([100, 300_000])(
    "another process sends %i bytes at a time, and ends by itself",
    async (payloadBytes) => {
      const found = await setUp();
      const inbox = await openInbox(found.transport, await found.endpoint());
      const receiver = new RecordingReceiver();
      let wrong = 0;
      receiver.onEach = (payload) => {
        if (payload.length !== payloadBytes || payload[payloadBytes - 1] !== payload[4]) wrong++;
      };
      const link = await inbox.accept({ topic: "other", token: TOKEN }, receiver);
      const output = await runSender({
        kind: found.kind,
        settings: found.settings,
        endpoint: inbox.endpoint,
        topic: "other",
        token: TOKEN,
        messages: 200,
        payloadBytes,
      });
      await receiver.received(200);
      expect(JSON.parse(output)).toMatchObject({ sentMessages: 200, lostMessages: 0 });
      expect(receiver.numbers()).toEqual(Array.from({ length: 200 }, (_, index) => index));
      expect(Buffer.from(receiver.headers[199]).toString()).toBe("header 199");
      expect(wrong).toBe(0);
      expect(link.stats.receivedMessages).toBe(200);
    },
  );
}

/** Where the receiver makes the sender wait, and both count what a lost connection cost. */
function testFlow(setUp: () => Promise<ContractSetUp>): void {
  test("a paused link holds the sender: bounded memory, and nothing lost or out of order", async () => {
    const { outbox, receiver, link } = await connect(await setUp());
    receiver.onEach = () => link.pause();
    const bytes = 64 * 1024;
    let [sent, heldBytes] = [0, 0];
    while (heldBytes < 4 * HELD_BYTES_MAX) {
      if (outbox.send(Buffer.alloc(0), numbered(sent++, bytes)) === "full") {
        heldBytes = sent * bytes;
        const hasRoom = await settlesSoon(outbox.drained());
        if (!hasRoom) break;
      }
    }
    expect(heldBytes).toBeLessThan(HELD_BYTES_MAX);
    expect(receiver.count).toBe(1);
    expect(outbox.send(Buffer.alloc(0), numbered(0, bytes))).toBe("dropped");
    expect(outbox.stats.droppedMessages).toBe(1);
    receiver.onEach = undefined;
    link.resume();
    await receiver.received(sent);
    expect(receiver.numbers()).toEqual(Array.from({ length: sent }, (_, index) => index));
    await outbox.drained();
    expect(outbox.isFull).toBe(false);
  });

  test("a link that pauses after each message gets each, one at a time", async () => {
    const { outbox, receiver, link } = await connect(await setUp());
    let isPaused = false;
    let early = 0;
    receiver.onEach = () => {
      if (isPaused) early++;
      isPaused = true;
      link.pause();
      setImmediate(() => {
        isPaused = false;
        link.resume();
      });
    };
    for (let index = 0; index < 500; index++) {
      if (outbox.send(Buffer.alloc(3), numbered(index, 4 + (index % 7) * 900)) !== "sent") {
        await outbox.drained();
      }
    }
    await receiver.received(500);
    expect(early).toBe(0);
    expect(receiver.numbers()).toEqual(Array.from({ length: 500 }, (_, index) => index));
  });

  test("a lost connection comes back; what waited arrives, what was lost is counted", async () => {
    const found = await setUp();
    const inbox = await openInbox(found.transport, await found.endpoint());
    const receiver = new RecordingReceiver();
    await inbox.accept({ topic: "cut", token: TOKEN }, receiver);
    const proxy = await found.cuttable(inbox);
    const events: string[] = [];
    let onReturn: (() => void) | undefined;
    const outbox = await openOutbox(found.transport, {
      endpoint: proxy.endpoint,
      topic: "cut",
      token: TOKEN,
      onConnection: ({ status }) => {
        events.push(status);
        if (status === "reconnected") onReturn?.();
      },
    });
    let sent = 0;
    for (let round = 0; round < 3; round++) {
      const returned = new Promise<void>((resolve) => {
        onReturn = resolve;
      });
      for (let index = 0; index < 200; index++) {
        if (outbox.isFull) await outbox.drained();
        outbox.send(Buffer.alloc(0), numbered(sent++, 2_000));
      }
      proxy.cut();
      await expect.poll(() => events.length).toBe(2 * round + 1);
      for (let index = 0; index < 50; index++)
        outbox.send(Buffer.alloc(0), numbered(sent++, 2_000));
      proxy.restore();
      await returned;
      await receiver.until(() => receiver.numbers().at(-1) === sent - 1);
    }
    await outbox.close();
    const { lostMessages, reconnects, sentMessages } = outbox.stats;
    const numbers = receiver.numbers();
    expect(sentMessages).toBe(sent);
    expect(reconnects).toBe(3);
    expect(numbers).toHaveLength(sent - lostMessages);
    expect(numbers).toEqual(numbers.toSorted((left, right) => left - right));
    // The fifty that were sent while the connection was away.
    for (const last of [249, 499, 749]) expect(numbers).toContain(last);
    expect(events).toEqual(Array.from({ length: 6 }, (_, index) => EVENTS[index % 2]));
  });

  test("a wait for room ends when its signal says so", async () => {
    const { outbox, receiver, link } = await connect(await setUp());
    link.pause();
    await sendUntilFull(outbox);
    const controller = new AbortController();
    const waiting = outbox.drained(controller.signal);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(receiver.count).toBe(0);
    await outbox.close(0);
  });
}

const EVENTS = ["disconnected", "reconnected"];

export async function openInbox(transport: Transport, endpoint: string): Promise<Inbox> {
  const inbox = await transport.openInbox({ endpoint });
  onTestFinished(() => inbox.close());
  return inbox;
}

export async function openOutbox(transport: Transport, options: OutboxOptions): Promise<Outbox> {
  const outbox = await transport.openOutbox(options);
  onTestFinished(() => outbox.close(0));
  return outbox;
}

/** One link, connected. */
export async function connect(found: BasicSetUp): Promise<{
  readonly transport: Transport;
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  readonly link: InboxLink;
  readonly receiver: RecordingReceiver;
}> {
  const { transport } = found;
  const inbox = await openInbox(transport, await found.endpoint());
  const receiver = new RecordingReceiver();
  const link = await inbox.accept({ topic: "from/to", token: TOKEN }, receiver);
  const outbox = await openOutbox(transport, {
    endpoint: inbox.endpoint,
    topic: "from/to",
    token: TOKEN,
  });
  return { transport, inbox, outbox, link, receiver };
}

async function sendUntilFull(outbox: Outbox): Promise<void> {
  do {
    while (outbox.send(Buffer.alloc(0), Buffer.alloc(64 * 1024)) === "sent");
  } while (await settlesSoon(outbox.drained()));
}

/** Whether a promise settles while the system has anything to do with it: 200 ms without is no. */
async function settlesSoon(promise: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), 200);
  });
  const isSettled = await Promise.race([promise.then(() => true), isLate]);
  clearTimeout(timer);
  return isSettled;
}

function runSender(options: object): Promise<string> {
  const file = fileURLToPath(new URL("link-process.ts", import.meta.url));
  const child = spawn(process.execPath, [file, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  return new Promise((resolve, reject) => {
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`the sender ended with ${code}: ${errors}`));
    });
  });
}

function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
