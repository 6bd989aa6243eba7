/** Operators of one process, beneath the real daemon. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openDaemon, type TestDaemon } from "../daemon/daemon-harness.ts";

const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url).href;

/** A node that prints each message of its input `in` as a line, and then the events that are none. */
const PRINTER = `
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type === "input") console.log(Buffer.from(event.bytes()).toString());
}
`;

function lines(it: TestDaemon, node: string): readonly string[] {
  return it.telemetry.output(node).split("\n").slice(0, -1);
}

test("operators of one node run on threads of one process, and hand on memory without a copy", async () => {
  const it = await openDaemon();
  it.file(
    "camera.mjs",
    `import { threadId } from "node:worker_threads";
    let frame = 0;
    export default async function onEvent(event, output) {
      if (event.type !== "input" || frame === 20) return frame === 20 ? "stop" : undefined;
      const image = new Uint8Array(100_000).fill(frame);
      const sent = output("image", image, { frame, pid: process.pid, threadId });
      // Its memory has gone with the message.
      if (image.length !== 0) throw new Error("the image was copied");
      frame += 1;
      await sent;
    }`,
  );
  it.file(
    "detector.ts",
    `import { threadId } from "node:worker_threads";
    import type { OperatorContext, OperatorEvent, SendOutput } from "dora-dataflow/operator";
    export default class Detector {
      readonly #context: OperatorContext;
      constructor(context: OperatorContext) { this.#context = context; }
      async onEvent(event: OperatorEvent, output: SendOutput) {
        if (event.type !== "input") return;
        const { frame, pid, threadId: sender } = event.metadata;
        const bytes = event.bytes();
        const isSame = pid === process.pid && sender !== threadId;
        const isWhole = bytes.length === 100_000 && bytes.every((byte) => byte === frame);
        this.#context.log.info("seen " + String(frame));
        await output("objects", Buffer.from([frame, isSame, isWhole, event.id].join(" ")));
      }
    }`,
  );
  it.file("printer.mjs", PRINTER);
  const id = await it.start(`
nodes:
  - id: vision
    operators:
      - id: camera
        javascript: camera.mjs
        inputs: { tick: dora/timer/millis/2 }
        outputs: [image]
      - id: detector
        javascript: detector.ts
        inputs: { picture: { source: vision/camera/image, queue_policy: backpressure } }
        outputs: [objects]
  - id: printer
    path: printer.mjs
    inputs: { in: { source: vision/detector/objects, queue_policy: backpressure } }
`);
  await it.until(() => lines(it, "printer").length === 20);
  expect(lines(it, "printer")).toEqual(
    Array.from({ length: 20 }, (_, frame) => `${frame} true true picture`),
  );
  expect(it.telemetry.nodeLogs).toEqual(Array.from({ length: 20 }, (_, frame) => `seen ${frame}`));
  await it.daemon.handle({ method: "stop", dataflow: id, force: false });
  await it.until(() => it.status(id).state === "stopped");
  expect(it.node(id, "vision").end?.exitCode).toBe(0);
});

test("what several receive lies in shared memory, and each has all of it", async () => {
  const it = await openDaemon();
  const receiver = `
    export default async function onEvent(event, output) {
      if (event.type !== "input") return;
      const bytes = event.bytes();
      const isWhole = bytes.length === 300_000 && bytes.every((byte) => byte === event.metadata.frame);
      const isShared = bytes.buffer instanceof SharedArrayBuffer;
      await output("report", Buffer.from([event.metadata.frame, isWhole, isShared].join(" ")));
    }`;
  it.file("left.mjs", receiver);
  it.file("right.mjs", receiver);
  it.file(
    "camera.mjs",
    `let frame = 0;
    export default async function onEvent(event, output) {
      if (event.type !== "input" || frame === 10) return;
      await output("image", new Uint8Array(300_000).fill(frame), { frame });
      frame += 1;
    }`,
  );
  it.file(
    "far.mjs",
    `import { Node } from "${LIBRARY}";
    await using node = await Node.connect();
    for await (const event of node) {
      if (event.type !== "input") continue;
      const bytes = event.bytes();
      console.log(event.metadata.frame, bytes.length === 300_000 && bytes.every((byte) => byte === event.metadata.frame));
    }`,
  );
  it.file("printer.mjs", PRINTER);
  await it.start(`
nodes:
  - id: vision
    operators:
      - id: camera
        javascript: camera.mjs
        inputs: { tick: dora/timer/millis/5 }
        outputs: [image]
      - id: left
        javascript: left.mjs
        inputs: { image: { source: vision/camera/image, queue_policy: backpressure } }
        outputs: [report]
      - id: right
        javascript: right.mjs
        inputs: { image: { source: vision/camera/image, queue_policy: backpressure } }
        outputs: [report]
  - id: far
    path: far.mjs
    inputs: { image: { source: vision/camera/image, queue_policy: backpressure } }
  - id: printer-left
    path: printer.mjs
    inputs: { in: { source: vision/left/report, queue_policy: backpressure } }
  - id: printer-right
    path: printer.mjs
    inputs: { in: { source: vision/right/report, queue_policy: backpressure } }
`);
  const printers = ["far", "printer-left", "printer-right"];
  await it.until(() => printers.every((node) => lines(it, node).length === 10));
  const frames = Array.from({ length: 10 }, (_, frame) => frame);
  expect(lines(it, "far")).toEqual(frames.map((frame) => `${frame} true`));
  for (const node of ["printer-left", "printer-right"]) {
    expect(lines(it, node)).toEqual(frames.map((frame) => `${frame} true true`));
  }
});

