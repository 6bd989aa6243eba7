/** Python operators: what `dora.operator_host` makes of them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDaemon } from "../daemon/daemon-harness.ts";
import { DaemonSide, type NodePlan } from "../node/daemon-side.ts";
import { hasPython, PYTHON_HINT, type PythonProcess, spawnPython } from "./python-process.ts";

const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url).href;

const SHOUTER = `from dora import DoraStatus

class Operator:
    def __init__(self):
        self.count = 0

    def on_event(self, dora_event, send_output):
        if dora_event["type"] == "INPUT":
            self.count += 1
            assert dora_event["id"] == "tick"
            for part in range(20):
                send_output("loud", f"HEY {self.count}.{part}".encode(), dora_event["metadata"])
            if self.count == 2:
                return DoraStatus.STOP
        return DoraStatus.CONTINUE
`;

const LOUD = {
  kind: "link",
  link: "node/shouter/loud->node/printer/in",
  node: "node",
  output: "shouter/loud",
  transport: { kind: "socket", options: {} },
} as const;

const PRINTER = `class Operator:
    def on_event(self, dora_event, send_output):
        if dora_event["type"] == "INPUT":
            print(dora_event["id"], bytes(dora_event["value"]).decode())
        else:
            print(dora_event["type"], dora_event.get("id"))
`;

async function start(
  operators: readonly { id: string; program: string; inputs: string[]; outputs: string[] }[],
  inputs: NonNullable<NodePlan["inputs"]>,
  outputs: readonly string[],
): Promise<{
  daemon: DaemonSide;
  host: PythonProcess;
  rewrite: (id: string, text: string) => void;
}> {
  const configs: { id: string; source: string; inputs: string[]; outputs: string[] }[] = [];
  const daemon = await DaemonSide.start({ node: { inputs, outputs, operators: configs } });
  const fileOf = (id: string): string => join(daemon.folder, `${id}.py`);
  for (const { id, program, ...ports } of operators) {
    writeFileSync(fileOf(id), program);
    configs.push({ id, source: fileOf(id), ...ports });
  }
  const host = spawnPython(daemon, "node", ["-m", "dora.operator_host"]);
  return { daemon, host, rewrite: (id, text) => writeFileSync(fileOf(id), text) };
}

describe.skipIf(!hasPython)(`Python operators (${PYTHON_HINT})`, () => {
  test("operators of one process hand messages to each other, lose none of a burst, and end", async () => {
    const { daemon, host } = await start(
      [
        { id: "shouter", program: SHOUTER, inputs: ["shouter/tick"], outputs: ["shouter/loud"] },
        { id: "printer", program: PRINTER, inputs: ["printer/in"], outputs: [] },
      ],
      { "shouter/tick": "timer:50", "printer/in": { source: LOUD } },
      ["shouter/loud"],
    );
    await host.wrote("INPUT_CLOSED in");
    daemon.node("node").say({ type: "stop", reason: "manual", graceMs: 5000 });
    expect(await host.ended).toBe(0);
    const heys = [1, 2].flatMap((count) =>
      Array.from({ length: 20 }, (_, part) => `in HEY ${count}.${part}`),
    );
    expect(host.stdout().trimEnd().split("\n")).toEqual([
      ...heys,
      "INPUT_CLOSED in",
      "STOP MANUAL",
    ]);
    expect(host.stderr()).toBe("");
  });

  test("an operator of its own has its ports' names as they are; an error is a record and ends the node", async () => {
    const program = `class Operator:
    def on_event(self, dora_event, send_output):
        send_output("nowhere", b"")
`;
    const { daemon, host } = await start(
      [{ id: "op", program, inputs: ["tick"], outputs: ["out"] }],
      { tick: "timer:50" },
      ["out"],
    );
    expect(await host.ended).toBe(1);
    const side = daemon.node("node");
    await side.until(() => !side.isConnected);
    const [record] = side.of("log").flatMap(({ records }) => records);
    expect(record.message).toContain('operator op has no output "nowhere"; it has out');
    expect(record).toMatchObject({ level: "error", traceId: side.hops[0].traceId });
    expect(side.hops).toMatchObject([{ isFailed: true }]);
    expect(host.stderr()).toContain("OUTPUT_UNKNOWN");
  });

  test("an operator that is loaded again keeps its attributes; one that cannot be goes on as it was", async () => {
    const version = (name: string): string => `class Operator:
    def __init__(self):
        self.count = 0
    def on_event(self, dora_event, send_output):
        self.count += 1
        print("${name}", self.count)
`;
    const { daemon, host, rewrite } = await start(
      [{ id: "op", program: version("old"), inputs: ["tick"], outputs: [] }],
      { tick: "timer:30" },
      [],
    );
    const side = daemon.node("node");
    await host.wrote("old 2");
    rewrite("op", "class Operator:\n  this is no Python");
    side.say({ type: "reload", operator: "op" });
    await side.until(() => side.of("log").length === 1);
    const seen = host.stdout().trimEnd().split("\n").length;
    await host.wrote(`old ${seen + 2}`);
    rewrite("op", version("renewed"));
    side.say({ type: "reload" });
    await host.wrote("renewed");
    side.say({ type: "stop", reason: "manual", graceMs: 5000 });
    expect(await host.ended).toBe(0);
    const counts = host
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => Number(line.split(" ")[1]));
    expect(counts).toEqual(counts.map((_, index) => index + 1));
  });

  test("a file without an operator says so", async () => {
    const { host } = await start(
      [{ id: "op", program: "x = 1", inputs: ["tick"], outputs: [] }],
      { tick: "timer:50" },
      [],
    );
    expect(await host.ended).toBe(1);
    expect(host.stderr()).toContain("op.py has no class Operator with a method on_event");
  });

  test("the daemon starts them, and they talk to nodes of other languages", async () => {
    const it = await openDaemon();
    it.file("shouter.py", SHOUTER);
    it.file("printer.py", PRINTER);
    it.file(
      "echo.mjs",
      `import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type === "input") await node.sendOutput("back", event.bytes(), event.metadata);
}`,
    );
    const id = await it.start(`
nodes:
  - id: operators
    operators:
      - { id: shouter, python: shouter.py, inputs: { tick: dora/timer/millis/50 }, outputs: [loud] }
      - id: printer
        python: printer.py
        inputs: { back: { source: echo/back, queue_size: 100 } }
  - { id: echo, path: echo.mjs, inputs: { in: { source: operators/shouter/loud, queue_size: 100 } }, outputs: [back] }
`);
    await it.until(() => it.telemetry.output("operators").includes("INPUT_CLOSED back"));
    await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 5000, force: false });
    await it.until(() => it.status(id).state === "stopped");
    const printed = it.telemetry.output("operators").trimEnd().split("\n");
    expect(printed).toHaveLength(42);
    expect(printed.slice(38)).toEqual([
      "back HEY 2.18",
      "back HEY 2.19",
      "INPUT_CLOSED back",
      "STOP MANUAL",
    ]);
  });
});
