import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isAlive, openDaemon, PROTOCOL_NODE } from "./daemon-harness.ts";

const TWO = (sender = "", receiver = ""): string => `
nodes:
  - id: sender
    name: The Sender
    path: ${PROTOCOL_NODE}
    args: "${sender}"
    inputs: { tick: dora/timer/millis/100 }
    outputs: [image]
    parameters: { gain: 2 }
  - id: receiver
    path: ${PROTOCOL_NODE}
    args: "${receiver}"
    inputs: { image: { source: sender/image, queue_size: 3 } }
`;

describe("a dataflow", () => {
  test("its nodes are introduced to each other, started together and stopped", async () => {
    const it = await openDaemon();
    const id = await it.start(TWO());
    await it.until(() => it.status(id).state === "running");
    await it.until(() => it.told("receiver").some(({ type }) => type === "start"));
    await it.until(() => it.told("sender").some(({ type }) => type === "start"));
    const [welcome, connect, start] = it.told("sender");
    expect(welcome).toMatchObject({
      type: "welcome",
      config: {
        dataflow: { id, name: "flow" },
        node: { id: "sender", name: "The Sender" },
        inputs: [{ id: "tick", source: { kind: "timer", intervalNs: 1e8 } }],
        outputs: [{ id: "image", format: "arrow" }],
        parameters: { gain: 2 },
      },
    });
    const link = "sender/image->receiver/image";
    expect(connect).toEqual({
      type: "connect",
      links: [
        {
          link,
          output: "image",
          target: { node: "receiver", input: "image" },
          transport: { kind: "socket", options: {} },
          address: `unix:/nowhere/receiver.${it.node(id, "receiver").pid}.sock`,
        },
      ],
    });
    expect(start).toEqual({ type: "start" });
    expect(it.events.filter(({ type }) => type === "link")).toMatchObject([
      { link, state: "connecting" },
      { link, state: "connected" },
    ]);
    const pids = it.status(id).nodes.map(({ pid }) => pid ?? 0);
    const folder = welcome?.type === "welcome" ? welcome.config.runDirectory : "";
    expect(existsSync(folder)).toBe(true);

    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    const ended = await it.daemon.ended(id);
    expect(ended.state).toBe("stopped");
    expect(ended.nodes.map(({ state }) => state)).toEqual(["stopped", "stopped"]);
    expect(it.told("sender").at(-1)).toEqual({ type: "stop", reason: "manual", graceMs: 10_000 });
    expect(pids.some(isAlive)).toBe(false);
    expect(existsSync(folder)).toBe(false);
    expect(it.telemetry.ended.toSorted()).toEqual(["receiver", "sender"]);
  });

  test("a program without a node library runs, with output and state", async () => {
    const it = await openDaemon();
    it.file("plain.sh", "#!/bin/sh\necho hello from $DORA_NODE_ID; echo $TRACEPARENT\n", 0o755);
    const id = await it.start("nodes: [{ id: plain, path: plain.sh }]");
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("completed");
    expect(nodes[0]?.end).toMatchObject({ exitCode: 0, message: "exit code 0" });
    expect(it.telemetry.output("plain")).toMatch(
      /^hello from plain\n00-[0-9a-f]{32}-[0-9a-f]{16}-01\n$/,
    );
    const states = it.events.flatMap((event) => (event.type === "node" ? [event.state] : []));
    expect(states).toEqual(["running", "completed"]);
  });

  test("a node that does not stop gets SIGTERM, then SIGKILL", async () => {
    const it = await openDaemon();
    const id = await it.start(TWO("deaf"));
    await it.until(() => it.status(id).state === "running");
    await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 200, force: false });
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("stopped");
    expect(nodes[0]?.end?.signal).toBe("SIGKILL");
    expect(nodes[1]?.end?.exitCode).toBe(0);
  });

  test("a stop by force asks nobody", async () => {
    const it = await openDaemon();
    const id = await it.start(TWO("deaf", "deaf"));
    await it.until(() => it.status(id).state === "running");
    await it.daemon.handle({ method: "stop", dataflow: id, force: true });
    const { nodes } = await it.daemon.ended(id);
    expect(nodes.map(({ end }) => end?.signal)).toEqual(["SIGKILL", "SIGKILL"]);
    expect(it.told("sender").some(({ type }) => type === "stop")).toBe(false);
  });

  test("children of a node end with it", async () => {
    const it = await openDaemon();
    it.file("parent.sh", "#!/bin/sh\nsleep 1000 & echo $!\n", 0o755);
    const id = await it.start("nodes: [{ id: parent, path: parent.sh }]");
    await it.daemon.ended(id);
    const child = Number(it.telemetry.output("parent"));
    await it.until(() => !isAlive(child));
  });

  test("names of environment variables reach the process in their order of precedence", async () => {
    const it = await openDaemon({
      environment: {
        PATH: process.env["PATH"],
        A: "daemon",
        B: "daemon",
        C: "daemon",
        OTEL_SERVICE_NAME: "mine",
      },
    });
    const line = "echo $A $B $C $OTEL_SERVICE_NAME $OTEL_RESOURCE_ATTRIBUTES; pwd";
    it.file("plain.sh", `#!/bin/sh\n${line}\n`, 0o755);
    const id = await it.start(`
env: { B: file, C: file }
nodes:
  - id: plain
    path: plain.sh
    env: { C: node }
`);
    await it.daemon.ended(id);
    expect(it.telemetry.output("plain")).toBe(
      `daemon file node mine dora.dataflow.id=${id},dora.dataflow.name=flow,dora.node.id=plain,dora.node.name=plain\n${it.folder}\n`,
    );
    expect(existsSync(join(it.folder, "out"))).toBe(false);
  });
});