test("the example of docs/operators.md runs", async () => {
  const it = await openDaemon();
  const docs = readFileSync(new URL("../../../docs/operators.md", import.meta.url), "utf8");
  const example = (language: string): string =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, "ms").exec(docs)?.[1] ?? "";
  it.file("detector.ts", example("ts"));
  it.file(
    "camera.mjs",
    `export default async (event, output) => {
      if (event.type === "input") await output("image", Uint8Array.of(7, 8, 9));
    };`,
  );
  const id = await it.start(example("yaml"));
  await it.until(() => it.telemetry.nodeRecords.length > 2);
  expect(it.telemetry.nodeRecords[2]).toMatchObject({ message: "seen", attributes: { bytes: 3 } });
  await it.daemon.handle({ method: "stop", dataflow: id, force: false });
  await it.until(() => it.status(id).state === "stopped");
});

test("a slow operator holds up no other, and its inputs lose the oldest", async () => {
  const it = await openDaemon();
  it.file(
    "slow.mjs",
    `export default async function onEvent(event) {
      if (event.type === "input") await new Promise(() => {});
    }`,
  );
  it.file(
    "fast.mjs",
    `let count = 0;
    export default async function onEvent(event, output) {
      if (event.type !== "input") return;
      count += 1;
      await output("count", Buffer.from(String(count)));
    }`,
  );
  it.file("printer.mjs", PRINTER);
  const id = await it.start(`
nodes:
  - id: both
    operators:
      - id: slow
        javascript: slow.mjs
        inputs: { tick: dora/timer/millis/2 }
      - id: fast
        javascript: fast.mjs
        inputs: { tick: dora/timer/millis/2 }
        outputs: [count]
  - id: printer
    path: printer.mjs
    inputs: { in: both/fast/count }
`);
  await it.until(() => lines(it, "printer").length > 30);
  expect(it.status(id).state).toBe("running");
});

test("an operator that throws is a record with the trace, and its node fails", async () => {
  const it = await openDaemon();
  it.file(
    "broken.mjs",
    `export default function onEvent(event) {
      console.log("before the end");
      throw new RangeError("no such picture");
    }`,
  );
  const id = await it.start(`
nodes:
  - id: vision
    operator:
      javascript: broken.mjs
      inputs: { tick: dora/timer/millis/10 }
`);
  await it.until(() => it.status(id).state === "failed");
  const { end } = it.node(id, "vision");
  expect(end).toMatchObject({ exitCode: 1 });
  expect(end?.lastStderr[0]).toBe("RangeError: no such picture");
  expect(lines(it, "vision")[0]).toBe("before the end");
  const [record] = it.telemetry.nodeRecords;
  expect(record).toMatchObject({
    level: "error",
    message: "operator op failed: no such picture",
    attributes: {
      "dora.operator.id": "op",
      "exception.type": "RangeError",
      "exception.message": "no such picture",
    },
  });
  expect(record.traceId).toMatch(/^[0-9a-f]{32}$/);
  expect(record.spanId).toMatch(/^[0-9a-f]{16}$/);
  expect(record.attributes?.["exception.stacktrace"]).toContain("broken.mjs:3");
});

