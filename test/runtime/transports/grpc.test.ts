import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { generate } from "selfsigned";
import { describe, expect, onTestFinished, test } from "vitest";
import { GrpcTransport } from "../../../src/runtime/transports/grpc.ts";
import { startCutProxy } from "./cut-proxy.ts";
import { numbered } from "./recording-receiver.ts";
import { type ContractSetUp, connect, testContract } from "./transport-contract.ts";

const TOKEN = "a token that is right";
const HELLO = { hello: { version: 1, topic: "from/to", token: TOKEN } };
const PROTO = fileURLToPath(new URL("../../../docs/proto/dora/v1/links.proto", import.meta.url));
const schema = protobuf.loadSync(PROTO);
const FromSender = schema.lookupType("dora.v1.FromSender");
const FromInbox = schema.lookupType("dora.v1.FromInbox");

const certificate = await generate([{ name: "commonName", value: "localhost" }], {
  extensions: [
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
  ],
});
const tls = { cert: certificate.cert, key: certificate.private, ca: certificate.cert };

async function setUp(scheme: "grpc" | "grpcs"): Promise<ContractSetUp> {
  const settings = scheme === "grpcs" ? { tls } : {};
  return {
    kind: "grpc",
    settings,
    transport: new GrpcTransport(settings),
    endpoint: async () => `${scheme}://127.0.0.1:0`,
    cuttable: async (inbox) => {
      const proxy = await startCutProxy({ host: "127.0.0.1", port: portOf(inbox.endpoint) });
      onTestFinished(() => proxy.close());
      return { ...proxy, endpoint: `${scheme}://127.0.0.1:${proxy.port}` };
    },
    nobody: `${scheme}://127.0.0.1:1`,
  };
}

/** A call by the official client, with the messages of the .proto as protobufjs reads them. */
function call(endpoint: string): ClientDuplexStream<object, protobuf.Message> {
  const client = new Client(new URL(endpoint).host, credentials.createInsecure());
  onTestFinished(() => client.close());
  const stream = client.makeBidiStreamRequest(
    "/dora.v1.Links/Open",
    (message: object) => Buffer.from(FromSender.encode(FromSender.create(message)).finish()),
    (bytes: Buffer) => FromInbox.decode(bytes),
  );
  stream.on("error", () => {});
  return stream;
}

async function statusOf(
  stream: ClientDuplexStream<object, protobuf.Message>,
): Promise<Pick<ServiceError, "code" | "details">> {
  stream.resume();
  return new Promise((resolve) => stream.once("status", resolve));
}

describe("grpc", () => {
  testContract(() => setUp("grpc"));
});

describe("grpc with TLS, certificates on both sides", () => {
  testContract(() => setUp("grpcs"));
});

