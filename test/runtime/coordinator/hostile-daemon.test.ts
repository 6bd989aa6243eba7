/** Daemons with a right token that say what is not theirs (SEC-006). */
import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RUNNING_MAX } from "../../../src/runtime/coordinator/limits.ts";
import type { TestCoordinator } from "./coordinator-harness.ts";
import { startCoordinator, temporaryFolder } from "./coordinator-harness.ts";
import { dataflowStatus, takeAll, TestDaemon } from "./test-daemon.ts";
import type { TestDaemonOptions } from "./test-daemon.ts";

const FILE = { text: "nodes: []", file: "/flows/flow.yml", environment: { SECRET: "s3cret" } };
const folder = temporaryFolder();
let coordinator: TestCoordinator;
const daemons: TestDaemon[] = [];

async function connect(options: TestDaemonOptions): Promise<TestDaemon> {
  const daemon = await TestDaemon.connect(coordinator.url, options);
  daemons.push(daemon);
  return daemon;
}

/** Once what the daemon said before was taken. */
async function settled(daemon: TestDaemon): Promise<void> {
  const id = "01900000-0000-7000-8000-00000000ffff";
  daemon.running.set(id, dataflowStatus({ id, name: "marker", machine: daemon.machine }));
  daemon.status();
  await expect.poll(() => coordinator.coordinator.find("marker").id).toBe(id);
}

beforeEach(async () => {
  rmSync(`${folder.path}/coordinator.json`, { force: true });
  coordinator = await startCoordinator(folder.path);
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.close();
  await coordinator.close();
});

test.each(["thief", "robot"])(
  "a daemon has nothing to say of another machine's dataflow, claimed for %s",
  async (machine) => {
    const owner = await connect({ machine: "robot" });
    const { body } = await coordinator.post("/api/v1/dataflows", { ...FILE, machine: "robot" });
    const thief = await connect({ machine: "thief", pid: 2 });
    const { id } = body;
    thief.running.set(id, dataflowStatus({ id, name: "stolen", machine }));
    thief.event({ type: "dataflow", dataflow: id, state: "failed", atUnixMs: 1 });
    await settled(thief);
    expect(coordinator.coordinator.find(id)).toMatchObject({
      name: "flow",
      state: "running",
      machine: "robot",
    });
    const restarted = await coordinator.post(`/api/v1/dataflows/${id}/restart`, {});
    expect(restarted.status).toBe(201);
    expect(owner.requests.at(-1)).toMatchObject({ method: "start", environment: FILE.environment });
    expect(thief.requests).toEqual([]);
  },
);

test("an answer about another dataflow, or for another machine, is none", async () => {
  for (const more of [{ id: "01900000-0000-7000-8000-00000000abcd" }, { machine: "other" }]) {
    const daemon = await connect({
      handle: (request, self) =>
        request.method === "start"
          ? dataflowStatus({ id: request.dataflow, machine: self.machine, ...more })
          : takeAll(request, self),
    });
    const { status } = await coordinator.post("/api/v1/dataflows", FILE);
    expect(status).toBe(500);
    expect(coordinator.coordinator.list()).toEqual([]);
    await daemon.close();
  }
});

test("dataflows are known up to a limit, whoever tells of them", async () => {
  const dataflows = Array.from({ length: RUNNING_MAX }, (_, index) => {
    const id = `01900000-0000-7000-8000-${String(index).padStart(12, "0")}`;
    return dataflowStatus({ id, nodes: [], machine: "first" });
  });
  await connect({ machine: "first", dataflows });
  const id = "01900000-0000-7000-8001-000000000000";
  await connect({
    machine: "second",
    pid: 2,
    dataflows: [dataflowStatus({ id, machine: "second" })],
  });
  expect(coordinator.coordinator.running()).toHaveLength(RUNNING_MAX);
  expect(coordinator.coordinator.running().some((one) => one.id === id)).toBe(false);
});

test("a body that is nested without end is refused", async () => {
  const text = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  const response = await fetch(`${coordinator.url}/api/v1/dataflows`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"text":${text}}`,
  });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: "REQUEST_INVALID" } });
});
