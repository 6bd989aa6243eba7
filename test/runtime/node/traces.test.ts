/** Which trace a message belongs to, and what strangers may send. */
import { expect, onTestFinished, test } from "vitest";
import type { InputEvent } from "../../../src/runtime/node/events.ts";
import { Node } from "../../../src/runtime/node/node.ts";
import type { Outbox } from "../../../src/runtime/transports/transport.ts";
import { openTransport } from "../../../src/runtime/transports/open-transport.ts";
import { DaemonSide } from "./daemon-side.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const HEADER = { t: "1767225600000000000", tp: `00-${TRACE}-${SPAN}-01`, e: "bytes" };

test("what is sent while an event is handled is its child, and a message at another time begins a trace", async () => {
  const { node, send, nextSent } = await connect();
  send({ ...HEADER, ts: "vendor=1" });
  const event = await nextInput(node);
  expect(event.traceId).toBe(TRACE);
  await node.sendOutput("out");
  const sent = await nextSent();
  expect(sent).toContain(`traceparent:00-${TRACE}-`);
  expect(sent).toContain("tracestate:vendor=1");
  expect(node.tryNext()).toBeUndefined();
  await node.sendOutput("out");
  expect(await nextSent()).not.toContain(TRACE);
});

test.each(["00", "02", "03"])("flags %s of a trace go on with it (CTX-003)", async (flags) => {
  const { node, send, nextSent } = await connect();
  send({ ...HEADER, tp: `00-${TRACE}-${SPAN}-${flags}` });
  await nextInput(node);
  await node.sendOutput("out");
  expect(await nextSent()).toMatch(new RegExp(`^traceparent:00-${TRACE}-[0-9a-f]{16}-${flags}\n`));
});

test("of several events at once, each send says which one it belongs to", async () => {
  const { node, daemon, send } = await connect();
  send(HEADER);
  const first = await nextInput(node);
  send({ ...HEADER, tp: `00-${"1".repeat(32)}-${SPAN}-01` });
  await nextInput(node);
  await node.sendOutput("out", undefined, {}, { parent: first });
  await node.close();
  const side = daemon.node("a");
  await side.until(() => !side.isConnected);
  const hop = side.hops.find(({ kind }) => kind === 1);
  expect(hop).toMatchObject({ traceId: TRACE, parentSpanId: first.spanId });
});

test("without an event, a trace context in the metadata is gone on with, as in dora-rs", async () => {
  const { node, nextSent } = await connect();
  for (const joint of ["\n", ";"]) {
    const context = `traceparent:00-${TRACE}-${SPAN}-01${joint}tracestate:a=b${joint}`;
    await node.sendOutput("out", undefined, { open_telemetry_context: context });
    expect(await nextSent()).toMatch(new RegExp(`^traceparent:00-${TRACE}-.*\ntracestate:a=b\n$`));
  }
  await node.sendOutput("out", undefined, { open_telemetry_context: "junk" });
  expect(await nextSent()).not.toContain(TRACE);
});

test.each([
  ["00-00000000000000000000000000000000-b7ad6b7169203331-01"],
  ["00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"],
  ["ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
  ["00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"],
  ["junk"],
])("a traceparent that is none begins a new trace: %s", async (tp) => {
  const { node, send } = await connect();
  send({ ...HEADER, tp });
  const event = await nextInput(node);
  expect(event.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(event.traceId).not.toMatch(/^0+$|0af7651916cd43dd/);
  expect(event.metadata).toEqual({});
});

test.each([
  ["no JSON", "{"],
  ["no object", "[]"],
  ["no time", JSON.stringify({ ...HEADER, t: "soon" })],
  ["an encoding of no kind", JSON.stringify({ ...HEADER, e: "zip" })],
  ["metadata that are none", JSON.stringify({ ...HEADER, m: { a: {} } })],
])(
  "a message that makes no sense is told as an error, and the next one comes: %s",
  async (_, head) => {
    const { node, sendBytes, send } = await connect();
    sendBytes(Buffer.from(head));
    send(HEADER);
    expect(await node.next()).toMatchObject({ type: "error", input: "in" });
    expect((await nextInput(node)).sentUnixNs).toBe(1_767_225_600_000_000_000n);
  },
);

test("a message without a header, as programs that are no nodes send it, is bytes", async () => {
  const { node, sendBytes } = await connect();
  sendBytes(Buffer.alloc(0));
  const event = await nextInput(node);
  expect(event).toMatchObject({ encoding: "bytes", topic: "x/out->a/in" });
  expect(Buffer.from(event.bytes()).toString()).toBe("payload");
  expect(event.sentUnixNs).toBe(event.receivedUnixNs);
});

interface Connected {
  readonly daemon: DaemonSide;
  readonly node: Node;
  readonly send: (header: object) => void;
  readonly sendBytes: (header: Uint8Array) => void;
  /** The trace context of the next message on the node's output. */
  readonly nextSent: () => Promise<unknown>;
}

/** A node that a stranger, who knows the token, sends to, and another node that it sends to. */
async function connect(): Promise<Connected> {
  const daemon = await DaemonSide.start({
    a: { inputs: { in: "x/out" }, outputs: ["out"] },
    b: { inputs: { in: "a/out" } },
  });
  const [node, receiver] = await Promise.all(
    ["a", "b"].map((id) => Node.connect({ environment: daemon.environment(id) })),
  );
  const [inbox] = daemon.node("a").of("listening")[0].inboxes;
  const transport = await openTransport("socket");
  const outbox: Outbox = await transport.openOutbox({
    endpoint: inbox.address,
    topic: "x/out->a/in",
    token: "the flow's token",
  });
  onTestFinished(async () => {
    await outbox.close(0);
    for (const id of ["a", "b"]) {
      daemon.node(id).say({ type: "stop", reason: "manual", graceMs: 5000 });
    }
    await Promise.all([node.close(), receiver.close()]);
  });
  const sendBytes = (header: Uint8Array): void => void outbox.send(header, Buffer.from("payload"));
  return {
    daemon,
    node,
    sendBytes,
    send: (header) => sendBytes(Buffer.from(JSON.stringify(header))),
    nextSent: async () => (await nextInput(receiver)).metadata["open_telemetry_context"],
  };
}

async function nextInput(node: Node): Promise<InputEvent> {
  const event = await node.next();
  if (event?.type !== "input") throw new Error(`${event?.type ?? "the end"} came, no input`);
  return event;
}
