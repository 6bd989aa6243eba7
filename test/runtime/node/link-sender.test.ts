import { expect, test } from "vitest";
import type { OutgoingLink } from "../../../src/runtime/protocol/node-messages.ts";
import { type LinkConnection, LinkSender } from "../../../src/runtime/node/link-sender.ts";
import type {
  Outbox,
  OutboxStats,
  SendResult,
  WaitingMessage,
} from "../../../src/runtime/transports/transport.ts";

/** An outbox whose room the test makes, to the turn: a real one has it when the system does. */
class SteeredOutbox implements Outbox {
  readonly stats: OutboxStats = {
    sentMessages: 0,
    sentBytes: 0,
    lostMessages: 0,
    droppedMessages: 0,
    reconnects: 0,
  };
  readonly taken: string[] = [];
  readonly closeDeadlines: number[] = [];
  isFull = false;
  lostAtClose = 0;
  #wake: (() => void)[] = [];

  send(header: Uint8Array): SendResult {
    if (this.isFull) throw new Error("sent without room");
    this.taken.push(Buffer.from(header).toString());
    return "sent";
  }

  makeRoom(): void {
    this.isFull = false;
    for (const wake of this.#wake.splice(0)) wake();
  }

  waiting: WaitingMessage[] = [];

  takeWaiting(): readonly WaitingMessage[] {
    return this.waiting.splice(0);
  }

  async drained(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#wake.push(resolve);
      signal?.addEventListener("abort", () => reject(new Error("given up")));
    });
  }

  async close(deadlineMs = 5000): Promise<void> {
    this.closeDeadlines.push(deadlineMs);
    this.stats.lostMessages += this.lostAtClose;
    if (deadlineMs > 0) await this.drained();
    this.makeRoom();
  }
}

test("a message that finds room does not overtake one that waits for it", async () => {
  const { sender, outbox } = open();
  expect(send(sender, "a")).toBeUndefined();
  outbox.isFull = true;
  const waiting = send(sender, "b");
  outbox.makeRoom();
  const behind = send(sender, "c");
  await Promise.all([waiting, behind]);
  expect(outbox.taken).toEqual(["a", "b", "c"]);
  expect(send(sender, "d")).toBeUndefined();
});

test("when the node stops, a receiver that is gone is not waited for", async () => {
  const { sender, outbox, connection } = open();
  outbox.isFull = true;
  const waiting = send(sender, "a");
  connection.isConnected = false;
  sender.stopWaitingForLost();
  await waiting;
  expect(outbox.taken).toEqual([]);
  expect(sender.unconfirmed).toBe(1);
  await sender.close(5000);
  expect(outbox.closeDeadlines).toEqual([0]);
});

test("nor one that goes away later, while the link is being closed", async () => {
  const { sender, outbox, connection } = open();
  sender.stopWaitingForLost();
  const closing = sender.close(5000);
  await expect.poll(() => outbox.closeDeadlines).toHaveLength(1);
  connection.isConnected = false;
  connection.onLost?.();
  await closing;
  expect(outbox.closeDeadlines[1]).toBe(0);
});

test("closing gives what waits its time, and then gives it up", async () => {
  const { sender, outbox } = open();
  outbox.isFull = true;
  const waiting = send(sender, "a");
  const closing = sender.close(20);
  await waiting;
  expect(sender.unconfirmed).toBe(1);
  await closing;
  expect(outbox.closeDeadlines).toEqual([0]);
});

test("moved to another outbox, what waited there goes first, then what waits, then the rest", async () => {
  const { sender, link, outbox, connection } = open();
  outbox.waiting = [kept("a"), kept("b")];
  outbox.isFull = true;
  const behind: (Promise<void> | undefined)[] = [send(sender, "c"), send(sender, "d")];
  const other = new SteeredOutbox();
  other.isFull = true;
  void sender.moveTo({ link, outbox: other, connection });
  behind.push(send(sender, "e"));
  outbox.makeRoom();
  other.makeRoom();
  for (const sent of behind) await sent;
  expect(other.taken).toEqual(["a", "b", "c", "d", "e"]);
  expect(outbox.taken).toEqual([]);
  expect(outbox.closeDeadlines).toEqual([0]);
});

test("moved where nothing waits, messages go on without a wait", async () => {
  const { sender, link, outbox, connection } = open();
  const other = new SteeredOutbox();
  await sender.moveTo({ link, outbox: other, connection });
  expect(send(sender, "a")).toBeUndefined();
  expect(other.taken).toEqual(["a"]);
  expect(outbox.taken).toEqual([]);
});

test("moved twice at once, nothing is lost and the order stays", async () => {
  const { sender, link, outbox, connection } = open();
  outbox.waiting = [kept("a"), kept("b")];
  const second = new SteeredOutbox();
  second.isFull = true;
  const third = new SteeredOutbox();
  void sender.moveTo({ link, outbox: second, connection });
  second.waiting = [];
  const behind = send(sender, "c");
  await sender.moveTo({ link, outbox: third, connection });
  await behind;
  expect(third.taken).toEqual(["a", "b", "c"]);
  expect(sender.unconfirmed).toBe(0);
});

test("what an outbox loses as it is left stays counted", async () => {
  const { sender, link, outbox, connection } = open();
  outbox.stats.lostMessages = 2;
  outbox.lostAtClose = 3;
  const moved = sender.moveTo({ link, outbox: new SteeredOutbox(), connection });
  expect(sender.unconfirmed).toBe(2);
  await moved;
  expect(sender.unconfirmed).toBe(5);
});

test("a link that moves as the node stops gives up with its new connection too", async () => {
  const { sender, link, outbox } = open();
  sender.stopWaitingForLost();
  const connection: LinkConnection = { isConnected: true, onLost: undefined };
  const other = new SteeredOutbox();
  other.isFull = true;
  outbox.waiting = [kept("a")];
  await sender.moveTo({ link, outbox: other, connection });
  connection.isConnected = false;
  connection.onLost?.();
  await sender.close(5000);
  expect(other.taken).toEqual([]);
  expect(sender.unconfirmed).toBe(1);
});

function kept(text: string): WaitingMessage {
  return { header: Buffer.from(text), payload: new Uint8Array(0) };
}

function open(): {
  readonly sender: LinkSender;
  readonly link: OutgoingLink;
  readonly outbox: SteeredOutbox;
  readonly connection: LinkConnection;
} {
  const outbox = new SteeredOutbox();
  const connection: LinkConnection = { isConnected: true, onLost: undefined };
  const target = { node: "b", input: "in" };
  const transport = { kind: "socket", options: {} } as const;
  const link = { link: "a/out->b/in", output: "out", target, transport, address: "unix:/b" };
  return { sender: new LinkSender({ link, outbox, connection }), link, outbox, connection };
}

function send(sender: LinkSender, text: string): Promise<void> | undefined {
  return sender.send(Buffer.from(text), new Uint8Array(0));
}
