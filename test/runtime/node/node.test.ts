import { onTestFinished, expect, test } from "vitest";
import { type ConnectOptions, Node } from "../../../src/runtime/node/node.ts";
import type { InputEvent, NodeEvent } from "../../../src/runtime/node/events.ts";
import type { Parameters } from "../../../src/runtime/protocol/node-messages.ts";
import { DaemonSide, type NodePlan, sourceOf } from "./daemon-side.ts";
import { ManualScheduler } from "./manual-scheduler.ts";

const MIB = 1024 * 1024;

test("messages arrive in order, with their bytes", async () => {
  const { nodes } = await connect({ a: { outputs: ["out"] }, b: { inputs: { in: "a/out" } } });
  const sending = (async () => {
    for (let number = 0; number < 1000; number++) {
      await nodes.a.sendOutput("out", Buffer.from(String(number)));
    }
    await nodes.a.close();
  })();
  const received: string[] = [];
  for await (const event of nodes.b) {
    if (event.type === "input") received.push(Buffer.from(event.bytes()).toString());
  }
  await sending;
  expect(received).toEqual(Array.from({ length: 1000 }, (_, number) => String(number)));
});

test("metadata arrives as it was sent, with the trace under dora-rs's key", async () => {
  const { nodes } = await connect({ a: { outputs: ["out"] }, b: { inputs: { in: "a/out" } } });
  const metadata = { frame: 7, name: "left 📷", ok: true, box: [1, 2.5, -3], tags: ["a", "b"] };
  await nodes.a.sendOutput("out", undefined, metadata);
  const event = await nextInput(nodes.b);
  const { open_telemetry_context: context, ...given } = event.metadata;
  expect(given).toEqual(metadata);
  expect(context).toMatch(/^traceparent:00-[0-9a-f]{32}-[0-9a-f]{16}-01\ntracestate:\n$/);
  expect(event).toMatchObject({ id: "in", encoding: "none" });
  expect(event.bytes()).toHaveLength(0);
});

test("a message of 64 MiB arrives whole", async () => {
  const { nodes } = await connect({ a: { outputs: ["out"] }, b: { inputs: { in: "a/out" } } });
  const payload = Buffer.alloc(64 * MIB, "0123456789abcdef");
  const sent = nodes.a.sendOutput("out", payload);
  const event = await nextInput(nodes.b);
  expect(payload.equals(event.bytes())).toBe(true);
  event.recycle();
  await sent;
});

test("one send goes to every link of the output", async () => {
  const { nodes } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: "a/out" } },
    c: { inputs: { first: "a/out", second: "a/out" } },
  });
  await nodes.a.sendOutput("out", Buffer.from("x"));
  const events = [await nextInput(nodes.b), await nextInput(nodes.c), await nextInput(nodes.c)];
  expect(events.map(({ id }) => id)).toEqual(["in", "first", "second"]);
});

test("inputs have their turns: a busy one does not hold up the others", async () => {
  const { nodes } = await connect({
    a: { outputs: ["busy", "rare"] },
    b: { inputs: { busy: backpressure("a/busy", "b/busy", 50), rare: "a/rare" } },
  });
  for (let number = 0; number < 40; number++) await nodes.a.sendOutput("busy");
  for (let number = 0; number < 3; number++) await nodes.a.sendOutput("rare");
  await settled(nodes.b, 43);
  const order: string[] = [];
  while (order.length < 6) order.push((await nextInput(nodes.b)).id);
  expect(order.filter((id) => id === "rare")).toHaveLength(3);
});

test("with backpressure a slow handler holds back its sender, and nothing is lost", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: backpressure("a/out", "b/in", 2) } },
  });
  let sent = 0;
  const sending = (async () => {
    for (; sent < 60; sent++) await nodes.a.sendOutput("out", Buffer.alloc(MIB, sent));
  })();
  await daemon.node("b").until(() => daemon.node("b").of("gauges").length >= 1);
  expect(sent).toBeLessThan(30);
  for (let number = 0; number < 60; number++) {
    const event = await nextInput(nodes.b);
    expect(event.bytes()[MIB - 1]).toBe(number);
  }
  await sending;
  await nodes.b.close();
  await daemon.node("b").until(() => !daemon.node("b").isConnected);
  expect(daemon.node("b").of("gauges").at(-1)?.gauges.inputs).toEqual([
    { input: "in", queued: 0, received: 60, dropped: 0 },
  ]);
});

