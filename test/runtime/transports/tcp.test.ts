import { once } from "node:events";
import net from "node:net";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { TcpTransport } from "../../../src/runtime/transports/tcp.ts";
import { startCutProxy } from "./cut-proxy.ts";
import { testStrangers } from "./stranger-tests.ts";
import { type ContractSetUp, connect, openInbox, testContract } from "./transport-contract.ts";

const NOBODY = "127.0.0.1:1";

const certificate = await generate([{ name: "commonName", value: "localhost" }], {
  extensions: [
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
  ],
});
const tls = { cert: certificate.cert, key: certificate.private, ca: certificate.cert };

async function setUp(scheme: "tcp" | "tls"): Promise<ContractSetUp> {
  const settings = scheme === "tls" ? { tls } : {};
  return {
    kind: "tcp",
    settings,
    transport: new TcpTransport(settings),
    endpoint: async () => `${scheme}://127.0.0.1:0`,
    cuttable: async (inbox) => {
      const port = Number(new URL(inbox.endpoint).port);
      const proxy = await startCutProxy({ host: "127.0.0.1", port });
      onTestFinished(() => proxy.close());
      return { ...proxy, endpoint: `${scheme}://127.0.0.1:${proxy.port}` };
    },
    nobody: `${scheme}://${NOBODY}`,
  };
}

describe("tcp", () => {
  testContract(() => setUp("tcp"));
  testStrangers(() => setUp("tcp"));
});

describe("tcp with TLS, certificates on both sides", () => {
  testContract(() => setUp("tls"));
});

test("without the certificate that the inbox asks for, no link is made", async () => {
  const { inbox } = await connect(await setUp("tls"));
  const stranger = new TcpTransport({ tls: { ca: certificate.cert } });
  const opening = stranger.openOutbox({
    endpoint: inbox.endpoint,
    topic: "from/to",
    token: "a token that is right",
    connectTimeoutMs: 300,
  });
  await expect(opening).rejects.toMatchObject({ code: "LINK_UNREACHABLE" });
});

test("a server whose certificate nobody vouches for is not spoken to", async () => {
  const { inbox } = await connect(await setUp("tls"));
  const { cert, key } = tls;
  const opening = new TcpTransport({ tls: { cert, key } }).openOutbox({
    endpoint: inbox.endpoint,
    topic: "from/to",
    token: "a token that is right",
    connectTimeoutMs: 300,
  });
  await expect(opening).rejects.toThrow("self-signed certificate");
});

test("an inbox that shall be secure needs a certificate", async () => {
  const opening = new TcpTransport().openInbox({ endpoint: "tls://127.0.0.1:0" });
  await expect(opening).rejects.toMatchObject({ code: "CONFIG_INVALID" });
});

test("an endpoint that is none is told; one that is taken, too", async () => {
  const { transport } = await setUp("tcp");
  for (const endpoint of ["", "tcp://", "tcp://127.0.0.1", "unix:/x", "tcp://127.0.0.1:99999"]) {
    await expect(transport.openInbox({ endpoint })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  }
  const inbox = await openInbox(transport, "tcp://127.0.0.1:0");
  const again = transport.openInbox({ endpoint: inbox.endpoint });
  await expect(again).rejects.toMatchObject({ code: "ADDRESS_IN_USE" });
});

test("strangers who say nothing have a limit in number, and those who are known go on", async () => {
  const { inbox, outbox, receiver } = await connect(await setUp("tcp"));
  const port = Number(new URL(inbox.endpoint).port);
  const sockets = Array.from({ length: 128 }, () => net.connect(port, "127.0.0.1"));
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const oneMore = net.connect(port, "127.0.0.1");
  oneMore.on("error", () => {});
  await once(oneMore, "close");
  expect(inbox.refusedConnections).toBe(1);
  outbox.send(Buffer.alloc(0), Buffer.alloc(4));
  await receiver.received(1);
});
