import { readFileSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AppError } from "../../../src/core/errors.ts";
import type { TestCoordinator } from "./coordinator-harness.ts";
import { startCoordinator, temporaryFolder } from "./coordinator-harness.ts";
import type { TestDaemonOptions } from "./test-daemon.ts";
import { dataflowStatus, nodeStatus, takeAll, TestDaemon } from "./test-daemon.ts";

const folder = temporaryFolder();
let coordinator: TestCoordinator;
const daemons: TestDaemon[] = [];

async function connect(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const daemon = await TestDaemon.connect(coordinator.url, options);
  daemons.push(daemon);
  return daemon;
}

const FILE = { text: "nodes: []", file: "/flows/flow.yml" };

beforeEach(async () => {
  writeFileSync(`${folder.path}/coordinator.json`, '{"version":1,"wanted":[],"ended":[]}');
  coordinator = await startCoordinator(folder.path);
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.close();
  await coordinator.close();
});

describe("starting", () => {
  test("a daemon is asked to start a file, under a UUID v7 and the name of the file", async () => {
    const daemon = await connect();
    const { status, body } = await coordinator.post("/api/v1/dataflows", {
      ...FILE,
      environment: { SOME_name: "x" },
    });
    expect(status).toBe(201);
    expect(body.id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(body).toMatchObject({ name: "flow", state: "running", is_daemon_connected: true });
    expect(daemon.requests).toEqual([
      {
        method: "start",
        dataflow: body.id,
        name: "flow",
        ...FILE,
        environment: { SOME_name: "x" },
        build: true,
      },
    ]);
  });

  test("a second dataflow of the same name is refused while the first runs", async () => {
    const daemon = await connect();
    const { body: first } = await coordinator.post("/api/v1/dataflows", FILE);
    const { status, body } = await coordinator.post("/api/v1/dataflows", FILE);
    expect(status).toBe(409);
    expect(body.error).toMatchObject({
      code: "DATAFLOW_STATE",
      message: `a dataflow flow runs already (${first.id})`,
    });
    await coordinator.post("/api/v1/dataflows/flow/stop");
    await expect.poll(() => coordinator.coordinator.running().length).toBe(0);
    expect((await coordinator.post("/api/v1/dataflows", FILE)).status).toBe(201);
    expect(daemon.requests.map(({ method }) => method)).toEqual(["start", "stop", "start"]);
  });

  test("of two starts at once under one name the second is refused", async () => {
    await connect();
    const answers = await Promise.all(
      [1, 2].map(() => coordinator.post("/api/v1/dataflows", FILE)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]));
  });

  test("a fault that the daemon finds is answered with its code", async () => {
    await connect({
      handle: () => {
        throw new AppError("DATAFLOW_INVALID", "flow.yml:1:1: no nodes");
      },
    });
    const { status, body } = await coordinator.post("/api/v1/dataflows", FILE);
    expect([status, body.error.code]).toEqual([400, "DATAFLOW_INVALID"]);
    expect(body.error.message).toContain("flow.yml:1:1: no nodes");
  });

  test("without a daemon nothing starts, and the hint says how to have one", async () => {
    const { status, body } = await coordinator.post("/api/v1/dataflows", FILE);
    expect([status, body.error.code]).toEqual([502, "DAEMON_UNREACHABLE"]);
    expect(body.error.hint).toContain("dora up");
  });

  test("a daemon that goes away while it is asked is told of", async () => {
    const daemon = await connect({
      handle: (_, own) => {
        void own.close();
        return new Promise(() => {});
      },
    });
    const { body } = await coordinator.post("/api/v1/dataflows", FILE);
    expect(body.error.code).toBe("DAEMON_UNREACHABLE");
    await daemon.closed;
  });

  test("a name that no table could show is refused", async () => {
    await connect();
    const { status, body } = await coordinator.post("/api/v1/dataflows", { ...FILE, name: "a b" });
    expect([status, body.error.code]).toEqual([400, "REQUEST_INVALID"]);
  });
});

