/** What a node does about its daemon: one that goes, comes back, is another, or talks nonsense. */
import { expect, onTestFinished, test } from "vitest";
import { encodeFrame } from "../../../src/runtime/protocol/frames.ts";
import { Node } from "../../../src/runtime/node/node.ts";
import { DaemonSide, nonsenseFrame } from "./daemon-side.ts";

test("a process that no daemon started is told what to do", async () => {
  const connecting = Node.connect({ environment: {} });
  await expectError(connecting, "DAEMON_UNREACHABLE", "DORA_NODE_ID is not set");
});

test("a daemon that is not there is named by its socket", async () => {
  const environment = { DORA_NODE_ID: "a", DORA_DAEMON_SOCKET: "/nonexistent/daemon.sock" };
  const connecting = Node.connect({ environment });
  await expectError(connecting, "DAEMON_UNREACHABLE", "/nonexistent/daemon.sock");
});

test("a node that the daemon refuses says why", async () => {
  const daemon = await DaemonSide.start({ a: {} });
  daemon.refusal = "protocol 1 is too old";
  const connecting = Node.connect({ environment: daemon.environment("a") });
  await expectError(connecting, "NODE_REFUSED", "protocol 1 is too old");
});

test("hello says who the node is, and shows the token it was started with", async () => {
  const { daemon } = await connect();
  const [{ library, ...hello }] = daemon.node("a").of("hello");
  expect(library).toMatch(/^dora-dataflow\/node \d+\.\d+\.\d+$/);
  expect(hello).toEqual({
    type: "hello",
    protocol: 1,
    dataflow: "flow-id",
    node: "a",
    token: "token of a",
    pid: process.pid,
  });
});

test("a dynamic node names itself and its dataflow, and shows no token", async () => {
  const daemon = await DaemonSide.start({ a: {} });
  const environment = { DORA_DAEMON_SOCKET: daemon.socketPath };
  await using node = await Node.connect({ node: "a", dataflow: "flow", environment });
  expect(node.id).toBe("a");
  expect(daemon.node("a").of("hello")[0]).toMatchObject({ dataflow: "flow", token: "" });
});

test("a node outlives its daemon: messages flow on, and what was said meanwhile is told after", async () => {
  const { daemon, node } = await connect();
  const a = daemon.node("a");
  await daemon.stop();
  await node.sendOutput("out", Buffer.from("on its way"));
  expect(await node.next()).toMatchObject({ type: "input", id: "in" });
  await daemon.listen();
  await a.until(() => a.hellos === 2 && a.of("listening").length === 2);
  const messages = (): readonly string[] =>
    a.of("log").flatMap(({ records }) => records.map(({ message }) => message));
  await a.until(() => messages().includes("the daemon was lost: it closed the connection"));
  expect(a.of("hello")[1]).toEqual(a.of("hello")[0]);
  node.tryNext();
  await a.until(() => a.hops.length === 2);
});

test("what did not fit while the daemon was away is counted, and told once it is back", async () => {
  const { daemon, node } = await connect();
  const a = daemon.node("a");
  await daemon.stop();
  for (let count = 0; count < 12; count++) {
    node.log.info("x".repeat(200_000));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  await daemon.listen();
  const losses = (): readonly unknown[] =>
    a
      .of("log")
      .flatMap(({ records }) => records)
      .filter(({ message }) => message.startsWith("telemetry of this node was lost"))
      .map(({ attributes }) => attributes?.["messages"]);
  await a.until(() => losses().length > 0);
  expect(losses()[0]).toBeGreaterThan(0);
});

test("another daemon that does not know the node ends it by a stop", async () => {
  const { daemon, node } = await connect();
  await daemon.stop();
  daemon.refusal = "there is no such dataflow";
  await daemon.listen();
  expect(await node.next()).toMatchObject({ type: "stop", reason: "daemon-lost" });
  expect(await node.next()).toBeUndefined();
});

test.each([
  ["no JSON", nonsenseFrame("{")],
  ["no object", nonsenseFrame("[]")],
  ["no type", nonsenseFrame("{}")],
  ["a list for a text", nonsenseFrame('{"type":"node-restarted","node":[]}')],
  ["a part left out", nonsenseFrame('{"type":"stop","reason":"manual"}')],
  ["a reason of no kind", nonsenseFrame('{"type":"stop","reason":"why","graceMs":1}')],
  ["half a link", nonsenseFrame('{"type":"connect","links":[{"link":"x"}]}')],
])("a message that makes no sense is told and passed over: %s", async (_, frame) => {
  const { daemon, node } = await connect();
  const a = daemon.node("a");
  a.sayBytes(frame);
  a.say({ type: "node-restarted", node: "b" });
  expect(await node.next()).toEqual({ type: "node-restarted", node: "b" });
  await a.until(() => a.of("log").length > 0);
  expect(a.of("log")[0].records[0].message).toContain("makes no sense");
});

test("a message of a type that is not known yet, and a frame of another kind, are passed over", async () => {
  const { daemon, node } = await connect();
  const a = daemon.node("a");
  a.sayBytes(nonsenseFrame('{"type":"of-later","what":1}'));
  a.sayBytes(nonsenseFrame('{"type":"toString"}'));
  a.sayBytes(encodeFrame(9, Buffer.from("?")));
  a.say({ type: "node-restarted", node: "b" });
  expect(await node.next()).toEqual({ type: "node-restarted", node: "b" });
  expect(a.of("log")).toEqual([]);
});

test("a stream that is none is left, and the connection made anew", async () => {
  const { daemon, node } = await connect();
  const a = daemon.node("a");
  a.sayBytes(Buffer.alloc(64, 0xff));
  await a.until(() => a.hellos === 2);
  a.say({ type: "node-restarted", node: "b" });
  expect(await node.next()).toEqual({ type: "node-restarted", node: "b" });
});

test("records carry their time, level, and whatever JSON can say of their attributes", async () => {
  const { daemon, node } = await connect();
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  node.log.fatal("all sorts", { big: 12n, nan: Number.NaN, cycle, none: undefined, list: [1] });
  const a = daemon.node("a");
  await a.until(() => a.of("log").length > 0);
  const [record] = a.of("log")[0].records;
  expect(record).toMatchObject({ level: "fatal", message: "all sorts" });
  expect(BigInt(record.time)).toBeGreaterThan(1_700_000_000_000_000_000n);
  expect(record.attributes).toEqual({ big: "12", nan: "NaN", cycle: "[not JSON]", list: [1] });
});

/** One node that is linked to itself. */
async function connect(): Promise<{ readonly daemon: DaemonSide; readonly node: Node }> {
  const daemon = await DaemonSide.start({ a: { inputs: { in: "a/out" }, outputs: ["out"] } });
  const node = await Node.connect({ environment: daemon.environment("a") });
  onTestFinished(() => node.close());
  return { daemon, node };
}

async function expectError(promise: Promise<unknown>, code: string, words: string): Promise<void> {
  await expect(promise).rejects.toMatchObject({ code });
  await expect(promise).rejects.toThrow(words);
}