test("without it the oldest messages of a slow handler are dropped, and the count is told", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: { queueSize: 2, source: sourceOf("a/out", "b/in") } } },
  });
  for (let number = 0; number < 50; number++) {
    await nodes.a.sendOutput("out", Buffer.of(number));
    await turn();
  }
  await nodes.a.close();
  const received: number[] = [];
  const b = daemon.node("b");
  await b.until(() => b.of("input-closed").length > 0);
  for await (const event of nodes.b) {
    if (event.type === "input") received.push(event.bytes()[0]);
  }
  expect(received).toEqual([48, 49]);
  await nodes.b.close();
  await b.until(() => !b.isConnected);
  expect(b.of("gauges").at(-1)?.gauges.inputs).toEqual([
    { input: "in", queued: 0, received: 50, dropped: 48 },
  ]);
});

test("stop comes before what waits in the queues, and is the last event", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: "a/out" } },
  });
  await nodes.a.sendOutput("out");
  await settled(nodes.b, 1);
  daemon.node("b").say({ type: "stop", reason: "manual", graceMs: 3000 });
  const events = await rest(nodes.b);
  expect(events.at(-1)).toEqual({ type: "stop", reason: "manual", graceMs: 3000 });
  expect(nodes.b.isEnded).toBe(true);
  expect(await nodes.b.next()).toBeUndefined();
});

test("a node that is stopped does not wait for receivers that are gone", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: backpressure("a/out", "b/in", 1) } },
  });
  const sending = Promise.all(
    Array.from({ length: 20 }, () => nodes.a.sendOutput("out", Buffer.alloc(MIB))),
  );
  await settled(nodes.b, 1);
  await nodes.b.close();
  daemon.node("a").say({ type: "stop", reason: "manual", graceMs: 600_000 });
  await sending;
  expect(await rest(nodes.a)).toMatchObject([{ type: "stop" }]);
  await nodes.a.close();
});

test("a node that is stopped waits half of its time for receivers that do not read", async () => {
  const scheduler = new ManualScheduler();
  const { nodes, daemon } = await connect(
    { a: { outputs: ["out"] }, b: { inputs: { in: backpressure("a/out", "b/in", 1) } } },
    { scheduler },
  );
  let sent = 0;
  const sending = (async () => {
    for (; sent < 20; sent++) await nodes.a.sendOutput("out", Buffer.alloc(MIB));
  })();
  daemon.node("a").say({ type: "stop", reason: "manual", graceMs: 1000 });
  expect((await nodes.a.next())?.type).toBe("stop");
  scheduler.advance(499);
  for (let count = 0; count < 100; count++) await turn();
  expect(sent).toBeLessThan(20);
  scheduler.advance(1);
  await sending;
});

test("a link that is told again stays as it is, and loses nothing", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: backpressure("a/out", "b/in", 10) } },
  });
  const sending = (async () => {
    for (let number = 0; number < 200; number++) {
      if (number % 20 === 0) daemon.node("a").say({ type: "connect", links: daemon.links("a") });
      await nodes.a.sendOutput("out", Buffer.alloc(100_000, number));
    }
  })();
  for (let number = 0; number < 200; number++) {
    expect((await nextInput(nodes.b)).bytes()[0]).toBe(number);
  }
  await sending;
});

