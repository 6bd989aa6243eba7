/**
 * The runtime as its users have it: `dora up`, a dataflow of three nodes, status, logs, `dora down`; and each of
 * the processes killed while the dataflow runs.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { TestMachine } from "../cli/machine.ts";
import { makeMachine } from "../cli/machine.ts";
import type { CliResult } from "../cli-process.ts";
import { runCli, startCli } from "../cli-process.ts";

const NODES = ["Camera", "Detector", "Planner"];
const UP =
  /^✔ telemetry \[(.+)\] http\S+\n✔ coordinator \[(.+)\] http\S+\n✔ daemon \[(.+)\] http\S+\n/;

const Entry = z.looseObject({ node: z.string(), message: z.string(), trace_id: z.string() });
type Entry = z.output<typeof Entry>;

const Status = z.looseObject({
  dataflows: z.number(),
  nodes: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      latency: z.string().nullable(),
      input_per_second: z.number(),
      errors: z.number(),
    }),
  ),
});

let machine: TestMachine;

beforeAll(async () => {
  machine = await makeMachine();
  machine.file(
    "camera.mjs",
    `import { Node } from "NODE_LIBRARY";
const node = await Node.connect();
let frame = 0;
for await (const event of node) {
  if (event.type !== "input") continue;
  frame += 1;
  if (frame % 10 === 0) node.log.warn("frame is dark", { frame });
  else node.log.info("frame captured", { frame });
  await node.sendOutput("image", new Uint8Array([frame & 255]));
}
`,
  );
  machine.file(
    "detector.mjs",
    `import { Node } from "NODE_LIBRARY";
const node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  console.log("frame searched");
  await node.sendOutput("objects", new Uint8Array([1]));
}
`,
  );
  machine.file(
    "planner.mjs",
    `import { Node } from "NODE_LIBRARY";
const node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  if (event.id === "objects") node.log.info("planned");
  else node.log.info("told of a problem", { entry: Buffer.from(event.bytes()).toString() });
}
`,
  );
  machine.file(
    "vision.yml",
    `nodes:
  - { id: camera, name: Camera, path: camera.mjs, inputs: { tick: dora/timer/millis/50 }, outputs: [image] }
  - { id: detector, name: Detector, path: detector.mjs, inputs: { image: camera/image }, outputs: [objects] }
  - { id: planner, name: Planner, path: planner.mjs, inputs: { objects: detector/objects, problems: dora/logs/warn/camera } }
`,
  );
});

afterAll(() => machine.close());

afterEach(async () => {
  await dora("down", "--force");
});

function dora(...words: readonly string[]): Promise<CliResult> {
  return runCli(words, { env: machine.env });
}

/** Its standard output. Errors: any end but a good one. */
async function ask(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await dora(...words);
  if (code !== 0) throw new Error(`dora ${words.join(" ")} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

async function startVision(): Promise<void> {
  await ask("up");
  await ask("start", join(machine.folder, "vision.yml"));
}

async function status(): Promise<z.output<typeof Status>> {
  return Status.parse(JSON.parse(await ask("status", "--output", "json")));
}

async function entries(...flags: readonly string[]): Promise<readonly Entry[]> {
  const text = await ask("logs", "query", ...flags, "--output", "jsonl");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Entry.parse(JSON.parse(line)));
}

/** The processes of all nodes, which are told with the daemon's first status after a start. */
async function nodePids(): Promise<readonly number[]> {
  const List = z.object({ nodes: z.array(z.looseObject({ pid: z.number().nullable() })) });
  for (;;) {
    const { nodes } = List.parse(JSON.parse(await ask("node", "list", "--output", "json")));
    const pids = nodes.flatMap(({ pid }) => (pid === null ? [] : [pid]));
    if (pids.length === NODES.length) return pids;
  }
}

function pidOf(name: "telemetry" | "coordinator" | "daemon"): number {
  const path = join(machine.env["DORA_STATE_DIR"] ?? "", `${name}.pid`);
  return z.object({ pid: z.number() }).parse(JSON.parse(readFileSync(path, "utf8"))).pid;
}

function runs(pid: number): boolean {
  try {
    // A process that ended and was not collected yet is in the table, and does nothing.
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

describe("a dataflow from up to down", () => {
  test("up, start, status, logs of one trace, metrics, stop, down, and nothing is left", async () => {
    const first = UP.exec(await ask("up"));
    expect(first?.slice(1).every((how) => how.startsWith("started in "))).toBe(true);
    expect(UP.exec(await ask("up"))?.slice(1)).toEqual(Array(3).fill("running already"));
    await ask("start", join(machine.folder, "vision.yml"));

    await expect
      .poll(async () => (await status()).nodes.map(({ input_per_second: rate }) => rate > 10))
      .toEqual([true, true, true]);
    const { dataflows, nodes } = await status();
    expect({ dataflows, names: nodes.map(({ name }) => name) }).toEqual({
      dataflows: 1,
      names: NODES,
    });
    for (const node of nodes) {
      expect(node).toMatchObject({ status: "Running", errors: 0 });
      expect(node.latency).toMatch(/^[\d.]+ms$/);
    }
    const pids = await nodePids();
    expect(pids.map(runs)).toEqual([true, true, true]);
    const ours = [pidOf("telemetry"), pidOf("coordinator"), pidOf("daemon")];

    const table = await ask("status", "vision");
    expect(table).toMatch(/^✔ Coordinator: running at http\S+ \(version \S+, pid \d+\)$/m);
    expect(table).toMatch(/^✔ Daemon: running on \S+ \(version \S+, pid \d+\)$/m);
    expect(table).toMatch(/^\| Node {5}\| Status {2}\| Input Rate \| Latency +\| Errors \|$/m);
    expect(table).toMatch(/^\| Camera {3}\| Running \| [\d.]+ msgs\/s +\| [\d.]+ms +\| 0 {6}\|$/m);

    await expect
      .poll(async () => tracedNodes(await entries("--dataflow", "vision")))
      .toEqual(NODES);
    expect(await entries("--filter", 'message:"told of a problem"')).not.toEqual([]);
    for (const node of ["dora-daemon", "dora-coordinator"]) {
      await expect.poll(() => entries("--node", node)).not.toEqual([]);
    }
    await expect
      .poll(() => ask("export", 'name:"dora.node.messages"', "--table", "metrics"))
      .toContain("dora.node.messages");

    const refused = await dora("down");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^a dataflow runs:\n {2}vision {2}\S+ \(running\)\nhint: .+--force`\n$/,
    );
    await ask("stop", "vision");
    expect(await ask("status")).toContain("No dataflow runs: `dora start FILE` starts one.");
    expect(await ask("down")).toBe("stopped daemon\nstopped coordinator\nstopped telemetry\n");
    expect([...pids, ...ours].filter(runs)).toEqual([]);
  });

  test("status --watch writes what the coordinator pushes, and Ctrl-C ends it well", async () => {
    await startVision();
    const watch = startCli(["status", "--watch"], { env: machine.env });
    await watch.waitFor(/(✔ Coordinator[^]+\| Camera[^]+){3}/);
    watch.kill("SIGINT");
    expect(await watch.result).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("processes that are killed", () => {
  test("the coordinator: the dataflow goes on, the disk says what ran, the next one knows it", async () => {
    await startVision();
    const pids = await nodePids();
    process.kill(pidOf("coordinator"), "SIGKILL");
    const away = await dora("status");
    expect(away.code).toBe(1);
    expect(away.stdout).toMatch(
      /^❌ Coordinator: none at \S+\n✔ Daemon: running \(pid \d+\): .+\nLast known, of \S+Z:\n {4}vision \(Running, id \S+\)\n$/,
    );
    expect(away.stderr).toMatch(/^no coordinator at .+\nhint: start it with `dora up`/);
    expect(await dora("down")).toMatchObject({ code: 1 });

    // It has not connected anew yet when `dora up` comes to it.
    process.kill(pidOf("daemon"), "SIGSTOP");
    const up = startCli(["up"], { env: machine.env });
    await up.waitFor(/✔ coordinator/);
    process.kill(pidOf("daemon"), "SIGCONT");
    const [, telemetry, coordinator, daemon] = UP.exec((await up.result).stdout) ?? [];
    expect([telemetry, daemon]).toEqual(["running already", "running already"]);
    expect(coordinator).toMatch(/^started in /);
    expect((await status()).nodes.map((node) => node.status)).toEqual(Array(3).fill("Running"));
    expect(await nodePids()).toEqual(pids);
  });

  test("the daemon: no process of a node is left, and the dataflow has failed once it is back", async () => {
    await startVision();
    const pids = await nodePids();
    process.kill(pidOf("daemon"), "SIGKILL");
    await expect.poll(() => pids.filter(runs)).toEqual([]);
    expect(await ask("status")).toContain("Daemon: none is connected");
    await ask("up");
    expect((await status()).dataflows).toBe(0);
    expect(await ask("list")).toMatch(/ vision +\| Failed /);
  });

  test("telemetry: the dataflow goes on, and what was logged meanwhile arrives later", async () => {
    await startVision();
    const pids = await nodePids();
    process.kill(pidOf("telemetry"), "SIGKILL");
    await expect.poll(() => runs(pidOf("telemetry"))).toBe(false);
    const since = new Date().toISOString();
    await expect
      .poll(async () => (await status()).nodes.every(({ input_per_second: rate }) => rate > 10))
      .toBe(true);
    const until = new Date().toISOString();
    await ask("up");
    await expect
      .poll(async () => tracedNodes(await entries("--since", since, "--until", until)))
      .toEqual(NODES);
    expect(await nodePids()).toEqual(pids);
  });

  test("a pid file that was left behind, even of a process that runs, is no obstacle", async () => {
    await ask("up");
    await ask("down");
    const path = join(machine.env["DORA_STATE_DIR"] ?? "", "coordinator.pid");
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: "1" }));
    writeFileSync(path.replace("coordinator", "daemon"), "{");
    expect(UP.exec(await ask("up"))?.[2]).toMatch(/^started in /);
    expect(await ask("down")).toBe("stopped daemon\nstopped coordinator\nstopped telemetry\n");
  });
});

/** The nodes, in order, whose records one trace has together. */
function tracedNodes(all: readonly Entry[]): readonly string[] {
  const traces = new Map<string, Set<string>>();
  for (const { node, trace_id: id } of all) {
    if (id === "") continue;
    traces.set(id, (traces.get(id) ?? new Set()).add(node));
  }
  return (
    [...traces.values()].map((nodes) => [...nodes].sort()).find(({ length }) => length === 3) ?? []
  );
}
