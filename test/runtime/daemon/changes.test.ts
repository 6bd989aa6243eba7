import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { encodeFrame, encodeJsonFrame } from "../../../src/runtime/protocol/frames.ts";
import { HOP_BYTES } from "../../../src/runtime/protocol/hops.ts";
import { openDaemon, PROTOCOL_NODE, type TestDaemon } from "./daemon-harness.ts";

const PAIR = `
nodes:
  - id: left
    path: ${PROTOCOL_NODE}
    inputs: { tick: dora/timer/millis/100 }
    outputs: [a, b]
    parameters: { gain: 2, name: x }
  - id: right
    path: ${PROTOCOL_NODE}
    inputs: { a: left/a, log: dora/logs/warn }
`;

async function runPair(): Promise<{ it: TestDaemon; id: string }> {
  const it = await openDaemon();
  const id = await it.start(PAIR);
  await it.until(() => it.status(id).state === "running");
  return { it, id };
}

describe("while a dataflow runs", () => {
  test("it is paused and resumed, as a whole and by node", async () => {
    const { it, id } = await runPair();
    it.telemetry.rates = { ...it.telemetry.rates, inputPerSecond: 50, latencyP50Ns: 7, errors: 3 };
    expect(it.node(id, "right").rates).toMatchObject({ inputPerSecond: 50, latencyP50Ns: 7 });
    await it.daemon.handle({ method: "pause", dataflow: id });
    expect(it.status(id)).toMatchObject({ state: "paused", nodes: [{ state: "paused" }, {}] });
    expect(it.node(id, "right").rates).toMatchObject({
      inputPerSecond: 0,
      latencyP50Ns: null,
      errors: 3,
    });
    await it.daemon.handle({ method: "resume", dataflow: id, node: "left" });
    expect(it.node(id, "left").state).toBe("running");
    expect(it.node(id, "right").state).toBe("paused");
    await it.daemon.handle({ method: "resume", dataflow: id });
    expect(it.status(id).state).toBe("running");
    await it.until(() => it.told("right").at(-1)?.type === "resume");
    expect(it.told("right").slice(-2)).toEqual([{ type: "pause" }, { type: "resume" }]);
  });

  test("parameters are changed, and a later start has them", async () => {
    const { it, id } = await runPair();
    const change = { set: { gain: 3 }, deleted: ["name"] };
    await it.daemon.handle({ method: "set-parameters", dataflow: id, node: "left", ...change });
    await it.until(() => it.told("left").at(-1)?.type === "parameters");
    expect(it.told("left").at(-1)).toEqual({ type: "parameters", ...change });
    await it.daemon.handle({ method: "restart-node", dataflow: id, node: "left" });
    await it.until(() => it.told("left").filter(({ type }) => type === "welcome").length === 2);
    expect(it.told("left").findLast(({ type }) => type === "welcome")).toMatchObject({
      config: { parameters: { gain: 3 } },
    });
  });

  test("links are made and taken away; the receiver is let know before the sender", async () => {
    const { it, id } = await runPair();
    const ends = { source: { node: "left", output: "b" }, target: { node: "right", input: "b" } };
    const link = "left/b->right/b";
    await it.daemon.handle({ method: "connect", dataflow: id, ...ends });
    await it.until(() => it.told("left").filter(({ type }) => type === "connect").length === 2);
    // Only the new one: the other link stands.
    expect(it.told("left").at(-1)).toMatchObject({ type: "connect", links: [{ link }] });
    expect(it.told("right").some(({ type }) => type === "input-added")).toBe(true);
    expect(it.status(id).links.map((one) => one.link)).toContain(link);
    const again = it.daemon.handle({ method: "connect", dataflow: id, ...ends });
    await expect(again).rejects.toMatchObject({ code: "DATAFLOW_STATE" });

    await it.daemon.handle({ method: "disconnect", dataflow: id, ...ends });
    await it.until(() => it.told("right").at(-1)?.type === "input-removed");
    await it.until(() => it.told("left").at(-1)?.type === "disconnect");
    expect(it.told("left").at(-1)).toEqual({ type: "disconnect", links: [link] });
    const gone = it.daemon.handle({ method: "disconnect", dataflow: id, ...ends });
    await expect(gone).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a node is stopped alone, and started again", async () => {
    const { it, id } = await runPair();
    await it.daemon.handle({ method: "stop-node", dataflow: id, node: "left" });
    await it.until(() => it.node(id, "left").state === "stopped");
    await it.until(() => it.told("right").at(-1)?.type === "input-closed");
    expect(it.status(id).state).toBe("running");
    await it.daemon.handle({ method: "restart-node", dataflow: id, node: "left" });
    await it.until(() => it.told("right").at(-1)?.type === "node-restarted");
    expect(it.told("right").at(-2)).toEqual({ type: "input-recovered", input: "a" });
    expect(it.node(id, "left").state).toBe("running");
  });

  test("records of the log reach the inputs that want them, but not their own", async () => {
    const { it, id } = await runPair();
    it.daemon.deliverLog(id, { node: "left", level: "info", json: () => '{"n":1}' });
    it.daemon.deliverLog(id, { node: "right", level: "error", json: () => '{"n":2}' });
    it.daemon.deliverLog(id, { node: "left", level: "error", json: () => '{"n":3}' });
    await it.until(() => it.told("right").at(-1)?.type === "logs");
    expect(it.told("right").filter(({ type }) => type === "logs")).toEqual([
      { type: "logs", input: "log", entries: ['{"n":3}'] },
    ]);
  });

  test("what cannot be done is refused in words", async () => {
    const { it, id } = await runPair();
    const { daemon } = it;
    const node = { dataflow: id, node: "lefd" };
    await expect(daemon.handle({ method: "stop-node", ...node })).rejects.toThrow(
      'dataflow flow has no node "lefd", did you mean "left"?',
    );
    await expect(
      daemon.handle({ method: "set-data-format", dataflow: id, node: "left", format: "capnp" }),
    ).rejects.toThrow('the data format "capnp" is not available in this version yet');
    await daemon.handle({ method: "set-data-format", dataflow: id, node: "left", format: "arrow" });
    await expect(daemon.handle({ method: "pause", dataflow: "x" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(it.start("nodes: [{ id: a, pth: x }]")).rejects.toMatchObject({
      code: "DATAFLOW_INVALID",
    });
  });
});

describe("a dynamic node", () => {
  const FLOW = `
nodes:
  - id: hand
    path: dynamic
    outputs: [a]
  - id: right
    path: ${PROTOCOL_NODE}
    inputs: { a: hand/a }
`;

  test("comes, goes and comes again, by hand", async () => {
    const it = await openDaemon();
    const id = await it.start(FLOW);
    await it.until(() => it.status(id).state === "running");
    const start = () => {
      const env = {
        ...process.env,
        DORA_DAEMON_SOCKET: it.daemon.socketPath,
        DORA_NODE_ID: "hand",
        DORA_DATAFLOW_ID: "flow",
      };
      const child = spawn(process.execPath, [PROTOCOL_NODE], { env, stdio: "ignore" });
      onTestFinished(() => void child.kill("SIGKILL"));
      return child;
    };
    const first = start();
    await it.until(() => it.node(id, "hand").state === "running");
    expect(it.node(id, "hand").pid).toBe(first.pid);
    first.kill("SIGKILL");
    await it.until(() => it.told("right").at(-1)?.type === "input-closed");
    expect(it.node(id, "hand")).toMatchObject({ state: "starting", pid: null });
    start();
    await it.until(() => it.told("right").at(-1)?.type === "input-recovered");
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    expect((await it.daemon.ended(id)).nodes.map(({ state }) => state)).toEqual([
      "stopped",
      "stopped",
    ]);
  });
});

describe("a stranger at the socket", () => {
  const hello = (over: object) =>
    encodeJsonFrame({
      type: "hello",
      protocol: 1,
      dataflow: "flow",
      node: "left",
      token: "",
      pid: 1,
      library: "stranger",
      ...over,
    });

  async function answerTo(it: TestDaemon, bytes: Uint8Array): Promise<string> {
    const socket = net.connect(it.daemon.socketPath);
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("utf8", 5)));
    socket.on("error", () => {});
    socket.write(bytes);
    await once(socket, "close");
    return answer;
  }

  test("is refused, or cut off, and changes nothing", async () => {
    const { it, id } = await runPair();
    expect(await answerTo(it, hello({}))).toContain("was not started with this token");
    expect(await answerTo(it, hello({ token: "ü".repeat(16), dataflow: id }))).toContain("token");
    expect(await answerTo(it, hello({ node: "x" }))).toContain("has no node x");
    expect(await answerTo(it, hello({ dataflow: "other" }))).toContain("does not run here");
    expect(await answerTo(it, hello({ protocol: 2 }))).toContain("version 2 of the node protocol");
    const bad = [
      Buffer.from([255, 255, 255, 255, 1]),
      encodeFrame(1, Buffer.from("{")),
      encodeFrame(1, Buffer.from("null")),
      encodeFrame(9, Buffer.from("x")),
      encodeJsonFrame({ type: "finished" }),
      encodeJsonFrame({ type: "hello" }),
      encodeJsonFrame({ type: "log", records: [{ time: "x" }] }),
      Buffer.concat([encodeFrame(2, Buffer.alloc(HOP_BYTES)), encodeFrame(3, Buffer.alloc(1))]),
    ];
    for (const bytes of bad) expect(await answerTo(it, bytes)).toBe("");
    const faults = it.log.filter(({ message }) =>
      message.includes("does not keep to the protocol"),
    );
    expect(faults).toHaveLength(bad.length);
    expect(it.status(id).state).toBe("running");
    expect(it.telemetry.hopBytes).toBe(0);
  });
});

test("a node whose connection breaks comes back and is told nothing twice", async () => {
  const it = await openDaemon();
  const id = await it.start(
    PAIR.replace(
      `${PROTOCOL_NODE}\n    inputs: { t`,
      `${PROTOCOL_NODE}\n    args: drop-once:${it.folder}/mark\n    inputs: { t`,
    ),
  );
  await it.until(() => it.told("left").filter(({ type }) => type === "start").length === 2);
  const types = it.told("left").map(({ type }) => type);
  expect(types).toEqual(["welcome", "connect", "start", "welcome", "start"]);
  expect(it.node(id, "left")).toMatchObject({ state: "running", restarts: 0 });
});
