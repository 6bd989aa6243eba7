/** What a Python node is told, and what it tells its daemon. */
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import {
  encodeFrame,
  encodeHello,
  encodeNumbers,
  FRAME,
} from "../../../src/runtime/transports/frame.ts";
import { DaemonSide, nonsenseFrame, type NodeSide, sourceOf } from "../node/daemon-side.ts";
import { hasPython, PYTHON_HINT, startNode, startPython } from "./python-process.ts";

const SENT = 1;
const HANDLED = 2;

function records(side: NodeSide) {
  return side.of("log").flatMap((message) => message.records);
}

describe.skipIf(!hasPython)(`Python nodes and their daemon (${PYTHON_HINT})`, () => {
  test("a trace goes from a timer through two nodes; records of logging and of print are told apart", async () => {
    const daemon = await DaemonSide.start({
      source: { inputs: { tick: "timer:20" }, outputs: ["out"] },
      relay: { inputs: { in: "source/out" }, outputs: ["out"] },
    });
    const source = startNode(
      daemon,
      "source",
      `for event in node:
    if event["type"] == "INPUT":
        node.send_output("out", b"tick", {"frame": 7})
`,
    );
    const relay = startNode(
      daemon,
      "relay",
      `import logging
logging.basicConfig(level=logging.INFO)
log = logging.getLogger("xform")
for event in node:
    if event["type"] == "INPUT":
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("boom at %d", event["metadata"]["frame"], extra={"lens": "left"})
        log.debug("too fine")
        node.log("info", "relayed", "relay.target", {"k": "v"})
        node.send_output("out", bytes(event["value"]), event["metadata"])
`,
    );
    const [first, second] = [daemon.node("source"), daemon.node("relay")];
    await second.until(() => second.hops.length >= 4);
    for (const side of [first, second]) side.say({ type: "stop", reason: "manual", graceMs: 5000 });
    expect([await source.ended, await relay.ended]).toEqual([0, 0]);
    await first.until(() => !first.isConnected);
    await second.until(() => !second.isConnected);
    expect(second.of("finished")).toHaveLength(1);

    const relayed = second.hops.find(({ kind }) => kind === HANDLED);
    const sent = first.hops.find(({ spanId }) => spanId === relayed?.parentSpanId);
    const ticked = first.hops.find(({ spanId }) => spanId === sent?.parentSpanId);
    const sentOn = second.hops.find(({ parentSpanId }) => parentSpanId === relayed?.spanId);
    const traceId = relayed?.traceId;
    expect(ticked).toMatchObject({ kind: HANDLED, traceId, parentSpanId: "", payloadBytes: 0 });
    expect(sent).toMatchObject({ kind: SENT, traceId, payloadBytes: 4, port: 0 });
    expect(sentOn).toMatchObject({ kind: SENT, traceId, payloadBytes: 4, isFailed: false });
    const times = [
      sent?.startUnixNs,
      relayed?.sentUnixNs,
      relayed?.receivedUnixNs,
      relayed?.startUnixNs,
    ];
    expect(times).toEqual(times.toSorted((a, b) => Number((a ?? 0n) - (b ?? 0n))));

    const [boom, told] = records(second);
    expect(boom).toMatchObject({ level: "error", logger: "xform", message: "boom at 7", traceId });
    expect(boom.attributes).toMatchObject({ lens: "left", "exception.type": "ZeroDivisionError" });
    expect(told).toMatchObject({ level: "info", logger: "relay.target", attributes: { k: "v" } });
    expect(told.spanId).toBe(relayed?.spanId);
    expect(relay.stderr()).toBe("");
  });

  test("a handler's error marks the message as failed, ends the process, and closes no input of others", async () => {
    const daemon = await DaemonSide.start({
      crash: { inputs: { tick: "timer:1000" }, outputs: ["out"] },
    });
    const crash = startNode(
      daemon,
      "crash",
      `for event in node:\n    raise ValueError("broken lens")\n`,
    );
    expect(await crash.ended).toBe(1);
    const side = daemon.node("crash");
    await side.until(() => !side.isConnected);
    expect(side.hops).toMatchObject([{ kind: HANDLED, isFailed: true }]);
    expect(crash.stderr()).toContain("ValueError: broken lens");
    expect(side.of("finished")).toEqual([]);
    expect(side.of("outputs-closed")).toEqual([]);
  });

  test("a daemon that was lost is found again with the same hello; one that does not know the node ends it", async () => {
    const daemon = await DaemonSide.start({ node: { inputs: { tick: "timer:20" } } });
    const node = startNode(
      daemon,
      "node",
      `for event in node:
    print(event["type"], event.get("id"), flush=True)
`,
    );
    const side = daemon.node("node");
    await node.wrote("INPUT tick");
    await daemon.stop();
    await side.until(() => !side.isConnected);
    await daemon.listen();
    await side.until(() => side.hellos === 2 && side.of("listening").length === 2);
    expect(records(side).map(({ message }) => message)).toEqual([
      expect.stringContaining("the daemon was lost"),
    ]);
    daemon.refusal = "who are you?";
    await daemon.stop();
    await side.until(() => !side.isConnected);
    await daemon.listen();
    expect(await node.ended).toBe(0);
    expect(node.stdout().trimEnd().endsWith("STOP DAEMON_LOST")).toBe(true);
  });

  test("nonsense of the daemon is told and passed over", async () => {
    const daemon = await DaemonSide.start({ node: { inputs: { tick: "timer:50" } } });
    const node = startNode(daemon, "node", `for event in node:\n    print(event["type"])\n`);
    const side = daemon.node("node");
    await node.wrote("INPUT");
    for (const text of [
      "{",
      "[]",
      '{"type":"connect"}',
      '{"type":"stop","reason":7}',
      '{"type":"new"}',
      '{"type":"connect","links":[{"link":1}]}',
    ]) {
      side.sayBytes(nonsenseFrame(text));
    }
    await side.until(() => records(side).length >= 5);
    expect(
      records(side).every(({ message }) =>
        message.startsWith("the daemon said what makes no sense"),
      ),
    ).toBe(true);
    side.say({ type: "stop", reason: "manual", graceMs: 5000 });
    expect(await node.ended).toBe(0);
    expect(node.stderr()).toBe("");
  });

  test("a stranger at the inbox is turned away, and told of", async () => {
    const daemon = await DaemonSide.start({
      sender: { outputs: ["out"] },
      node: { inputs: { in: "sender/out" } },
    });
    const node = startNode(daemon, "node", `for event in node:\n    print(event["type"])\n`);
    const side = daemon.node("node");
    await side.until(() => side.of("listening").length === 1);
    const path = side.of("listening")[0].inboxes[0].address.slice("unix:".length);
    const stranger = connect(path);
    const gone = new Promise<void>((resolve) => {
      stranger.once("close", () => resolve());
    });
    stranger.resume().write("GET / HTTP/1.1\r\n\r\n");
    await gone;
    await side.until(() => records(side).length === 1);
    expect(records(side)[0].message).toBe(
      "a connection to this node was turned away: it said no hello",
    );
    side.say({ type: "stop", reason: "manual", graceMs: 100 });
    expect(await node.ended).toBe(0);
    expect(node.stderr()).toBe("");
  });

  test("a paused node gets nothing but stop; parameters, reload and failures of others are events", async () => {
    const daemon = await DaemonSide.start({
      node: { inputs: { tick: "timer:10" }, parameters: { rate: 1, old: true } },
    });
    const node = startNode(
      daemon,
      "node",
      `for event in node:
    if event["type"] != "INPUT":
        print({key: event[key] for key in sorted(event) if key != "kind"}, node.parameters, flush=True)
print("end", node.next(), node.try_recv(), node.is_empty())
`,
    );
    const side = daemon.node("node");
    await side.until(() => side.hops.length > 0);
    side.say({ type: "parameters", set: { rate: 2 }, deleted: ["old"] });
    side.say({ type: "reload" });
    side.say({ type: "node-failed", node: "camera", inputs: ["image"], message: "exit code 1" });
    side.say({ type: "node-restarted", node: "camera" });
    await node.wrote("NODE_RESTARTED");
    side.say({ type: "pause" });
    side.say({ type: "reload", operator: "not while it is paused" });
    side.say({ type: "stop", reason: "manual", graceMs: 5000 });
    expect(await node.ended).toBe(0);
    expect(node.stdout().trimEnd().split("\n")).toEqual([
      "{'deleted': ['old'], 'parameters': {'rate': 2}, 'set': {'rate': 2}, 'type': 'PARAM_UPDATE'} {'rate': 2}",
      "{'operator_id': None, 'type': 'RELOAD'} {'rate': 2}",
      "{'error': 'exit code 1', 'id': 'camera', 'inputs': ['image'], 'type': 'NODE_FAILED'} {'rate': 2}",
      "{'id': 'camera', 'type': 'NODE_RESTARTED'} {'rate': 2}",
      "{'grace': 5.0, 'id': 'MANUAL', 'type': 'STOP'} {'rate': 2}",
      "end None None True",
    ]);
  });

  test("a transport that Python does not carry is refused at the start, with what to use", async () => {
    const mqtt = { kind: "mqtt", options: {} } as const;
    const source = {
      kind: "link",
      link: "a/out->node/in",
      node: "a",
      output: "out",
      transport: mqtt,
    } as const;
    const daemon = await DaemonSide.start({ node: { inputs: { in: { source } } } });
    const node = startNode(daemon, "node", "");
    expect(await node.ended).toBe(1);
    expect(node.stderr()).toContain(
      "input in of node node: Python nodes do not carry the transport mqtt",
    );
    expect(node.stderr()).toContain("`transport: socket`");
  });

  test("without a daemon, and with one that refuses, it says so in words", async () => {
    const daemon = await DaemonSide.start({ node: {} });
    daemon.refusal = "the token is another one's";
    const refused = startNode(daemon, "node", "");
    expect(await refused.ended).toBe(1);
    expect(refused.stderr()).toContain(
      "the daemon refuses this node: the token is another one's [NODE_REFUSED]",
    );
    await daemon.stop();
    const alone = startNode(daemon, "node", "");
    expect(await alone.ended).toBe(1);
    expect(alone.stderr()).toContain("no daemon can be reached at");
    const nobody = startPython(
      daemon,
      "node",
      `import os\ndel os.environ["DORA_NODE_ID"]\nfrom dora import Node\nNode()\n`,
    );
    expect(await nobody.ended).toBe(1);
    expect(nobody.stderr()).toContain("DORA_NODE_ID is not set");
  });
});

