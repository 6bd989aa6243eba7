/** Python nodes beneath the real daemon: queues, transports, the end. */
import { describe, expect, test } from "vitest";
import { openDaemon, type TestDaemon } from "../daemon/daemon-harness.ts";
import { hasPython, PYTHON_HINT } from "./python-process.ts";

const RECEIVER = `import time
from dora import Node
node = Node()
for event in node:
    if event["type"] == "INPUT":
        print(event["metadata"]["i"], len(event["value"]))
        time.sleep(0.002)
    else:
        print(event["type"], event["id"])
`;

const sender = (count: number, size: number): string => `from dora import Node
node = Node()
for i in range(${count}):
    node.send_output("out", bytes(${size}), {"i": i})
`;

async function lines(it: TestDaemon, text: string, node: string): Promise<readonly string[]> {
  const id = await it.start(text);
  await it.until(() => ["completed", "failed"].includes(it.status(id).state));
  expect(it.status(id).state).toBe("completed");
  return it.telemetry.output(node).trimEnd().split("\n");
}

const END = ["INPUT_CLOSED in", "STOP ALL_INPUTS_CLOSED"];

describe.skipIf(!hasPython)(`Python nodes in a dataflow (${PYTHON_HINT})`, () => {
  test.each([
    ["socket", 8, 2000],
    ["socket", 300_000, 60],
    ["tcp", 8, 2000],
    ["tcp", 300_000, 60],
  ])(
    "over %s, messages of %d bytes wait for a slow receiver with backpressure",
    async (transport, size, count) => {
      const it = await openDaemon();
      it.file("sender.py", sender(count, size));
      it.file("receiver.py", RECEIVER.replace("0.002", size === 8 ? "0.0001" : "0.002"));
      const text = `
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - id: receiver
    path: receiver.py
    inputs: { in: { source: sender/out, queue_size: 2, queue_policy: backpressure, transport: ${transport} } }
`;
      const expected = Array.from({ length: count }, (_, i) => `${i} ${size}`);
      expect(await lines(it, text, "receiver")).toEqual([...expected, ...END]);
    },
  );

  test("a sender is held back: it is ahead by what lies on the way, and no more", async () => {
    const it = await openDaemon();
    it.file("sender.py", `import time\n${sender(60, 300_000)}print(time.time_ns())\n`);
    it.file(
      "receiver.py",
      `import time
from dora import Node
for event in Node():
    if event["type"] == "INPUT":
        if event["metadata"]["i"] == 35:
            print(time.time_ns())
        time.sleep(0.005)
`,
    );
    const text = `
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - id: receiver
    path: receiver.py
    inputs: { in: { source: sender/out, queue_size: 2, queue_policy: backpressure } }
`;
    const [handled] = await lines(it, text, "receiver");
    expect(BigInt(it.telemetry.output("sender").trim())).toBeGreaterThan(BigInt(handled));
  });

  test("a slow receiver loses the oldest messages, and they are counted", async () => {
    const it = await openDaemon();
    it.file("sender.py", sender(500, 8).replace("node = Node()\n", "import time\nnode = Node()\n"));
    it.file("receiver.py", RECEIVER.replace("0.002", "0.05"));
    const text = `
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - { id: receiver, path: receiver.py, inputs: { in: { source: sender/out, queue_size: 5 } } }
`;
    const got = await lines(it, text, "receiver");
    const indexes = got.slice(0, -2).map((line) => Number(line.split(" ")[0]));
    expect(got.slice(-2)).toEqual(END);
    expect(indexes).toEqual(indexes.toSorted((a, b) => a - b));
    expect(indexes.length).toBeLessThan(100);
    expect(indexes.slice(-5)).toEqual([495, 496, 497, 498, 499]);
  });

  test("an input that falls silent is closed, and comes back", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `import time
from dora import Node
node = Node()
node.send_output("out", b"1")
time.sleep(0.6)
node.send_output("out", b"2")
`,
    );
    it.file(
      "receiver.py",
      `from dora import Node
for event in Node():
    print(event["type"], event["id"], event.get("reason", ""))
`,
    );
    const text = `
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - { id: receiver, path: receiver.py, inputs: { in: { source: sender/out, input_timeout: 0.2 } } }
`;
    expect(await lines(it, text, "receiver")).toEqual([
      "INPUT in ",
      "INPUT_CLOSED in timeout",
      "INPUT_RECOVERED in ",
      "INPUT in ",
      "INPUT_CLOSED in ended",
      "STOP ALL_INPUTS_CLOSED",
    ]);
  });

  test("a receiver that was killed and started again gets messages again", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `from dora import Node
node = Node()
for event in node:
    if event["type"] == "INPUT":
        node.send_output("out", b"x")
    elif event["type"] == "STOP":
        print("stopped", event["id"])
`,
    );
    it.file(
      "fragile.py",
      `import os
from dora import Node
node = Node()
for event in node:
    if event["type"] == "INPUT":
        node.log("info", f"pid {os.getpid()}")
        os.kill(os.getpid(), 9)
`,
    );
    const id = await it.start(`
nodes:
  - { id: sender, path: sender.py, inputs: { tick: dora/timer/millis/20 }, outputs: [out] }
  - id: fragile
    path: fragile.py
    inputs: { in: sender/out }
    restart_policy: always
    restart_delay: 0.01
`);
    await it.until(() => new Set(it.telemetry.nodeLogs).size >= 3);
    expect(it.node(id, "sender").state).toBe("running");
    await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 5000, force: false });
    await it.until(() => it.node(id, "sender").state === "stopped");
    expect(it.telemetry.output("sender")).toBe("stopped MANUAL\n");
  });

  test("a sender whose receiver takes nothing ends within the grace when the dataflow stops", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `from dora import Node
node = Node()
event = None
while event is None or event["type"] != "STOP":
    node.send_output("out", bytes(100_000))
    event = node.try_recv()
`,
    );
    it.file(
      "receiver.py",
      `import time\nfrom dora import Node\nnode = Node()\nprint(node.next()["type"])\ntime.sleep(1000)\n`,
    );
    const id = await it.start(`
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - { id: receiver, path: receiver.py, inputs: { in: { source: sender/out, queue_policy: backpressure } } }
`);
    await it.until(() => it.telemetry.output("receiver") === "INPUT\n");
    await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 4000, force: false });
    await it.until(() => it.status(id).state === "stopped" || it.status(id).state === "failed");
    expect(it.node(id, "sender").end?.message).toBe("exit code 0");
  });

  test("events are taken by asyncio, with a time-out, or as many as are there", async () => {
    const it = await openDaemon();
    it.file(
      "node.py",
      `import asyncio
from dora import DoraError, Node

node = Node()

async def main():
    first = await node.recv_async()
    print(first["type"], first["id"], first.get("value") is not None)
    try:
        await node.recv_async(timeout=0.05)
    except asyncio.TimeoutError:
        print("timed out", node.is_empty(), node.next(timeout=0.01), node.try_recv())
    await asyncio.sleep(1.0)
    print([event["id"] for event in node.drain()], node.drain())

asyncio.run(main())
for bad, value, metadata in [("none", b"", None), ("out", "text", None), ("out", b"", {"when": object()}), ("out", b"", {"nan": float("nan")}), ("out", b"", {"long": "x" * 70000})]:
    try:
        node.send_output(bad, value, metadata)
    except DoraError as error:
        print(error.code)
node.close_outputs("out")
try:
    node.send_output("out", b"late")
except DoraError as error:
    print(error.code)
print(node.id, node.node_config()["inputs"]["tick"], node.dataflow_descriptor()["name"], len(node.dataflow_id()))
`,
    );
    const text = `
nodes:
  - { id: node, path: node.py, inputs: { tick: dora/timer/millis/700 }, outputs: [out] }
`;
    expect(await lines(it, text, "node")).toEqual([
      "INPUT tick True",
      "timed out True None None",
      "['tick'] []",
      "OUTPUT_UNKNOWN",
      "VALUE_UNSUPPORTED",
      "METADATA_INVALID",
      "METADATA_INVALID",
      "METADATA_INVALID",
      "NODE_CLOSED",
      "node {'source': 'dora/timer/nanos/700000000', 'queue_size': 10, 'queue_policy': 'drop_oldest'} flow 36",
    ]);
  });
});
