/** Python nodes beneath the real daemon: what needs no pyarrow. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { openDaemon, type TestDaemon } from "../daemon/daemon-harness.ts";

const hasPython =
  spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 8))"]).status === 0;
const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url).href;

async function run(it: TestDaemon, text: string): Promise<string> {
  const id = await it.start(text);
  await it.until(() => ["completed", "failed"].includes(it.status(id).state));
  return id;
}

describe.skipIf(!hasPython)("a Python node (needs python3, 3.8 or later)", () => {
  test("sends bytes of every size to Python and JavaScript, and receives them whole and in order", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `from dora import Node
node = Node()
for size in [0, 1, 8, 65519, 65536, 131071, 131072, 300_000, 5_000_000, 5_000_001, 9]:
    node.send_output("out", bytes([size % 251]) * size, {"size": size, "tags": ["a", "b"], "half": 0.5, "ok": True})
`,
    );
    it.file(
      "receiver.py",
      `from dora import Node
node = Node()
for event in node:
    if event["type"] == "INPUT":
        data, metadata = event["value"], event["metadata"]
        size = metadata["size"]
        assert bytes(data) == bytes([size % 251]) * size, size
        assert metadata["tags"] == ["a", "b"] and metadata["half"] == 0.5 and metadata["ok"] is True
        print("got", size)
    else:
        print(event["type"], event["id"])
`,
    );
    it.file(
      "receiver.mjs",
      `import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const size = event.metadata.size;
  console.log("got", event.bytes().every((byte) => byte === size % 251) ? event.bytes().length : "garbage");
}`,
    );
    const id = await run(
      it,
      `
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - { id: python, path: receiver.py, inputs: { in: { source: sender/out, queue_policy: backpressure } } }
  - { id: javascript, path: receiver.mjs, inputs: { in: { source: sender/out, queue_policy: backpressure } } }
`,
    );
    const got = [0, 1, 8, 65519, 65536, 131071, 131072, 300_000, 5_000_000, 5_000_001, 9].map(
      (size) => `got ${size}`,
    );
    expect(it.telemetry.output("python").split("\n")).toEqual([
      ...got,
      "INPUT_CLOSED in",
      "STOP ALL_INPUTS_CLOSED",
      "",
    ]);
    expect(it.telemetry.output("javascript").split("\n")).toEqual([...got, ""]);
    expect(it.status(id).state).toBe("completed");
    expect(it.telemetry.hopBytes).toBe(88 * 33);
  });
});
