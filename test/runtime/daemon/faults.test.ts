import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDaemon, PROTOCOL_NODE } from "./daemon-harness.ts";

/** A chain `first` → `second` → `third`. */
function chain(first: string, options: { second?: string; rules?: string } = {}): string {
  return `
nodes:
  - id: first
    path: ${PROTOCOL_NODE}
    args: "${first}"
    inputs: { tick: dora/timer/millis/100 }
    outputs: [a]
    ${options.rules ?? ""}
  - id: second
    path: ${PROTOCOL_NODE}
    args: "${options.second ?? ""}"
    inputs: { in: first/a }
    outputs: [b]
  - id: third
    path: ${PROTOCOL_NODE}
    inputs: { in: second/b }
`;
}

describe("a node that fails", () => {
  test("takes down no other by itself; its receivers are told, and the summary names it", async () => {
    const it = await openDaemon();
    const id = await it.start(chain("exit:3 stderr:boom"));
    await it.until(() => it.told("second").some(({ type }) => type === "input-closed"));
    expect(it.told("second").slice(-2)).toEqual([
      { type: "node-failed", node: "first", inputs: ["in"], message: "exit code 3" },
      { type: "input-closed", input: "in" },
    ]);
    expect(it.node(id, "first")).toMatchObject({
      state: "failed",
      end: { exitCode: 3, signal: null, message: "exit code 3", lastStderr: ["boom"] },
    });
    expect(it.status(id).state).toBe("running");
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    expect((await it.daemon.ended(id)).state).toBe("failed");
    expect(it.events.at(-1)).toMatchObject({
      type: "dataflow",
      state: "failed",
      failure: { node: "first", end: { message: "exit code 3" }, tookDown: ["second", "third"] },
    });
  });

  test("before the dataflow has begun ends its start, and says what is missing", async () => {
    const it = await openDaemon();
    const id = await it.start(chain("", { second: "early:1 stderr:fine" }));
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("failed");
    expect(nodes.map((node) => node.state)).toEqual(["stopped", "failed", "stopped"]);
    expect(it.events.at(-1)).toMatchObject({
      failure: { node: "second", tookDown: ["first", "third"] },
    });
    expect(it.told("first").some(({ type }) => type === "start")).toBe(false);
  });

  test("for want of a module says so, and what to run", async () => {
    const it = await openDaemon();
    it.file("late.py", "import tomorrow_never_knows\n");
    it.file("late.js", "import 'tomorrow-never-knows';\n");
    const id = await it.start("nodes: [{ id: py, path: late.py }, { id: js, path: late.js }]");
    const { nodes } = await it.daemon.ended(id);
    expect(nodes.map(({ end }) => end?.message)).toEqual([
      "exit code 1: Missing dependency `tomorrow_never_knows`, run `pip install tomorrow_never_knows`",
      "exit code 1: Missing dependency `tomorrow-never-knows`, run `npm install tomorrow-never-knows`",
    ]);
  });

  test("is told apart from a file that is not there, or may not be executed", async () => {
    const it = await openDaemon();
    it.file("plain.sh", "#!/bin/sh\n", 0o644);
    const id = await it.start(`
nodes:
  - { id: gone, path: ./gone.py }
  - { id: program, path: no-such-program }
  - { id: plain, path: plain.sh }
  - { id: folder, path: . }
  - { id: fine, path: shell, args: sleep 100 }
`);
    const { state, nodes } = await it.daemon.ended(id);
    const { folder } = it;
    expect(state).toBe("failed");
    expect(nodes.map(({ end }) => end?.message)).toEqual([
      `cannot be started: there is no file ${join(folder, "gone.py")}: correct \`path\`, or build it first`,
      `cannot be started: there is no file ${join(folder, "no-such-program")}, and no such program in PATH: correct \`path\`, or build it first`,
      `cannot be started: ${join(folder, "plain.sh")} is not executable: chmod +x ${join(folder, "plain.sh")}`,
      `cannot be started: ${folder} is not a file: correct \`path\``,
      undefined,
    ]);
    expect(it.telemetry.identities).toEqual([]);
  });

  test("never says hello, and is named with what it printed", async () => {
    const it = await openDaemon({ startTimeoutMs: 1500 });
    it.file("lost.sh", "#!/bin/sh\necho cannot find the camera >&2\nexec sleep 1000\n", 0o755);
    const id = await it.start(`
nodes:
  - { id: lost, path: lost.sh, outputs: [image] }
  - { id: plain, path: shell, args: sleep 1000 }
`);
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("failed");
    expect(nodes[0]?.end?.message).toBe(
      "did not connect to the daemon within 1.5 s; on standard error it printed: cannot find the camera",
    );
    expect(nodes[1]?.state).toBe("stopped");
  });

  test("that dies by a signal is said in words", async () => {
    const it = await openDaemon();
    it.file("a.sh", "#!/bin/sh\nkill -SEGV $$\n", 0o755);
    const id = await it.start("nodes: [{ id: a, path: a.sh }]");
    const { nodes } = await it.daemon.ended(id);
    expect(nodes[0]?.end).toMatchObject({
      signal: "SIGSEGV",
      message: "killed by SIGSEGV (it used memory that is not its own)",
    });
  });
});