describe("finding a dataflow", () => {
  const ids = [1, 2].map((digit) => `01900000-0000-7000-8000-00000000000${digit}`);

  beforeEach(async () => {
    await connect({
      dataflows: ids.map((id, index) => dataflowStatus({ id, name: `flow-${index}` })),
    });
  });

  test("it is found by id, by name and by a unique start of its id", async () => {
    const one = ids[1] ?? "";
    for (const text of [one, one.toUpperCase(), "flow-1"]) {
      expect((await coordinator.get(`/api/v1/dataflows/${text}`)).body.id, text).toBe(one);
    }
  });

  test("a start of several ids is ambiguous, and lists them", async () => {
    const { status, body } = await coordinator.get("/api/v1/dataflows/019");
    expect([status, body.error.code]).toEqual([409, "DATAFLOW_AMBIGUOUS"]);
    expect(body.error.message).toBe(
      `"019" may be any of 2 dataflows:\n  ${ids[0]}  flow-0 (running)\n  ${ids[1]}  flow-1 (running)`,
    );
  });

  test("one that is not there is answered with what runs", async () => {
    const { status, body } = await coordinator.get("/api/v1/dataflows/flow");
    expect(status).toBe(404);
    expect(body.error.message).toBe('there is no dataflow "flow"; these run: flow-0, flow-1');
  });
});