test("a link that is taken away ends no input by itself: the daemon says what becomes of it", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: "a/out" } },
  });
  const a = daemon.node("a");
  const links = daemon.links("a");
  const names = links.map(({ link }) => link);
  a.say({ type: "disconnect", links: names });
  a.say({ type: "connect", links });
  a.say({ type: "disconnect", links: names });
  a.say({ type: "node-restarted", node: "b" });
  expect((await nodes.a.next())?.type).toBe("node-restarted");
  const before = a.of("gauges").length;
  await a.until(() => a.of("gauges").length >= before + 2);
  expect(a.of("gauges").at(-1)?.gauges.connections).toBe(0);
  expect(nodes.b.tryNext()).toBeUndefined();
  a.say({ type: "connect", links });
  await a.until(() => a.of("gauges").at(-1)?.gauges.connections === 1);
  await nodes.a.sendOutput("out");
  expect((await nextInput(nodes.b)).id).toBe("in");
});

test("after close the daemon has heard of the outputs' end, all hops and the node's", async () => {
  const { nodes, daemon } = await connect({ a: { outputs: ["out"] } });
  await nodes.a.sendOutput("out", Buffer.from("four"));
  await nodes.a.close();
  await nodes.a.close();
  const side = daemon.node("a");
  await side.until(() => !side.isConnected);
  const types = side.messages.map(({ type }) => type).filter((type) => type !== "gauges");
  expect(types).toEqual(["hello", "listening", "outputs-closed", "finished"]);
  expect(side.hops).toMatchObject([{ kind: 1, port: 0, payloadBytes: 4, isFailed: false }]);
  await expect(nodes.a.sendOutput("out")).rejects.toMatchObject({ code: "NODE_CLOSED" });
});

test("when all inputs have ended the node is told so, after their last messages", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { outputs: ["out"] },
    c: { inputs: { first: "a/out", second: "b/out" } },
  });
  await nodes.a.sendOutput("out");
  await nodes.a.close();
  await nodes.b.close();
  const events = await rest(nodes.c);
  const seen = events.map((event) => ("id" in event ? `${event.type} ${event.id}` : event.type));
  expect(seen.indexOf("input first")).toBeLessThan(seen.indexOf("input-closed first"));
  expect(seen.filter((text) => text.startsWith("input-closed")).sort()).toEqual([
    "input-closed first",
    "input-closed second",
  ]);
  expect(events.at(-1)).toMatchObject({ type: "stop", reason: "all-inputs-closed" });
  const c = daemon.node("c");
  await c.until(() => c.of("input-closed").length === 2);
});

test("closed outputs end the inputs they are linked to, and the others go on", async () => {
  const { nodes } = await connect({
    a: { outputs: ["one", "two"] },
    b: { inputs: { one: "a/one", two: "a/two" } },
  });
  await nodes.a.closeOutputs("one");
  expect(await nodes.b.next()).toEqual({ type: "input-closed", id: "one", reason: "ended" });
  await nodes.a.sendOutput("two");
  expect((await nextInput(nodes.b)).id).toBe("two");
  await expect(nodes.a.sendOutput("one")).rejects.toMatchObject({ code: "NODE_CLOSED" });
});

test("an input that is silent for its time-out is closed, and recovers with the next message", async () => {
  const scheduler = new ManualScheduler();
  const { nodes } = await connect(
    {
      a: { outputs: ["out"] },
      b: { inputs: { in: { source: sourceOf("a/out", "b/in"), inputTimeoutMs: 500 } } },
    },
    { scheduler },
  );
  await nodes.a.sendOutput("out");
  await nextInput(nodes.b);
  scheduler.advance(499);
  expect(nodes.b.tryNext()).toBeUndefined();
  scheduler.advance(1);
  expect(nodes.b.tryNext()).toEqual({ type: "input-closed", id: "in", reason: "timeout" });
  scheduler.advance(5000);
  expect(nodes.b.tryNext()).toBeUndefined();
  await nodes.a.sendOutput("out");
  expect(await nodes.b.next()).toEqual({ type: "input-recovered", id: "in" });
  expect((await nextInput(nodes.b)).id).toBe("in");
  scheduler.advance(500);
  expect(nodes.b.tryNext()).toMatchObject({ type: "input-closed", reason: "timeout" });
});

