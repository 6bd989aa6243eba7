/** The gateway as a process without our library meets it: real daemon, real processes, real gRPC and WebSocket. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { openDaemon, type TestDaemon } from "../daemon/daemon-harness.ts";

const LIBRARY = fileURLToPath(new URL("../../../src/runtime/node/index.ts", import.meta.url));
const FOREIGN = fileURLToPath(new URL("foreign-node.mjs", import.meta.url));

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

/** Of all that these processes print, those fields that are looked at. */
const LineSchema = z.object({
  type: z.string().optional(),
  count: z.number().optional(),
  context: z.string().optional(),
  sha: z.string().optional(),
  bytes: z.number().optional(),
  event: z.string().optional(),
  parts: z.number().optional(),
  traceparent: z.string().optional(),
  stop: z.object({ reason: z.string(), graceMs: z.number() }).optional(),
});
type Line = z.infer<typeof LineSchema>;

/** source ─► foreign ─► sink */
async function startChain(
  it: TestDaemon,
  options: { mode: string; args?: string; count: number; bytes: number },
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
  - id: sink
    path: sink.ts
    inputs: { in: { source: foreign/out, queue_size: 10, queue_policy: backpressure } }
`);
}

/** Lines of JSON that a node has printed. */
function printed(it: TestDaemon, node: string): readonly string[] {
  return it.telemetry
    .output(node)
    .split("\n")
    .filter((line) => line.startsWith("{"));
}

function lines(it: TestDaemon, node: string): readonly Line[] {
  return printed(it, node).map((text) => LineSchema.parse(JSON.parse(text)));
}

function expectEach(said: readonly string[], patterns: readonly RegExp[]): void {
  expect(said).toHaveLength(patterns.length);
  for (const [index, pattern] of patterns.entries()) expect(said[index]).toMatch(pattern);
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
      const arrived = lines(it, "sink").filter((line) => line.count !== undefined);
      expect(arrived.map(({ count }) => count)).toEqual(Array.from({ length: 200 }, (_, at) => at));
      expect(arrived.map(({ sha }) => sha)).toEqual(lines(it, "source").map(({ sha }) => sha));
      // One trace: of the source's send, of the handling, of the send that followed.
      const taken = lines(it, "foreign").filter((line) => line.event !== undefined);
      const traces = taken.map(({ traceparent }) => traceparent?.slice(3, 35));
      expect(new Set(traces).size).toBe(200);
      expect(arrived.map(({ context }) => context?.slice(15, 47))).toEqual(traces);
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
    const first = lines(it, "foreign").find((line) => line.event !== undefined);
    expect(first?.parts).toBe(22);
    const arrived = lines(it, "sink").filter((line) => line.count !== undefined);
    expect(arrived.map(({ sha }) => sha)).toEqual(lines(it, "source").map(({ sha }) => sha));
  }, 60_000);
});

describe("the gateway", () => {
  test("single calls are answered, and what cannot be done is refused in words", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "tasks", args: "3", count: 0, bytes: 0 });
    await it.daemon.ended(id);
    expect(it.node(id, "foreign").end?.lastStderr).toEqual([]);
    const said = printed(it, "foreign");
    expectEach(said.slice(0, 8), [
      /^{"sent":"1"}$/,
      /^{"sent":"2"}$/,
      /^{"sent":"3"}$/,
      /^{"code":5,.*has no output .*ouf/,
      /^{"code":3,.*metadata.deep/,
      /^{"code":3,.*no Arrow stream/,
      /^{"code":8,.*larger than max/,
      /^{"stranger":16,.*refuses this node/,
    ]);
    // The end of the requests has finished the node.
    expect(said.at(-1)).toBe('{"afterwards":9}');
    expect(lines(it, "sink").filter(({ bytes }) => bytes === 1)).toHaveLength(3);
  }, 60_000);

  test("requests that make no sense end the stream before the hello, and are told after it", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "garbage", count: 0, bytes: 0 });
    await it.daemon.ended(id);
    const said = printed(it, "foreign").filter((line) => !/"(inputClosed|stop)"/.test(line));
    expectEach(said, [
      /^{"code":3,.*the first request is not `hello`/,
      /^{"code":3,.*hello.window/,
      /"welcome":{.*"nodeId":"foreign".*"inputs":\["in"\]/,
      /"code":"REQUEST_INVALID","message":"there is no event 99/,
      /"code":"REQUEST_INVALID","message":"the request says nothing/,
      /"code":"OUTPUT_UNKNOWN"/,
    ]);
  });

  test("a process that dies of its input is started again, and goes on", async () => {
    const it = await openDaemon();
    it.file("sink.ts", SINK);
    const id = await it.start(`
nodes:
  - id: foreign
    path: ${FOREIGN}
    args: dies ${it.folder}/died
    inputs: { tick: dora/timer/millis/10 }
    outputs: [out]
    restart_policy: on-failure
    restart_delay: 0
  - id: sink
    path: sink.ts
    inputs: { in: foreign/out }
`);
    await it.until(() => lines(it, "sink").length > 3);
    expect(it.node(id, "foreign").restarts).toBe(1);
    expect(it.node(id, "foreign").end?.signal).toBe("SIGKILL");
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    expect((await it.daemon.ended(id)).state).toBe("stopped");
  });

  test("a slow process is given no more than its window, and holds its sender back", async () => {
    const it = await openDaemon();
    const id = await startChain(it, { mode: "slow", count: 40, bytes: 1_000_000 });
    expect((await it.daemon.ended(id)).state).toBe("completed");
    expect(printed(it, "foreign")).toEqual(Array.from({ length: 20 }, () => '{"held":2}'));
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
    expect(lines(it, "foreign").find(({ stop }) => stop)?.stop).toEqual({
      reason: "manual",
      graceMs: 10_000,
    });
  });
});
