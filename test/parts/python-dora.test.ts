/** dora-rs's own Python programs, unchanged, and Arrow values between Python and JavaScript, beneath our daemon. */
import { cpSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { findPart } from "../../scripts/parts/part.ts";
import { openDaemon, type TestDaemon } from "../runtime/daemon/daemon-harness.ts";

const pandas = findPart("pandas");
const LIBRARY = new URL("../../src/runtime/node/index.ts", import.meta.url).href;
/** As they ran under dora-rs. */
const FLOWS = fileURLToPath(new URL("../fixtures/dora-rs", import.meta.url));

async function startFile(it: TestDaemon, folder: string, file: string): Promise<string> {
  cpSync(join(FLOWS, folder), it.folder, { recursive: true });
  return it.start(readFileSync(join(it.folder, file), "utf8"));
}

async function ended(it: TestDaemon, id: string): Promise<string> {
  await it.until(() => ["completed", "failed", "stopped"].includes(it.status(id).state));
  return it.status(id).state;
}

describe.skipIf(pandas.path === undefined)(`Python nodes with pyarrow (${pandas.hint})`, () => {
  beforeEach(() => {
    vi.stubEnv("PATH", [dirname(pandas.path ?? ""), process.env["PATH"]].join(delimiter));
    return () => vi.unstubAllEnvs();
  });

  describe("flows of dora-rs", () => {
    test.each(["flow.yml", "flow2.yml", "flow3.yml", "flow4.yml"])(
      "%s runs unchanged",
      async (file) => {
        const it = await openDaemon();
        const id = await startFile(it, "dataflow", file);
        // The slow one's sink prints its second line only after 20 s.
        const isSeen = file === "flow4.yml" ? /sink out/ : /sink out \[(?!0,)/;
        await it.until(
          () =>
            isSeen.test(it.telemetry.output("sink")) &&
            it.telemetry.output("transform").includes("stderr line é ☃ at 7\n") &&
            it.telemetry.nodeLogs.includes("node.log_warn call"),
        );
        await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 5000, force: false });
        expect(await ended(it, id)).toBe("stopped");
        const source = it.telemetry.output("source");
        expect(source).toMatch(/^source: ready\nsource: plain print seq=0\n/);
        expect(source).toContain("source: STOP");
        expect(it.telemetry.output("transform")).toContain('"kind": "\'dora\'"');
        expect(it.telemetry.output("transform")).toContain("stderr line é ☃ at 7\n");
        expect(it.telemetry.output("sink")).toMatch(
          /^sink out \[0, 0, 0\] \{'seq': '0', 't': '\d+'/,
        );
        const logged = [
          "node.log info seq=0",
          "processed 1",
          "error at 3",
          "boom at 4",
          "node.log_warn call",
        ];
        expect(it.telemetry.nodeLogs).toEqual(expect.arrayContaining(logged));
      },
    );

    test("its benchmark runs unchanged, and nothing is lost", async () => {
      const it = await openDaemon();
      const id = await startFile(it, "bench", "bench_gap.yml");
      expect(await ended(it, id)).toBe("completed");
      const report = it.telemetry.output("receiver");
      expect(report.match(/^LAT .*/gm)).toHaveLength(4);
      for (const [size, count] of [
        [8, 20_000],
        [4096, 20_000],
        [400_000, 3000],
        [4_000_000, 500],
      ]) {
        expect(report).toContain(`THR size=${size} received=${count}/${count} `);
        expect(report).toContain(`GAP size=${size} first=0 last=${count - 1} ngaps=0 lost=0 `);
      }
    });
  });

  test("values of every kind go to JavaScript and come back as they were", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `import numpy as np
import pyarrow as pa
from dora import Node

VALUES = [
    pa.array([1, 2, 3], pa.uint8()),
    pa.array([], pa.uint8()),
    pa.array([1.5, -2.5], pa.float32()),
    pa.array([1, None, 3], pa.int64()),
    pa.array([True, False, None]),
    pa.array(["a", None, "größer 😀"]),
    pa.array([[1, 2], [], None], pa.list_(pa.int32())),
    pa.array([{"x": 1.0, "name": "left"}, {"x": 2.0, "name": None}]),
    pa.array(range(100), pa.int16())[10:20],
    pa.array([0, 1, 2, 3], pa.uint8())[1:3],
    pa.chunked_array([[1, 2], [3]]),
    pa.table({"x": [1, 2], "y": ["a", "b"]}),
    np.arange(5, dtype=np.float64),
    np.arange(1_000_000, dtype=np.int32),
    np.zeros(300_000, dtype=np.uint8),
    b"bytes",
    None,
]
if __name__ == "__main__":
    node = Node()
    for index, value in enumerate(VALUES):
        node.send_output(f"v{index}", value, {"i": index, "n": np.int64(7)})
`,
    );
    it.file(
      "mirror.mjs",
      `import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const value = event.encoding === "none" ? undefined : await event.arrow();
  await node.sendOutput(event.id, value, event.metadata);
}`,
    );
    it.file(
      "receiver.py",
      `import numpy as np
import pyarrow as pa
from dora import Node
from sender import VALUES

def expected(value):
    if value is None:
        return pa.nulls(0)
    if isinstance(value, bytes):
        return pa.array(list(value), pa.uint8())
    if isinstance(value, np.ndarray):
        return pa.array(value)
    if isinstance(value, pa.Table):
        return value.to_struct_array().combine_chunks()
    return pa.concat_arrays(value.chunks) if isinstance(value, pa.ChunkedArray) else value

seen = {"direct": set(), "mirrored": set()}
for event in Node():
    if event["type"] != "INPUT":
        continue
    way, index = event["id"].split("_")
    wanted, found = expected(VALUES[int(index)]), event["value"]
    assert isinstance(found, pa.Array) and event["metadata"]["n"] == 7
    assert found.to_pylist() == wanted.to_pylist(), (event["id"], found, wanted)
    assert way == "mirrored" or found.type == wanted.type, (event["id"], found.type, wanted.type)
    found.validate(full=True)
    seen[way].add(int(index))
for way, indexes in seen.items():
    print(way, sorted(set(range(len(VALUES))) - indexes))
`,
    );
    const ids = Array.from({ length: 17 }, (_, index) => `v${index}`);
    const input = (source: string): string => `{ source: ${source}, queue_policy: backpressure }`;
    const id = await it.start(`
nodes:
  - { id: sender, path: sender.py, outputs: [${ids.join(", ")}] }
  - id: mirror
    path: mirror.mjs
    inputs: { ${ids.map((each) => `${each}: ${input(`sender/${each}`)}`).join(", ")} }
    outputs: [${ids.join(", ")}]
  - id: receiver
    path: receiver.py
    inputs: { ${ids.flatMap((each, index) => [`direct_${index}: ${input(`sender/${each}`)}`, `mirrored_${index}: ${input(`mirror/${each}`)}`]).join(", ")} }
`);
    expect(await ended(it, id)).toBe("completed");
    expect(it.telemetry.output("receiver")).toBe("direct []\nmirrored []\n");
  });

  test("an output keeps its schema, declared or taken from the first message", async () => {
    const it = await openDaemon();
    it.file(
      "node.py",
      `import pyarrow as pa
from dora import DoraError, Node
node = Node()
for output, value in [
    ("free", pa.array([1.0])), ("free", pa.array([2.0])), ("free", pa.array(["text"])),
    ("points", pa.array([{"x": 1.0}])), ("points", pa.array([{"x": 1.0, "y": 2.0}])), ("points", b"x"),
]:
    try:
        node.send_output(output, value)
        print("sent")
    except DoraError as error:
        print(error)
`,
    );
    const id = await it.start(`
nodes:
  - id: node
    path: node.py
    outputs: [free, { id: points, schema: { x: float64, y: double } }]
`);
    expect(await ended(it, id)).toBe("completed");
    expect(it.telemetry.output("node").trimEnd().split("\n")).toEqual([
      "sent",
      "sent",
      "node node, output free: the value is utf8, the first message had float64 [FORMAT_MISMATCH]",
      'node node, output points: field "y" is missing, its schema is declared as double [FORMAT_MISMATCH]',
      "sent",
      "node node, output points: the value is uint8, its schema is declared as struct<x: float64, y: double> [FORMAT_MISMATCH]",
    ]);
  });

  test("a value that a handler keeps stays as it is, however many follow", async () => {
    const it = await openDaemon();
    it.file(
      "sender.py",
      `from dora import Node
node = Node()
for i in range(60):
    node.send_output("out", bytes([i]) * 1_000_000)
`,
    );
    it.file(
      "receiver.py",
      `from dora import Node
kept = []
for event in Node():
    if event["type"] == "INPUT":
        value = event["value"]
        assert value[0].as_py() == value[999_999].as_py()
        i = value[0].as_py()
        if i % 3 == 0:
            kept.append((i, value.slice(10, 1000)))
        elif i % 3 == 1:
            kept.append((i, value.to_numpy()[500_000:]))
        del event, value
print(all(set(part.tolist() if hasattr(part, "tolist") else part.to_pylist()) == {i} for i, part in kept), len(kept))
`,
    );
    const id = await it.start(`
nodes:
  - { id: sender, path: sender.py, outputs: [out] }
  - { id: receiver, path: receiver.py, inputs: { in: { source: sender/out, queue_policy: backpressure } } }
`);
    expect(await ended(it, id)).toBe("completed");
    expect(it.telemetry.output("receiver")).toBe("True 40\n");
  });
});
