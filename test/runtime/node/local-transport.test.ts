import { expect, test } from "vitest";
import { LocalTransport } from "../../../src/runtime/node/local-transport.ts";
import { OUTBOX_BYTES_MAX } from "../../../src/runtime/transports/transport.ts";
import { DaemonSide } from "./daemon-side.ts";
import { Node } from "../../../src/runtime/node/node.ts";

const HEADER = Buffer.from("{}");
const LINK = { endpoint: "local:", topic: "a/out->a/in", token: "" };

async function openLink() {
  const transport = new LocalTransport();
  const inbox = await transport.openInbox();
  const seen: string[] = [];
  const told: string[] = [];
  const payloads: Uint8Array[] = [];
  const link = await inbox.accept(LINK, {
    onMessage: (_, payload) => {
      seen.push(Buffer.from(payload).toString());
      payloads.push(payload);
    },
    onEnd: () => void told.push("end"),
    onConnection: (isConnected) => void told.push(isConnected ? "came" : "went"),
  });
  const outbox = await transport.openOutbox(LINK);
  return { transport, inbox, link, outbox, seen, told, payloads };
}

test("a message is handed over as it is; the end is told behind the last", async () => {
  const { outbox, seen, told, payloads } = await openLink();
  const payload = Buffer.from("one");
  expect(outbox.send(HEADER, payload)).toBe("sent");
  expect(payloads[0]).toBe(payload);
  outbox.send(HEADER, [Buffer.from("t"), Buffer.from("wo")]);
  await outbox.close(1000);
  expect(seen).toEqual(["one", "two"]);
  expect(told).toEqual(["came", "went", "end"]);
  expect(outbox.send(HEADER, payload)).toBe("dropped");
});

test("what comes while the receiver pauses waits in order, and fills the link", async () => {
  const { outbox, link, seen } = await openLink();
  link.pause();
  const large = Buffer.alloc(OUTBOX_BYTES_MAX);
  expect(outbox.send(HEADER, large)).toBe("full");
  outbox.send(HEADER, Buffer.from("behind"));
  const drained = outbox.drained();
  expect(seen).toEqual([]);
  link.resume();
  // Never from within: who resumes may be taking a message.
  expect(seen).toEqual([]);
  await drained;
  expect(seen.map((text) => text.length)).toEqual([OUTBOX_BYTES_MAX, 6]);
});

test("a link that is cut tells of no end, and counts what was not taken", async () => {
  const { outbox, link, told } = await openLink();
  link.pause();
  outbox.send(HEADER, Buffer.from("never"));
  await outbox.close(0);
  expect(told).toEqual(["came", "went"]);
  expect(outbox.stats.lostMessages).toBe(1);
});

test("a close waits for a receiver that pauses, at most until its deadline or an earlier one", async () => {
  const { outbox, link, seen, told } = await openLink();
  link.pause();
  outbox.send(HEADER, Buffer.from("late"));
  const closed = outbox.close(60_000);
  link.resume();
  await closed;
  expect(seen).toEqual(["late"]);
  expect(told).toEqual(["came", "went", "end"]);

  const other = await openLink();
  other.link.pause();
  other.outbox.send(HEADER, Buffer.from("never"));
  const closing = other.outbox.close(60_000);
  await other.outbox.close(0);
  await closing;
  expect(other.told).toEqual(["came", "went"]);
});

test("there is no link to an input that is not there, or was closed", async () => {
  const { transport, link } = await openLink();
  await link.close();
  await expect(transport.openOutbox(LINK)).rejects.toMatchObject({ code: "LINK_REFUSED" });
});

test("a node's link to itself keeps order, queues and backpressure, and no socket is opened for it", async () => {
  const daemon = await DaemonSide.start({
    a: {
      inputs: { in: { queuePolicy: "backpressure", queueSize: 3, ...selfLink() } },
      outputs: ["out"],
    },
  });
  const node = await Node.connect({ environment: daemon.environment("a") });
  expect(daemon.node("a").of("listening")).toEqual([
    { type: "listening", inboxes: [{ transport: "socket", address: "local:" }] },
  ]);
  for (let count = 0; count < 20; count++) await node.sendOutput("out", Uint8Array.of(count));
  const seen: number[] = [];
  for (let count = 0; count < 20; count++) {
    const event = await node.next();
    if (event?.type === "input") seen.push(event.bytes()[0]);
  }
  expect(seen).toEqual(Array.from({ length: 20 }, (_, count) => count));
  await node.close();
});

function selfLink() {
  return {
    source: {
      kind: "link",
      link: "a/out->a/in",
      node: "a",
      output: "out",
      transport: { kind: "socket", options: {} },
    },
  } as const;
}
