import { once } from "node:events";
import net from "node:net";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import {
  encodeFrame,
  encodeHello,
  encodeNumbers,
  FRAME,
} from "../../../src/runtime/transports/frame.ts";
import { WebSocketTransport } from "../../../src/runtime/transports/websocket.ts";
import { startCutProxy } from "./cut-proxy.ts";
import { numbered, RecordingReceiver } from "./recording-receiver.ts";
import {
  type ContractSetUp,
  connect,
  openInbox,
  openOutbox,
  testContract,
} from "./transport-contract.ts";

const TOKEN = "a token that is right";

const certificate = await generate([{ name: "commonName", value: "localhost" }], {
  extensions: [
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
  ],
});
const tls = { cert: certificate.cert, key: certificate.private, ca: certificate.cert };

async function setUp(scheme: "ws" | "wss"): Promise<ContractSetUp> {
  const settings = scheme === "wss" ? { tls } : {};
  const transport = new WebSocketTransport(settings);
  onTestFinished(() => transport.close());
  return {
    kind: "websocket",
    settings,
    transport,
    endpoint: async () => `${scheme}://127.0.0.1:0/links`,
    cuttable: async (inbox) => {
      const proxy = await startCutProxy({ host: "127.0.0.1", port: portOf(inbox.endpoint) });
      onTestFinished(() => proxy.close());
      return { ...proxy, endpoint: `${scheme}://127.0.0.1:${proxy.port}` };
    },
    nobody: `${scheme}://127.0.0.1:1`,
  };
}

describe("websocket", () => {
  testContract(() => setUp("ws"));
});

describe("websocket with TLS", () => {
  testContract(() => setUp("wss"));
});

test("links to one peer share a pool of four connections, which goes with its last link", async () => {
  const transport = new WebSocketTransport();
  const inbox = await openInbox(transport, "ws://127.0.0.1:0");
  const outboxes = [];
  for (let index = 0; index < 12; index++) {
    await inbox.accept({ topic: `link ${index}`, token: TOKEN }, new RecordingReceiver());
    const { endpoint } = inbox;
    outboxes.push(await openOutbox(transport, { endpoint, topic: `link ${index}`, token: TOKEN }));
    expect(transport.connectionCount(endpoint)).toBe(Math.min(index + 1, 4));
  }
  for (const outbox of outboxes) await outbox.close();
  expect(transport.connectionCount(inbox.endpoint)).toBe(0);
});

test("a link that is paused holds up no other link of its connection", async () => {
  const transport = new WebSocketTransport();
  const inbox = await openInbox(transport, "ws://127.0.0.1:0");
  const links = [];
  for (let index = 0; index < 8; index++) {
    const receiver = new RecordingReceiver();
    const topic = `link ${index}`;
    const link = await inbox.accept({ topic, token: TOKEN }, receiver);
    const { endpoint } = inbox;
    const outbox = await openOutbox(transport, { endpoint, topic, token: TOKEN });
    links.push({ receiver, link, outbox });
  }
  for (const { link } of links.slice(0, 4)) link.pause();
  for (const { outbox } of links) outbox.send(Buffer.alloc(0), numbered(0, 10_000_000));
  for (const { receiver } of links.slice(4)) await receiver.received(1);
  expect(links.slice(0, 4).map(({ receiver }) => receiver.count)).toEqual([0, 0, 0, 0]);
  for (const { link } of links.slice(0, 4)) link.resume();
  for (const { receiver } of links) await receiver.received(1);
});

test("a wrong token and an unknown topic are refused in the same words", async () => {
  const { inbox, transport } = await connect(await setUp("ws"));
  const { endpoint } = inbox;
  const open = async (topic: string, token: string): Promise<string> =>
    transport.openOutbox({ endpoint, topic, token }).then(
      () => "opened",
      (error: unknown) => String(error).replace(/from\/to|nowhere/, "TOPIC"),
    );
  const words = await open("from/to", "wrong");
  expect(words).toContain("no link of this topic and token");
  expect(await open("nowhere", TOKEN)).toBe(words);
  expect(inbox.refusedConnections).toBe(2);
});

test("a page, another protocol and an upgrade without a token are turned away", async () => {
  const { inbox, outbox, receiver } = await connect(await setUp("ws"));
  const port = portOf(inbox.endpoint);
  const page = await fetch(`http://127.0.0.1:${port}/`);
  expect(page.status).toBe(426);
  const raw = net.connect(port, "127.0.0.1");
  raw.on("error", () => {});
  raw.end("\x16\x03\x01 this is no HTTP\r\n\r\n");
  raw.resume();
  await once(raw, "close");
  const stranger = new WebSocket(inbox.endpoint);
  const [error]: unknown[] = await once(stranger, "error").catch((caught: unknown) => [caught]);
  expect(String(error)).toContain("401");
  expect(inbox.refusedConnections).toBe(3);
  outbox.send(Buffer.alloc(0), numbered(1));
  await receiver.received(1);
});

const WRONG = [
  { what: "a text", data: "hello" },
  { what: "too few bytes", data: Buffer.alloc(15) },
  { what: "an unknown type", data: encodeFrame(99, undefined, undefined, 1) },
  { what: "lengths that are not its own", data: Buffer.concat([encodeFrame(4), Buffer.alloc(1)]) },
  { what: "a message over the limit", data: Buffer.alloc(1_000_000) },
  { what: "a part of nothing", data: encodeFrame(FRAME.part, undefined, Buffer.alloc(1), 1) },
  { what: "a place in a ring", data: encodeNumbers(FRAME.ringPart, [0, 1], 1) },
];

test.each(WRONG)("a sender that knows the token and sends $what is cut off", async ({ data }) => {
  const { inbox, outbox, receiver } = await connect(await setUp("ws"));
  const webSocket = await dial(inbox.endpoint);
  webSocket.send(encodeHello({ topic: "from/to", token: TOKEN }, 1));
  webSocket.send(data);
  await once(webSocket, "close");
  expect(inbox.refusedConnections).toBe(1);
  outbox.send(Buffer.alloc(0), numbered(1));
  await expect.poll(() => receiver.count + outbox.stats.lostMessages).toBe(1);
});

test("a sender that does not keep to the window of a paused link is cut off", async () => {
  const { inbox, link, receiver } = await connect(await setUp("ws"));
  const webSocket = await dial(inbox.endpoint);
  webSocket.send(encodeHello({ topic: "from/to", token: TOKEN }, 1));
  link.pause();
  const frame = encodeFrame(FRAME.message, undefined, Buffer.alloc(100_000), 1);
  for (let index = 0; index < 30; index++) webSocket.send(frame);
  await once(webSocket, "close");
  expect(inbox.refusedConnections).toBe(1);
  expect(receiver.count).toBe(0);
});

async function dial(endpoint: string): Promise<WebSocket> {
  const token = Buffer.from(TOKEN).toString("base64url");
  const webSocket = new WebSocket(`${endpoint}?topic=from/to`, "dora.v1", {
    headers: { authorization: `Bearer ${token}` },
  });
  webSocket.on("error", () => {});
  await once(webSocket, "open");
  return webSocket;
}

function portOf(endpoint: string): number {
  return Number(new URL(endpoint).port);
}
