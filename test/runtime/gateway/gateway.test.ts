/** The gateway as a process without our library meets it: real daemon, real processes, real gRPC and WebSocket. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { openDaemon, type TestDaemon } from "../daemon/daemon-harness.ts";

const LIBRARY = fileURLToPath(new URL("../../../src/runtime/node/index.ts", import.meta.url));
const FOREIGN = fileURLToPath(new URL("foreign-node.ts", import.meta.url));

/** Sends so many messages of so many bytes, numbered, and ends. */
const SOURCE = `
import { createHash } from "node:crypto";
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for (let count = 0; count < Number(process.env.COUNT); count++) {
  const bytes = new Uint8Array(Number(process.env.BYTES)).fill(count + 1);
  console.log(JSON.stringify({ sha: createHash("sha256").update(bytes).digest("hex").slice(0, 16) }));
  await node.sendOutput("out", bytes, { count });
}
`;

/** Says what it gets. */
const SINK = `
import { createHash } from "node:crypto";
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") { console.log(JSON.stringify({ type: event.type })); continue; }
  const { count, open_telemetry_context: context } = event.metadata;
  const bytes = event.bytes();
  console.log(JSON.stringify({ count, context, bytes: bytes.length, sha: createHash("sha256").update(bytes).digest("hex").slice(0, 16) }));
}
`;

interface Line {
  readonly [key: string]: any;
}

/** source ─► foreign ─► sink */
async function startChain(
  it: TestDaemon,
  options: { mode: string; args?: string; count: number; bytes: number; extra?: string },
): Promise<string> {
  it.file("source.ts", SOURCE);
  it.file("sink.ts", SINK);
  return it.start(`
nodes:
  - id: source
    path: source.ts
    outputs: [out]
    env: { COUNT: "${options.count}", BYTES: "${options.bytes}" }
  - id: foreign
    path: ${FOREIGN}
    args: ${options.mode} ${options.args ?? ""}
    inputs: { in: { source: source/out, queue_size: 10, queue_policy: backpressure } }
    outputs: [out]
    ${options.extra ?? ""}
  - id: sink
    path: sink.ts
    inputs: { in: { source: foreign/out, queue_size: 10, queue_policy: backpressure } }
`);
}

function lines(it: TestDaemon, node: string): Line[] {
  return it.telemetry
    .output(node)
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Line => JSON.parse(line));
}

describe.each(["grpc", "websocket"])("over %s", (mode) => {
  test.each([1, 16])(
    "messages pass in order, with their metadata and trace; window %d",
    async (window) => {
      const it = await openDaemon();
      const id = await startChain(it, { mode, args: String(window), count: 200, bytes: 100 });
      const { state, nodes } = await it.daemon.ended(id);
      expect(nodes.map(({ end }) => end?.lastStderr)).toEqual([[], [], []]);
      expect(state).toBe("completed");
      const arrived = lines(it, "sink").filter((line) => line["count"] !== undefined);
      expect(arrived.map(({ count }) => count)).toEqual(Array.from({ length: 200 }, (_, at) => at));
      expect(arrived.map(({ sha }) => sha)).toEqual(lines(it, "source").map(({ sha }) => sha));
      // One trace: of the source's send, of the handling, of the send that followed.
      const taken = lines(it, "foreign").filter((line) => line["event"] !== undefined);
      const traces = taken.map(({ traceparent }) => traceparent.slice(3, 35));
      expect(new Set(traces).size).toBe(200);
      expect(arrived.map(({ context }) => context.slice(15, 47))).toEqual(traces);
      expect(it.telemetry.nodeLogs).toContain("took 200");
      // 200 sends of the source, 200 handled and 200 sent here, 200 handled by the sink.
      expect(it.telemetry.hopBytes).toBe(800 * 88);
    },
  );

  test("64 MiB pass in parts", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode, count: 2, bytes: 64 * 1024 * 1024 });
    const { state } = await it.daemon.ended(id);
    expect(state).toBe("completed");
    const [first] = lines(it, "foreign").filter((line) => line["event"] !== undefined);
    expect(first?.["parts"]).toBe(22);
    const arrived = lines(it, "sink").filter((line) => line["count"] !== undefined);
    expect(arrived.map(({ sha }) => sha)).toEqual(lines(it, "source").map(({ sha }) => sha));
  }, 60_000);
});