test("a promise that an operator leaves alone fails its node as well", async () => {
  const it = await openDaemon();
  it.file(
    "broken.mjs",
    `export default function onEvent(event, output) {
      if (event.type === "input") void output("imgae", Buffer.from("x"));
    }`,
  );
  const id = await it.start(`
nodes:
  - id: vision
    operator:
      javascript: broken.mjs
      inputs: { tick: dora/timer/millis/10 }
      outputs: [image]
`);
  await it.until(() => it.status(id).state === "failed");
  expect(it.telemetry.nodeLogs).toEqual([
    'operator op failed: operator op has no output "imgae"; it has image, did you mean "image"?',
  ]);
});

test.each([
  ["export default 7;", /exports no operator: give it a default export/],
  ["export default class { onEvent( }", /SyntaxError/],
  ['import "./not-there.mjs";', /not-there\.mjs/],
])("a module that is no operator ends the start: %s", async (text, words) => {
  const it = await openDaemon();
  it.file("broken.mjs", text);
  it.file("fine.mjs", "export default function onEvent() {}");
  const id = await it.start(`
nodes:
  - id: vision
    operators:
      - { id: fine, javascript: fine.mjs, inputs: { tick: dora/timer/millis/10 } }
      - { id: broken, javascript: broken.mjs, inputs: { tick: dora/timer/millis/10 } }
`);
  await it.until(() => it.status(id).state === "failed");
  expect(it.node(id, "vision").end?.lastStderr.join("\n")).toMatch(words);
});

test("an operator that is loaded again keeps its state and misses nothing", async () => {
  const it = await openDaemon();
  const text = (version: string): string => `
    export default class Counter {
      constructor({ state }) { this.count = state ?? 0; }
      state() { return this.count; }
      async onEvent(event, output) {
        if (event.type !== "input") return;
        this.count += 1;
        await output("count", Buffer.from("${version} " + this.count));
      }
    }`;
  const source = it.file("counter.mjs", text("old"));
  it.file("printer.mjs", PRINTER);
  const id = await it.start(`
nodes:
  - id: counter
    operator:
      javascript: counter.mjs
      inputs: { tick: dora/timer/millis/5 }
      outputs: [count]
  - id: printer
    path: printer.mjs
    inputs: { in: { source: counter/count, queue_policy: backpressure } }
`);
  const reload = (): Promise<unknown> =>
    it.daemon.handle({ method: "reload-node", dataflow: id, node: "counter" });
  await it.until(() => lines(it, "printer").length > 3);
  writeFileSync(source, "export default { onEvent");
  await reload();
  await it.until(() => it.telemetry.nodeLogs.length === 1);
  writeFileSync(source, text("new"));
  await reload();
  await it.until(() => lines(it, "printer").some((line) => line.startsWith("new")));
  const pid = it.node(id, "counter").pid;
  await it.until(() => it.telemetry.nodeLogs.length === 2);
  expect(it.telemetry.nodeLogs).toEqual([
    "operator op could not be loaded again, the old one goes on",
    "operator op was loaded again",
  ]);
  expect(it.node(id, "counter")).toMatchObject({ pid, state: "running", restarts: 0 });
  const counts = lines(it, "printer").map((line) => Number(line.split(" ")[1]));
  expect(counts).toEqual(counts.map((_, index) => index + 1));
});

test("memory that was handed over cannot be sent again by mistake", async () => {
  const it = await openDaemon();
  it.file(
    "twice.mjs",
    `export default async function onEvent(event, output) {
      if (event.type !== "input") return;
      const bytes = new Uint8Array(10);
      await output("one", bytes);
      await output("two", bytes).catch((error) => console.log(error.code, error.message));
      return "stop-all";
    }`,
  );
  it.file("printer.mjs", PRINTER);
  const id = await it.start(`
nodes:
  - id: twice
    operator: { javascript: twice.mjs, inputs: { tick: dora/timer/millis/10 }, outputs: [one, two] }
  - id: printer
    path: printer.mjs
    inputs: { in: twice/one }
`);
  await it.until(() => it.status(id).state === "completed");
  expect(it.telemetry.output("twice")).toMatch(
    /^VALUE_UNSUPPORTED the memory for output "two" was handed over with an earlier message: send a copy/,
  );
});