test("timers tick in the node, and stand still while it is paused", async () => {
  const scheduler = new ManualScheduler();
  const { nodes, daemon } = await connect({ a: { inputs: { tick: "timer:100" } } }, { scheduler });
  expect((await nextInput(nodes.a)).encoding).toBe("none");
  scheduler.advance(250);
  expect([nodes.a.tryNext()?.type, nodes.a.tryNext()?.type]).toEqual(["input", "input"]);
  daemon.node("a").say({ type: "pause" });
  daemon.node("a").say({ type: "parameters", set: { seen: true }, deleted: [] });
  await expect.poll(() => nodes.a.parameters).toEqual({ seen: true });
  scheduler.advance(1000);
  expect(nodes.a.tryNext()).toBeUndefined();
  daemon.node("a").say({ type: "resume" });
  expect((await nodes.a.next())?.type).toBe("parameters");
  expect(nodes.a.tryNext()).toBeUndefined();
  scheduler.advance(50);
  expect((await nextInput(nodes.a)).id).toBe("tick");
});

test("a paused node keeps its messages for later, and is stopped all the same", async () => {
  const { nodes, daemon } = await connect({
    a: { outputs: ["out"] },
    b: { inputs: { in: "a/out" } },
    c: { inputs: { in: "a/out" } },
  });
  for (const id of ["b", "c"]) daemon.node(id).say({ type: "pause" });
  await turnsUntil(() => nodes.b.isPaused && nodes.c.isPaused);
  await nodes.a.sendOutput("out");
  await settled(nodes.b, 1);
  await settled(nodes.c, 1);
  expect(nodes.b.tryNext()).toBeUndefined();
  daemon.node("b").say({ type: "resume" });
  expect((await nodes.b.next())?.type).toBe("input");
  daemon.node("c").say({ type: "stop", reason: "manual", graceMs: 1000 });
  expect((await nodes.c.next())?.type).toBe("stop");
});

test("what the daemon tells of other nodes and of parameters are events", async () => {
  const { nodes, daemon } = await connect({
    a: { parameters: { gain: 1, mode: "slow" }, inputs: { logs: {} } },
  });
  const side = daemon.node("a");
  expect(nodes.a.parameters).toEqual({ gain: 1, mode: "slow" });
  side.say({ type: "parameters", set: { gain: 2 }, deleted: ["mode"] });
  side.say({ type: "node-failed", node: "x", inputs: ["in"], message: "exit code 1" });
  side.say({ type: "node-restarted", node: "x" });
  side.say({ type: "reload", operator: "o" });
  side.say({ type: "logs", input: "logs", entries: ['{"message":"hello"}'] });
  const events = [];
  for (let count = 0; count < 5; count++) events.push(await nodes.a.next());
  expect(events.slice(0, 4)).toEqual([
    { type: "parameters", set: { gain: 2 }, deleted: ["mode"], parameters: { gain: 2 } },
    { type: "node-failed", node: "x", inputs: ["in"], message: "exit code 1" },
    { type: "node-restarted", node: "x" },
    { type: "reload", operator: "o" },
  ]);
  expect(nodes.a.parameters).toEqual({ gain: 2 });
  const logs = events[4];
  expect(logs?.type === "input" && Buffer.from(logs.bytes()).toString()).toBe(
    '{"message":"hello"}',
  );
});

test("an unknown output is named with the nearest that there is", async () => {
  const { nodes } = await connect({ cam: { outputs: ["image", "depth"] } });
  await expect(nodes.cam.sendOutput("imgae")).rejects.toMatchObject({
    code: "OUTPUT_UNKNOWN",
    message: 'node cam has no output "imgae"; it has image, depth, did you mean "image"?',
  });
});