describe("restarts", () => {
  test("a node is started again, introduced anew, and its receivers are told", async () => {
    const it = await openDaemon();
    const mark = join(it.folder, "mark");
    const id = await it.start(
      chain(`exit-once:${mark}`, { rules: "restart_policy: on-failure\n    restart_delay: 0" }),
    );
    await it.until(() => it.told("second").some(({ type }) => type === "node-restarted"));
    expect(it.node(id, "first")).toMatchObject({ state: "running", restarts: 1 });
    expect(it.told("second").map(({ type }) => type)).toEqual([
      "welcome",
      "connect",
      "start",
      "node-restarted",
    ]);
    const connects = it.told("first").filter(({ type }) => type === "connect");
    expect(connects).toHaveLength(2);
    const states = it.events.flatMap((event) =>
      event.type === "node" && event.node === "first" ? [event.state] : [],
    );
    expect(states).toEqual(["running", "restarting", "starting", "running"]);
  });

  test("a receiver that is started again is made known to its senders", async () => {
    const it = await openDaemon();
    const id = await it.start(chain("", {}));
    await it.until(() => it.status(id).state === "running");
    const before = it.node(id, "third").pid;
    await it.daemon.handle({ method: "restart-node", dataflow: id, node: "third" });
    await it.until(() => it.told("second").filter(({ type }) => type === "connect").length === 2);
    const after = it.node(id, "third").pid;
    expect(after).not.toBe(before);
    expect(it.told("second").findLast(({ type }) => type === "connect")).toMatchObject({
      links: [{ address: `unix:/nowhere/third.${after}.sock` }],
    });
    expect(it.told("first").filter(({ type }) => type === "connect")).toHaveLength(1);
  });

  test("a sender that is started while its receiver is begins once that one listens", async () => {
    const it = await openDaemon();
    const mark = join(it.folder, "mark");
    const id = await it.start(`
nodes:
  - id: sender
    path: ${PROTOCOL_NODE}
    inputs: { tick: dora/timer/millis/100 }
    outputs: [a]
  - id: receiver
    path: ${PROTOCOL_NODE}
    args: "exit-once:${mark}"
    inputs: { in: sender/a }
    restart_policy: on-failure
    restart_delay: 1
`);
    await it.until(() => it.node(id, "receiver").state === "restarting");
    await it.daemon.handle({ method: "restart-node", dataflow: id, node: "sender" });
    await it.until(() => it.told("sender").filter(({ type }) => type === "start").length === 2);
    const last = it.told("sender").slice(-3);
    expect(last.map(({ type }) => type)).toEqual(["welcome", "connect", "start"]);
    expect(it.node(id, "receiver")).toMatchObject({ restarts: 1 });
  });

  test("end with the limit; the dataflow fails", async () => {
    const it = await openDaemon();
    const id = await it.start(`
nodes:
  - id: a
    path: shell
    args: exit 4
    restart_policy: on-failure
    restart_delay: 0.01
    max_restarts: 3
`);
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("failed");
    expect(nodes[0]).toMatchObject({ restarts: 3, end: { exitCode: 4 } });
  });

  test("a stop ends the wait for one", async () => {
    const it = await openDaemon();
    const id = await it.start(`
nodes:
  - { id: a, path: shell, args: exit 4, restart_policy: always, restart_delay: 60 }
`);
    await it.until(() => it.node(id, "a").state === "restarting");
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    expect((await it.daemon.ended(id)).state).toBe("stopped");
  });
});

describe("health", () => {
  test("a node that says nothing is killed and counts as failed", async () => {
    const it = await openDaemon();
    const id = await it.start(chain("mute", { rules: "health_check_timeout: 0.5" }));
    await it.until(() => it.node(id, "first").state === "failed");
    expect(it.node(id, "first").end).toMatchObject({
      signal: "SIGKILL",
      message: "killed: it said nothing for 0.5 s (health_check_timeout)",
    });
    expect(it.node(id, "second").state).toBe("running");
  });

  test("use of the machine is told each second, and warnings of thresholds", async () => {
    const it = await openDaemon();
    it.telemetry.rates = { ...it.telemetry.rates, latencyP99Ns: 5_200_000 };
    const id = await it.start(chain("", { rules: "thresholds: { latency_ms: 4, memory_mb: 1 }" }));
    const warnings = () => it.telemetry.logs.filter(({ level }) => level === "warn");
    await it.until(() => warnings().length >= 2 && it.telemetry.usages.length >= 3);
    expect(warnings()[0]).toEqual({
      level: "warn",
      message: "High latency detected (5ms).",
      attributes: {
        "dora.dataflow.id": id,
        "dora.dataflow.name": "flow",
        "dora.node.id": "first",
        "dora.node.name": "first",
      },
    });
    expect(warnings()[1]?.message).toMatch(/^High memory use detected \(\d+MB\)\.$/);
    expect(it.telemetry.usages[0]?.memoryBytes).toBeGreaterThan(10e6);
    expect(it.node(id, "first").memoryBytes).toBeGreaterThan(10e6);
  });
});

describe("the end", () => {
  test("a dataflow whose nodes all end well is completed", async () => {
    const it = await openDaemon();
    const id = await it.start(
      chain("finish", { second: "finish" }).replace(/ {2}- id: third[^]*/, ""),
    );
    expect((await it.daemon.ended(id)).state).toBe("completed");
    expect(it.told("second").some(({ type }) => type === "node-failed")).toBe(false);
  });

  test("a process that stays after all have finished gets its grace and ends", async () => {
    const it = await openDaemon();
    const id = await it.start(`
nodes:
  - id: a
    path: ${PROTOCOL_NODE}
    args: linger
    outputs: [x]
    finish_grace_secs: 0.2
`);
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("completed");
    expect(nodes[0]?.end?.signal).toBe("SIGTERM");
  });
});