describe("the gateway", () => {
  test("single calls are answered, and what cannot be done is refused in words", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "tasks", args: "3", count: 0, bytes: 0 });
    await it.daemon.ended(id);
    expect(it.node(id, "foreign").end?.lastStderr).toEqual([]);
    expect(lines(it, "foreign")).toMatchInlineSnapshot(`
      [
        {
          "sent": "1",
        },
        {
          "sent": "2",
        },
        {
          "sent": "3",
        },
        {
          "code": 5,
          "details": "node foreign has no output "ouf"; it has out, did you mean "out"?",
        },
        {
          "code": 3,
          "details": "metadata.deep: Invalid input",
        },
        {
          "code": 3,
          "details": "the payload is no Arrow stream: Expected to read 1931505518 metadata bytes, but only read 5.",
        },
        {
          "code": 8,
          "details": "Received message larger than max (67633162 vs 67371008)",
        },
        {
          "details": "the daemon refuses this node: dataflow such does not run here",
          "stranger": 16,
        },
        {
          "update": "welcome",
          "welcome": {
            "dataflowId": "01900000-0000-7000-8000-000028856005",
            "dataflowName": "flow",
            "inputs": [
              "in",
            ],
            "nodeId": "foreign",
            "nodeName": "foreign",
            "outputs": [
              "out",
            ],
            "parameters": {},
          },
        },
        {
          "inputClosed": {
            "id": "in",
            "reason": "ended",
          },
          "update": "inputClosed",
        },
        {
          "stop": {
            "graceMs": 0,
            "reason": "all-inputs-closed",
          },
          "update": "stop",
        },
        {
          "afterwards": 9,
        },
      ]
    `);
    expect(lines(it, "sink").filter(({ bytes }) => bytes === 1)).toHaveLength(3);
  }, 60_000);

  test("requests that make no sense end the stream before the hello, and are told after it", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "garbage", count: 0, bytes: 0 });
    await it.daemon.ended(id);
    expect(lines(it, "foreign")).toMatchInlineSnapshot();
  });

  test("a process that dies is started again, and goes on with what waits", async () => {
    const it = await openDaemon();
    const extra = "restart_policy: on-failure";
    const args = `${it.folder}/died`;
    const id = await startChain(it, { mode: "dies", args, count: 30, bytes: 10, extra });
    const { state } = await it.daemon.ended(id);
    expect(state).toBe("completed");
    expect(it.node(id, "foreign").restarts).toBe(1);
    const counts = lines(it, "sink").flatMap(({ count }) => (count === undefined ? [] : [count]));
    expect(counts).toEqual(counts.toSorted((left, right) => left - right));
    expect(counts.at(-1)).toBe(29);
  });

  test("a second stream takes the first one's place", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "twice", count: 5, bytes: 10 });
    const { state } = await it.daemon.ended(id);
    expect(state).toBe("completed");
    expect(lines(it, "sink").filter(({ count }) => count !== undefined)).not.toHaveLength(0);
  });

  test("a stop is told, and the process finishes by itself", async () => {
    const it = await openDaemon();
    it.file("sink.ts", SINK);
    const id = await it.start(`
nodes:
  - id: foreign
    path: ${FOREIGN}
    args: grpc
    inputs: { tick: dora/timer/millis/10 }
    outputs: [out]
  - id: sink
    path: sink.ts
    inputs: { in: foreign/out }
`);
    await it.until(() => lines(it, "sink").length > 3);
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("stopped");
    expect(nodes.map(({ end }) => end?.message)).toEqual(["exit code 0", "exit code 0"]);
    expect(lines(it, "foreign").find(({ stop }) => stop)).toEqual({
      update: "stop",
      stop: { reason: "manual", graceMs: 10_000 },
    });
  });
});