describe("changing what runs", () => {
  test("each route becomes the daemon's request, nodes found by display name too", async () => {
    const daemon = await connect({ dataflows: [dataflowStatus()] });
    const { id } = dataflowStatus();
    const base = "/api/v1/dataflows/flow";
    const link = {
      source: { node: "camera", output: "image" },
      target: { node: "Detector", input: "in" },
    };
    const answers = [
      await coordinator.post(`${base}/pause`),
      await coordinator.post(`${base}/resume`, { node: "camera" }),
      await coordinator.post(`${base}/nodes/Detector/restart`),
      await coordinator.post(`${base}/nodes/camera/stop`),
      await coordinator.post(`${base}/nodes/camera/parameters`, {
        set: { frame_Rate: 7 },
        deleted: ["old"],
      }),
      await coordinator.post(`${base}/nodes/camera/data_format`, { format: "arrow" }),
      await coordinator.post(`${base}/links/connect`, link),
      await coordinator.post(`${base}/links/disconnect`, link),
      await coordinator.post(`${base}/reload`, { node: "camera" }),
      await coordinator.post(`${base}/stop`, { grace_ms: 5, force: true }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    const ends = { source: link.source, target: { node: "detector", input: "in" } };
    expect(daemon.requests).toEqual([
      { method: "pause", dataflow: id },
      { method: "resume", dataflow: id, node: "camera" },
      { method: "restart-node", dataflow: id, node: "detector" },
      { method: "stop-node", dataflow: id, node: "camera" },
      {
        method: "set-parameters",
        dataflow: id,
        node: "camera",
        set: { frame_Rate: 7 },
        deleted: ["old"],
      },
      { method: "set-data-format", dataflow: id, node: "camera", format: "arrow" },
      { method: "connect", dataflow: id, ...ends },
      { method: "disconnect", dataflow: id, ...ends },
      { method: "reload-node", dataflow: id, node: "camera" },
      { method: "stop", dataflow: id, graceMs: 5, force: true },
    ]);
  });

  test("a node's new state is known from its event on, before the next status", async () => {
    const daemon = await connect();
    const { body } = await coordinator.post("/api/v1/dataflows", FILE);
    const [node] = daemon.running.get(body.id)?.nodes ?? [];
    const at = { dataflow: body.id, atUnixMs: 1_736_282_047_000 };
    daemon.event({ type: "node", node: node.id, state: "restarting", ...at });
    await expect
      .poll(
        async () => (await coordinator.get(`/api/v1/dataflows/flow/nodes/${node.id}`)).body.state,
      )
      .toBe("restarting");
    daemon.event({ type: "node", node: node.id, state: "starting", pid: 4712, ...at });
    await expect
      .poll(
        async () => (await coordinator.get(`/api/v1/dataflows/flow/nodes/${node.id}`)).body["pid"],
      )
      .toBe(4712);
  });

  test("a node that is not there is answered with the nearest", async () => {
    await connect({ dataflows: [dataflowStatus()] });
    const { status, body } = await coordinator.get("/api/v1/dataflows/flow/nodes/camra");
    expect(status).toBe(404);
    expect(body.error.message).toContain('has no node "camra", did you mean "camera"?');
  });

  test("a restart stops, waits for the end, and starts the same text under a new id", async () => {
    const daemon = await connect();
    const { body: first } = await coordinator.post("/api/v1/dataflows", FILE);
    const { status, body: second } = await coordinator.post("/api/v1/dataflows/flow/restart");
    expect(status).toBe(201);
    expect(second.id).not.toBe(first.id);
    expect(daemon.requests.map(({ method }) => method)).toEqual(["start", "stop", "start"]);
    expect(daemon.requests[2]).toMatchObject({ text: FILE.text, name: "flow" });
  });

  test("what has ended is not changed any more", async () => {
    await connect();
    await coordinator.post("/api/v1/dataflows", FILE);
    await coordinator.post("/api/v1/dataflows/flow/stop");
    await expect.poll(() => coordinator.coordinator.running().length).toBe(0);
    const { status, body } = await coordinator.post("/api/v1/dataflows/flow/pause");
    expect([status, body.error.code]).toEqual([409, "DATAFLOW_STATE"]);
  });
});

describe("what outlives a restart", () => {
  test("what is wanted and what has ended are known after it, flows that went on are believed", async () => {
    const daemon = await connect();
    await coordinator.post("/api/v1/dataflows", { ...FILE, name: "ends" });
    await coordinator.post("/api/v1/dataflows/ends/stop");
    await expect.poll(() => coordinator.coordinator.running().length).toBe(0);
    const { body: goesOn } = await coordinator.post("/api/v1/dataflows", FILE);
    await coordinator.close();
    await daemon.closed;

    coordinator = await startCoordinator(folder.path);
    const { body: alone } = await coordinator.get("/api/v1/dataflows");
    const brief = (flow: (typeof alone.dataflows)[number]): string =>
      `${flow.name} ${flow.state} ${flow.is_daemon_connected}`;
    expect(alone.dataflows.map(brief)).toEqual(["flow running false", "ends stopped false"]);
    const paused = dataflowStatus({ id: goesOn.id, state: "paused" });
    const other = dataflowStatus({ id: dataflowStatus().id, name: "other" });
    await connect({ dataflows: [paused, other] });
    const { body } = await coordinator.get("/api/v1/dataflows");
    expect(body.dataflows.map(brief)).toEqual([
      "flow paused true",
      "other running true",
      "ends stopped true",
    ]);
    const { status } = await coordinator.post("/api/v1/dataflows/flow/restart");
    expect(status).toBe(201);
  });

  test("what a daemon does not run any more when it comes back has failed", async () => {
    const daemon = await connect();
    await coordinator.post("/api/v1/dataflows", FILE);
    await daemon.close();
    await expect.poll(() => coordinator.coordinator.daemons().length).toBe(0);
    expect(coordinator.coordinator.find("flow").state).toBe("running");
    await connect({ pid: 2 });
    expect(coordinator.coordinator.find("flow")).toMatchObject({
      state: "failed",
      nodes: [{ state: "failed" }, { state: "failed" }],
    });
  });

  test("the last 100 that have ended are kept", async () => {
    const ended = Array.from({ length: 101 }, (_, index) =>
      dataflowStatus({
        id: `01900000-0000-7000-8000-${String(index).padStart(12, "0")}`,
        name: `flow-${index}`,
        state: "completed",
        endedAtUnixMs: index,
        nodes: [],
      }),
    );
    await connect({ dataflows: ended });
    await coordinator.post("/api/v1/dataflows", FILE);
    const { body } = await coordinator.get("/api/v1/dataflows");
    expect(body.dataflows.map((flow) => flow.name)).toEqual([
      "flow",
      ...Array.from({ length: 100 }, (_, index) => `flow-${100 - index}`),
    ]);
    await coordinator.coordinator.close();
    const text = readFileSync(coordinator.stateFile, "utf8");
    expect(text).toContain("flow-100");
  });

  test("variables of a start are those of its restart, in a file of the user's alone and in no answer", async () => {
    const daemon = await connect();
    const environment = { KEY: "s3cret", LEVEL: "1" };
    const { body: started } = await coordinator.post("/api/v1/dataflows", { ...FILE, environment });
    await coordinator.close();
    await daemon.closed;
    expect(readFileSync(coordinator.stateFile, "utf8")).toContain("s3cret");
    expect(statSync(coordinator.stateFile).mode & 0o777).toBe(0o600);

    coordinator = await startCoordinator(folder.path);
    const again = await connect({ dataflows: [dataflowStatus({ id: started.id })] });
    const { body: restarted } = await coordinator.post("/api/v1/dataflows/flow/restart", {
      environment: { LEVEL: "2" },
    });
    expect(again.requests.at(-1)).toMatchObject({ environment: { KEY: "s3cret", LEVEL: "2" } });
    const { body: list } = await coordinator.get("/api/v1/dataflows");
    expect(JSON.stringify([started, restarted, list])).not.toContain("s3cret");
  });

  test("a state that makes no sense is set aside", async () => {
    await coordinator.close();
    writeFileSync(coordinator.stateFile, '{"version":1,"wanted":[{}]');
    coordinator = await startCoordinator(folder.path);
    expect((await coordinator.get("/api/v1/dataflows")).body.dataflows).toEqual([]);
    expect(readFileSync(`${coordinator.stateFile}.damaged`, "utf8")).toContain("wanted");
  });
});

describe("daemons", () => {
  test("one of another protocol, and a second one of a machine, are refused in words", async () => {
    const strange = await connect({ protocol: 2 });
    expect(await strange.welcome.promise).toEqual({
      type: "refused",
      message: "dora 0.1.0 speaks version 2 of the daemon protocol, this coordinator version 1",
    });
    await connect({ pid: 1 });
    const second = await connect({ pid: 2 });
    expect(await second.welcome.promise).toMatchObject({
      type: "refused",
      message: "a daemon of machine robot (pid 1) is connected already",
    });
    expect((await coordinator.get("/api/v1/daemons")).body.daemons).toMatchObject([
      { machine: "robot", pid: 1, version: "0.1.0", dataflows: 0 },
    ]);
  });

  test("the same daemon takes the place of its broken connection", async () => {
    const first = await connect({ pid: 1 });
    await connect({ pid: 1 });
    await first.closed;
    expect(coordinator.coordinator.daemons()).toHaveLength(1);
  });

  test.each(["no json", '{"type":"hello"}', '{"type":"reply","id":"x"}', "[]", "null"])(
    "one that says %s is let go, and the coordinator goes on",
    async (text) => {
      const daemon = await connect();
      daemon.sayText(text);
      await daemon.closed;
      await expect.poll(() => coordinator.coordinator.daemons()).toEqual([]);
      expect((await coordinator.get("/healthz")).status).toBe(200);
    },
  );

  test("a status that would write to a terminal is only data", async () => {
    const name = "\u001b[2J";
    await connect({ dataflows: [dataflowStatus({ nodes: [nodeStatus("a", { name })] })] });
    expect(coordinator.coordinator.find("flow").nodes[0]?.name).toBe(name);
  });

  test("requests that it takes twice do no harm", async () => {
    const daemon = await connect({ handle: takeAll });
    await coordinator.post("/api/v1/dataflows", FILE);
    daemon.say({ type: "reply", id: 1, result: null });
    daemon.say({ type: "reply", id: 99, result: null });
    daemon.status();
    expect((await coordinator.get("/api/v1/dataflows/flow")).status).toBe(200);
  });
});