describe.skipIf(!hasPython)(`a Python node and the bytes of others (${PYTHON_HINT})`, () => {
  /** A link's sender that says what it likes, once it was welcomed. */
  async function senderOf(side: NodeSide, ...frames: readonly Buffer[]): Promise<Buffer> {
    const path = side.of("listening")[0].inboxes[0].address.slice("unix:".length);
    const socket = connect(path);
    socket.write(encodeHello({ topic: "sender/out->node/in", token: "the flow's token" }));
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => {
      if (chunks.length === 0) for (const frame of frames) socket.write(frame);
      chunks.push(chunk);
    });
    socket.on("error", () => {});
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
    });
    return Buffer.concat(chunks);
  }

  test("headers that are none are told as events; frames in a wrong place end their connection alone", async () => {
    const daemon = await DaemonSide.start({
      sender: { outputs: ["out"] },
      node: {
        inputs: {
          in: { queueSize: 100, source: sourceOf("sender/out", "node/in") },
          // Without it the node would end with the first sender.
          tick: "timer:1000000",
        },
      },
    });
    const node = startNode(
      daemon,
      "node",
      `for event in node:
    print(event["type"], event.get("id"), event.get("error", ""), flush=True)
`,
    );
    const side = daemon.node("node");
    await side.until(() => side.of("listening").length === 1);
    side.say({ type: "start" });
    const message = (header: string): Buffer =>
      encodeFrame(FRAME.message, Buffer.from(header), Buffer.from("x"));
    const headers = [
      "",
      "{",
      "[]",
      '{"t":"1","tp":"","e":"zip"}',
      '{"t":"now","tp":"","e":"none"}',
      '{"t":"1","e":"none"}',
      '{"t":"1","tp":"","e":"none","m":7}',
      "\u0000",
      "[".repeat(60_000),
    ];
    const close = encodeFrame(FRAME.close);
    await senderOf(side, ...headers.map(message), close);
    const wrong: readonly (readonly Buffer[])[] = [
      [encodeFrame(99)],
      [encodeFrame(FRAME.part, undefined, Buffer.from("x"))],
      [encodeFrame(FRAME.hello)],
      [encodeNumbers(FRAME.large, [2 ** 32 - 1])],
      [encodeNumbers(FRAME.large, [10]), encodeNumbers(FRAME.ringPart, [0, 10])],
      [encodeFrame(FRAME.ring, Buffer.from("../../etc/passwd"), Buffer.alloc(4))],
      [Buffer.from("ffffffffffffffffffffffffffffffff", "hex")],
    ];
    for (const frames of wrong) {
      const answer = await senderOf(side, ...frames);
      expect(answer[36]).toBe(FRAME.refused);
    }
    await side.until(() => records(side).length === wrong.length);
    await senderOf(side, message(""), close);
    const inputs = (): number => node.stdout().split("INPUT in").length - 1;
    await expect.poll(inputs).toBe(2);
    side.say({ type: "stop", reason: "all-inputs-closed", graceMs: 5000 });
    expect(await node.ended).toBe(0);
    const told = node.stdout().trimEnd().split("\n");
    expect(told.filter((line) => line.startsWith("ERROR in a message was lost: "))).toHaveLength(8);
    expect(told.filter((line) => line.startsWith("INPUT in"))).toHaveLength(2);
    expect(node.stderr()).toBe("");
  });
});
