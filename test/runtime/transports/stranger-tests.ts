/** What a transport that listens by itself must do with those who do not belong to the flow. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { expect, onTestFinished, test } from "vitest";
import {
  encodeFrame,
  encodeHello,
  encodeNumbers,
  FRAME,
  FRAME_HEAD_BYTES,
  writeFrameHead,
} from "../../../src/runtime/transports/frame.ts";
import { HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX } from "../../../src/runtime/transports/transport.ts";
import { numbered } from "./recording-receiver.ts";
import { connect, type ContractSetUp } from "./transport-contract.ts";

const HELLO = encodeHello({ topic: "from/to", token: "a token that is right" });

function head(type: number, headerBytes: number, payloadBytes: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES);
  writeFrameHead(bytes, 0, { type, headerBytes, payloadBytes });
  return bytes;
}

const NONSENSE: readonly { readonly what: string; readonly bytes: Buffer }[] = [
  { what: "another protocol", bytes: Buffer.from("GET / HTTP/1.1\r\nhost: here\r\n\r\n") },
  { what: "random bytes", bytes: randomBytes(100_000) },
  { what: "a message before the hello", bytes: encodeFrame(FRAME.message) },
  { what: "a hello that is too long", bytes: head(FRAME.hello, 1_000_000, 0) },
  {
    what: "a hello of another protocol",
    bytes: encodeFrame(FRAME.hello, Buffer.from("ARODxxxxt")),
  },
  {
    what: "a hello of another version",
    bytes: encodeFrame(FRAME.hello, Buffer.from("DORA\x09\0\0\0t")),
  },
  { what: "a hello cut off", bytes: encodeFrame(FRAME.hello, Buffer.from("DORA")) },
];

const MISPLACED: readonly { readonly what: string; readonly bytes: Buffer }[] = [
  { what: "a second hello", bytes: HELLO },
  { what: "a header over the limit", bytes: head(FRAME.message, HEADER_BYTES_MAX + 1, 0) },
  { what: "a payload over the limit", bytes: head(FRAME.message, 0, PAYLOAD_BYTES_MAX + 1) },
  { what: "a part of nothing", bytes: encodeFrame(FRAME.part, undefined, Buffer.alloc(8)) },
  { what: "a place in no ring", bytes: encodeNumbers(FRAME.ringPart, [0, 8]) },
  {
    what: "a large message over the limit",
    bytes: encodeNumbers(FRAME.large, [PAYLOAD_BYTES_MAX + 1]),
  },
  {
    what: "parts that are more than their message",
    bytes: Buffer.concat([
      encodeNumbers(FRAME.large, [8]),
      encodeFrame(FRAME.part, undefined, Buffer.alloc(9)),
    ]),
  },
  { what: "a frame of the other side", bytes: encodeNumbers(FRAME.taken, [1, 1]) },
  {
    what: "a message after the close",
    bytes: Buffer.concat([encodeFrame(FRAME.close), encodeFrame(FRAME.message)]),
  },
  { what: "an unknown type", bytes: head(99, 0, 0) },
  { what: "a close with a payload", bytes: encodeFrame(FRAME.close, undefined, Buffer.alloc(1)) },
];

export function testStrangers(setUp: () => Promise<ContractSetUp>): void {
  test.each(NONSENSE)(
    "a stranger who sends $what is turned away without harm",
    async ({ bytes }) => {
      const { inbox, outbox, receiver } = await connect(await setUp());
      await sendRaw(inbox.endpoint, bytes);
      expect(inbox.refusedConnections).toBe(1);
      outbox.send(Buffer.alloc(0), numbered(1));
      await receiver.received(1);
    },
  );

  test.each(MISPLACED)(
    "a sender that knows the token and sends $what is cut off",
    async ({ bytes }) => {
      const { inbox, receiver, outbox } = await connect(await setUp());
      await sendRaw(inbox.endpoint, Buffer.concat([HELLO, bytes]));
      expect(inbox.refusedConnections).toBe(1);
      expect(receiver.count).toBe(0);
      // The link's own sender was put aside by the newer connection, and comes back.
      outbox.send(Buffer.alloc(0), numbered(1));
      await expect.poll(() => receiver.count + outbox.stats.lostMessages).toBe(1);
    },
  );

  test("a wrong token and an unknown topic are refused in the same words", async () => {
    const { inbox, transport } = await connect(await setUp());
    const open = (topic: string, token: string): Promise<unknown> =>
      transport.openOutbox({ endpoint: inbox.endpoint, topic, token });
    const words = await Promise.all(
      [open("from/to", "wrong"), open("nowhere", "a token that is right")].map((opening) =>
        opening.then(
          () => "opened",
          (error: unknown) => String(error).replace(/from\/to|nowhere/, "TOPIC"),
        ),
      ),
    );
    expect(words[0]).toBe(words[1]);
    expect(words[0]).toContain("no link of this topic and token");
    expect(inbox.refusedConnections).toBe(2);
  });

  test("a link that was closed refuses its sender from then on", async () => {
    const { inbox, link, receiver, transport } = await connect(await setUp());
    await link.close();
    await receiver.until(() => receiver.connections.length === 2);
    const opening = transport.openOutbox({
      endpoint: inbox.endpoint,
      topic: "from/to",
      token: "a token that is right",
    });
    await expect(opening).rejects.toMatchObject({ code: "LINK_REFUSED" });
    expect(receiver.connections).toEqual([true, false]);
  });

  test("a sender that is killed amid a message leaves the link for the next", async () => {
    const { inbox, receiver, outbox } = await connect(await setUp());
    await outbox.close();
    await sendRaw(
      inbox.endpoint,
      Buffer.concat([HELLO, head(FRAME.message, 0, 1000), Buffer.alloc(500)]),
      true,
    );
    await receiver.until(() => receiver.connections.length === 4);
    expect(receiver.count).toBe(0);
    expect(receiver.connections).toEqual([true, false, true, false]);
  });

  test("an inbox that closes lets go of strangers who say nothing", async () => {
    const { inbox } = await connect(await setUp());
    const socket = dial(inbox.endpoint);
    onTestFinished(() => void socket.destroy());
    await once(socket, "connect");
    const closed = once(socket, "close");
    await inbox.close();
    await closed;
  });
}

/** Sends bytes and waits until the other end hangs up, or hangs up by itself. */
async function sendRaw(endpoint: string, bytes: Buffer, hangUp = false): Promise<void> {
  const socket = dial(endpoint);
  // A reset is as good as an end.
  socket.on("error", () => {});
  socket.resume();
  const closed = once(socket, "close");
  if (hangUp) {
    socket.write(bytes, () => socket.destroy());
  } else {
    socket.write(bytes);
  }
  await closed;
}

function dial(endpoint: string): net.Socket {
  if (endpoint.startsWith("unix:")) return net.connect({ path: endpoint.slice("unix:".length) });
  const { hostname, port } = new URL(endpoint);
  return net.connect({ host: hostname, port: Number(port) });
}
