/** `dora status`, as users were shown it, from what a coordinator answers. */
import { expect, test } from "vitest";
import { latencyText, rateText } from "../../src/cli/node-words.ts";
import type { Piece } from "../../src/cli/output.ts";
import type { RuntimeStatus } from "../../src/cli/render-status.ts";
import { renderStatus, statusDocument } from "../../src/cli/render-status.ts";
import { terminalLook } from "../../src/cli/terminal-look.ts";
import type { DataflowAnswer } from "../../src/runtime/coordinator/coordinator.ts";
import type { NodeState, NodeStatus } from "../../src/runtime/protocol/status.ts";

const { icons } = terminalLook({}, { LANG: "C.UTF-8" });

function node(
  letter: string,
  state: NodeState,
  inputPerSecond: number,
  latencyP50Ns: number | null,
  errors: number,
): NodeStatus {
  return {
    id: letter.toLowerCase(),
    name: `Node ${letter}`,
    state,
    pid: 1,
    restarts: 0,
    rates: {
      inputPerSecond,
      outputPerSecond: 0,
      inputBytesPerSecond: 0,
      outputBytesPerSecond: 0,
      latencyP50Ns,
      latencyP99Ns: latencyP50Ns,
      handlingP50Ns: null,
      queued: 0,
      dropped: 0,
      errors,
    },
    cpuCores: null,
    memoryBytes: null,
    connections: 0,
  };
}

const FLOW: DataflowAnswer = {
  id: "0190",
  name: "vision",
  file: "/vision.yml",
  state: "running",
  startedAtUnixMs: 0,
  endedAtUnixMs: null,
  machine: "robot",
  isDaemonConnected: true,
  links: [],
  nodes: [
    node("A", "running", 10_000, 3_000_000, 0),
    node("B", "running", 8_000, 5_000_000, 2),
    node("C", "paused", 0, null, 0),
  ],
};

const STATUS: RuntimeStatus = {
  coordinator: { url: "http://127.0.0.1:6015", version: "0.1.0", pid: 4711 },
  daemons: [{ machine: "robot", version: "0.1.0", pid: 4712, connectedAtUnixMs: 0, dataflows: 1 }],
  flows: [FLOW],
};

function text(status: RuntimeStatus): string {
  const ofPiece = (piece: Piece): string => (typeof piece === "string" ? piece : piece.text);
  return renderStatus(status, icons)
    .map((line) => line.map(ofPiece).join(""))
    .join("\n");
}

test("coordinator and daemon stand above the table of the picture", () => {
  expect(text(STATUS))
    .toBe(`✔ Coordinator: running at http://127.0.0.1:6015 (version 0.1.0, pid 4711)
✔ Daemon: running on robot (version 0.1.0, pid 4712)
✔ Dataflow: vision (Running on robot, id 0190)

+--------+---------+------------+---------+--------+
| Node   | Status  | Input Rate | Latency | Errors |
+--------+---------+------------+---------+--------+
| Node A | Running | 10k msgs/s | 3ms     | 0      |
| Node B | Running | 8k msgs/s  | 5ms     | 2      |
| Node C | Paused  | 0 msgs/s   | -       | 0      |
+--------+---------+------------+---------+--------+`);
});

test("states and errors stand out by colour, and by nothing else", () => {
  const styled = renderStatus(STATUS, icons)
    .flat()
    .flatMap((piece) => (typeof piece === "string" || piece.style === "plain" ? [] : [piece]))
    .map((piece) => [piece.text.trim(), piece.style]);
  expect(styled).toContainEqual(["Running", "success"]);
  expect(styled).toContainEqual(["Paused", "warning"]);
  expect(styled).toContainEqual(["2", "error"]);
  expect(styled).not.toContainEqual(["0", "error"]);
});

test("programs get the keys of the picture, and numbers with their units", () => {
  expect(statusDocument(STATUS)).toMatchObject({
    dataflows: 1,
    nodes: [
      { name: "Node A", status: "Running", latency: "3ms", latencyP50Ns: 3_000_000 },
      { name: "Node B", status: "Running", latency: "5ms", errors: 2 },
      { name: "Node C", status: "Paused", latency: null, inputPerSecond: 0 },
    ],
    coordinator: { status: "Running", pid: 4711 },
    daemons: [{ status: "Running", machine: "robot" }],
  });
});

test("what is missing is said: no daemon, nothing that runs, a daemon that is away, a node that failed", () => {
  expect(text({ ...STATUS, daemons: [], flows: [] })).toMatch(
    /\n❌ Daemon: none is connected.+`dora up` starts one\nNo dataflow runs: `dora start FILE` starts one\.$/,
  );
  expect(text({ ...STATUS, flows: [{ ...FLOW, isDaemonConnected: false }] })).toContain(
    "id 0190; its daemon is away: this is what was last heard)",
  );
  const end = { exitCode: 1, signal: null, message: "exit code 1", lastStderr: [], atUnixMs: 0 };
  const failed: DataflowAnswer = {
    ...FLOW,
    state: "failed",
    failure: { node: "b", end, tookDown: [] },
  };
  expect(text({ ...STATUS, flows: [failed] })).toContain(
    "❌ Dataflow: vision (Failed on robot, id 0190)\n    Node B failed first: exit code 1\n",
  );
});

test("rates and latencies have two digits at least, and no more than are read at a glance", () => {
  expect([0, 0.04, 0.5, 9.96, 25.4, 999.4, 999.6, 1_234, 12_345].map(rateText)).toEqual(
    ["0", "0", "0.5", "10", "25", "999", "1k", "1.2k", "12k"].map((rate) => `${rate} msgs/s`),
  );
  expect([150_000, 3_000_000, 1_234_000_000, null].map(latencyText)).toEqual([
    "0.15ms",
    "3ms",
    "1200ms",
    null,
  ]);
});