test("the official client links by the published .proto, and its call ends with OK", async () => {
  const { inbox, receiver, outbox, link } = await connect(await setUp("grpc"));
  await outbox.close();
  const stream = call(inbox.endpoint);
  const answers: object[] = [];
  stream.on("data", (message: protobuf.Message) => answers.push(message.toJSON()));
  stream.write(HELLO);
  const small = { header: Buffer.from("h"), payload: Buffer.from("p") };
  stream.write({ message: small });
  stream.write({ message: {} });
  const large = randomBytes(2_000_000);
  stream.write({ large: { header: Buffer.from("l"), payloadBytes: large.length } });
  stream.write({ part: large.subarray(0, 1_999_999) });
  stream.write({ part: Buffer.alloc(0) });
  stream.write({ part: large.subarray(1_999_999) });
  stream.write({ close: {} });
  const status = await statusOf(stream);
  expect(status.code).toBe(0);
  expect(receiver.headers.map((header) => Buffer.from(header).toString())).toEqual(["h", "", "l"]);
  expect(large.equals(receiver.payloads[2])).toBe(true);
  expect(receiver.ends).toBe(2);
  // 16 bytes in base64.
  expect(JSON.stringify(answers[0])).toMatch(/^\{"welcome":\{"acceptance":"[^"]{24}"\}\}$/);
  const taken = answers.slice(1).map((answer) => JSON.stringify(answer));
  expect(taken.join("")).toContain("taken");
  expect(link.stats.receivedMessages).toBe(3);
});

const WRONG: readonly {
  readonly what: string;
  readonly messages: readonly object[];
  readonly code: number;
}[] = [
  { what: "no hello", messages: [{ message: {} }], code: 3 },
  { what: "a wrong token", messages: [{ hello: { ...HELLO.hello, token: "wrong" } }], code: 16 },
  {
    what: "an unknown topic",
    messages: [{ hello: { ...HELLO.hello, topic: "nowhere" } }],
    code: 16,
  },
  { what: "another version", messages: [{ hello: { ...HELLO.hello, version: 2 } }], code: 3 },
  { what: "an empty message", messages: [HELLO, {}], code: 3 },
  { what: "two hellos", messages: [HELLO, HELLO], code: 3 },
  { what: "a part of nothing", messages: [HELLO, { part: Buffer.alloc(1) }], code: 3 },
  {
    what: "a header over the limit",
    messages: [HELLO, { message: { header: Buffer.alloc(65_537) } }],
    code: 3,
  },
  {
    what: "a message over the limit",
    messages: [HELLO, { message: { payload: Buffer.alloc(4_300_000) } }],
    code: 3,
  },
  {
    what: "a large message over the limit",
    messages: [HELLO, { large: { payloadBytes: 268_435_457 } }],
    code: 3,
  },
  {
    what: "a message amid the parts of another",
    messages: [HELLO, { large: { payloadBytes: 9 } }, { message: {} }],
    code: 3,
  },
];

test.each(WRONG)(
  "a caller that sends $what gets status $code, and harms nobody",
  async ({ messages, code }) => {
    const { inbox, outbox, receiver } = await connect(await setUp("grpc"));
    const stream = call(inbox.endpoint);
    for (const message of messages) stream.write(message);
    expect((await statusOf(stream)).code).toBe(code);
    expect(inbox.refusedConnections).toBe(1);
    expect(receiver.count).toBe(0);
    outbox.send(Buffer.alloc(0), numbered(1));
    await expect.poll(() => receiver.count + outbox.stats.lostMessages).toBe(1);
  },
);

test("a wrong token and an unknown topic are refused in the same words", async () => {
  const { inbox, transport } = await connect(await setUp("grpc"));
  const { endpoint } = inbox;
  const open = async (topic: string, token: string): Promise<string> =>
    transport.openOutbox({ endpoint, topic, token }).then(
      () => "opened",
      (error: unknown) => String(error).replace(/from\/to|nowhere/, "TOPIC"),
    );
  const words = await open("from/to", "wrong");
  expect(words).toContain("refuses TOPIC: no link of this topic and token arrives here");
  expect(await open("nowhere", TOKEN)).toBe(words);
});

test("other protocols, paths, methods and bytes that are no gRPC are turned away", async () => {
  const { inbox, outbox, receiver } = await connect(await setUp("grpc"));
  const port = portOf(inbox.endpoint);
  const raw = net.connect(port, "127.0.0.1");
  raw.on("error", () => {});
  raw.resume();
  raw.write("GET / HTTP/1.1\r\nhost: here\r\n\r\n");
  await once(raw, "close");
  await expect.poll(() => inbox.refusedConnections).toBe(1);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  onTestFinished(() => session.destroy());
  const ask = async (
    headers: http2.OutgoingHttpHeaders,
    body?: Buffer,
  ): Promise<http2.IncomingHttpHeaders> => {
    const stream = session.request(headers);
    const ends: http2.IncomingHttpHeaders = {};
    stream.on("error", () => {});
    stream.on("response", (answer) => void Object.assign(ends, answer));
    stream.on("trailers", (answer) => void Object.assign(ends, answer));
    stream.resume();
    stream.end(body);
    await once(stream, "close");
    return ends;
  };
  const grpc = { ":method": "POST", "content-type": "application/grpc" };
  expect(await ask({ ":path": "/" })).toMatchObject({ ":status": 415 });
  expect(await ask({ ...grpc, ":path": "/x/Y" })).toMatchObject({ "grpc-status": "12" });
  const path = { ...grpc, ":path": "/dora.v1.Links/Open" };
  for (const body of [
    Buffer.from([1, 0, 0, 0, 0]),
    Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]),
    Buffer.from([0, 255, 0, 0, 0]),
  ]) {
    expect(await ask(path, body)).toMatchObject({ "grpc-status": "3" });
  }
  expect(inbox.refusedConnections).toBe(6);
  outbox.send(Buffer.alloc(0), numbered(1));
  await receiver.received(1);
});

function portOf(endpoint: string): number {
  return Number(new URL(endpoint).port);
}