test.each([
  ["NaN", { gain: Number.NaN }],
  ["an object", { gain: {} }],
  ["null", { gain: null }],
  ["a list in a list", { gain: [[1]] }],
])("metadata that cannot travel is refused by its key: %s", async (_, metadata) => {
  const { nodes } = await connect({ a: { outputs: ["out"] } });
  if (!isTakenForParameters(metadata)) throw new Error("not even an object");
  const sent = nodes.a.sendOutput("out", undefined, metadata);
  await expect(sent).rejects.toMatchObject({ code: "METADATA_INVALID" });
  await expect(sent).rejects.toThrow('"gain"');
});

test("metadata that is larger than a header may be is refused", async () => {
  const { nodes } = await connect({ a: { outputs: ["out"] } });
  const sent = nodes.a.sendOutput("out", undefined, { text: "x".repeat(70_000) });
  await expect(sent).rejects.toMatchObject({ code: "METADATA_INVALID" });
});

test("values of another type than the output's are refused, and the next good one goes", async () => {
  const { nodes } = await connect({
    a: { outputs: [{ id: "out", format: "arrow", schema: "float32" }] },
    b: { inputs: { in: "a/out" } },
  });
  await expect(nodes.a.sendOutput("out", Float64Array.of(1))).rejects.toMatchObject({
    code: "FORMAT_MISMATCH",
    message: "node a, output out: the value is float64, its schema is declared as float32",
  });
  await nodes.a.sendOutput("out", Float32Array.of(1.5, 2.5));
  const event = await nextInput(nodes.b);
  const vector = await event.arrow();
  expect([...vector]).toEqual([1.5, 2.5]);
});

test("a wait for an event ends after its time, and events go on", async () => {
  const { nodes } = await connect({ a: { outputs: ["out"] }, b: { inputs: { in: "a/out" } } });
  expect(await nodes.b.next(5)).toBeUndefined();
  expect(nodes.b.isEnded).toBe(false);
  const next = nodes.b.next();
  await expect(nodes.b.next()).rejects.toThrow("one loop at a time");
  await nodes.a.sendOutput("out");
  expect((await next)?.type).toBe("input");
});

/** All nodes of a plan, in this process. */
async function connect<Id extends string>(
  plans: Readonly<Record<Id, NodePlan>>,
  options: ConnectOptions = {},
): Promise<{ readonly daemon: DaemonSide; readonly nodes: Readonly<Record<Id, Node>> }> {
  const daemon = await DaemonSide.start(plans);
  const ids = Object.keys(plans);
  const connected = await Promise.all(
    ids.map((id) => Node.connect({ ...options, environment: daemon.environment(id) })),
  );
  onTestFinished(async () => {
    for (const id of ids) daemon.node(id).say({ type: "stop", reason: "manual", graceMs: 5000 });
    await Promise.all(connected.map((node) => node.close()));
  });
  const nodes = Object.fromEntries(connected.map((node) => [node.id, node]));
  if (!isWhole(nodes, plans)) throw new Error("a node is missing");
  return { daemon, nodes };
}

function isWhole<Id extends string>(
  nodes: Readonly<Record<string, Node>>,
  plans: Readonly<Record<Id, NodePlan>>,
): nodes is Readonly<Record<Id, Node>> {
  return Object.keys(plans).every((id) => id in nodes);
}

async function nextInput(node: Node): Promise<InputEvent> {
  const event = await node.next();
  if (event?.type !== "input") throw new Error(`${event?.type ?? "the end"} came, no input`);
  return event;
}

async function rest(node: Node): Promise<readonly NodeEvent[]> {
  const events: NodeEvent[] = [];
  for await (const event of node) events.push(event);
  return events;
}

function backpressure(source: string, target: string, queueSize: number) {
  return { queueSize, queuePolicy: "backpressure", source: sourceOf(source, target) } as const;
}

/** So many messages wait at the node. */
function settled(node: Node, count: number): Promise<void> {
  return turnsUntil(() => node.queuedCount >= count);
}

async function turnsUntil(isDone: () => boolean): Promise<void> {
  while (!isDone()) await turn();
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Whoever writes JavaScript is not stopped by a type. */
function isTakenForParameters(value: unknown): value is Parameters {
  return typeof value === "object";
}
