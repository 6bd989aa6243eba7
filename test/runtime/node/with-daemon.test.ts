/** Nodes of this library beneath the real daemon. */
import { expect, test } from "vitest";
import { openDaemon } from "../daemon/daemon-harness.ts";

const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url).href;

const PROGRAM = (body: string): string => `
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") console.log(event.type, event.id ?? event.node ?? event.reason ?? "");
  ${body}
}
`;

test("a dataflow runs from its first message to its last", async () => {
  const it = await openDaemon();
  it.file(
    "camera.mjs",
    `import { Node } from "${LIBRARY}";
    await using node = await Node.connect();
    for (let frame = 0; frame < 100; frame++) {
      await node.sendOutput("image", Buffer.alloc(300_000, frame), { frame });
    }`,
  );
  it.file(
    "detector.mjs",
    PROGRAM(`if (event.type !== "input") continue;
    const { open_telemetry_context: context, ...metadata } = event.metadata;
    await node.sendOutput("objects", Int32Array.of(event.bytes()[0]), metadata);`),
  );
  it.file(
    "viewer.mjs",
    PROGRAM(`if (event.type !== "input") continue;
    node.log.info("object " + (await event.arrow()).get(0) + " of " + event.metadata.frame);`),
  );
  const id = await it.start(`
nodes:
  - { id: camera, path: camera.mjs, outputs: [image] }
  - id: detector
    path: detector.mjs
    inputs: { image: { source: camera/image, queue_policy: backpressure } }
    outputs: [objects]
  - id: viewer
    path: viewer.mjs
    inputs: { objects: { source: detector/objects, queue_policy: backpressure } }
`);
  await it.until(() => it.status(id).state === "completed");
  const expected = Array.from({ length: 100 }, (_, frame) => `object ${frame} of ${frame}`);
  expect(it.telemetry.nodeLogs).toEqual(expected);
  for (const [node, input] of [
    ["detector", "image"],
    ["viewer", "objects"],
  ]) {
    expect(it.telemetry.output(node).split("\n")).toEqual([
      `input-closed ${input}`,
      "stop all-inputs-closed",
      "",
    ]);
  }
  expect(it.telemetry.hopBytes).toBe(88 * 400);
});

test("a receiver that was started again gets messages again", async () => {
  const it = await openDaemon();
  it.file(
    "sender.mjs",
    PROGRAM(`if (event.type === "input") await node.sendOutput("out", Buffer.from("x"));`),
  );
  it.file(
    "fragile.mjs",
    PROGRAM(`if (event.type !== "input") continue;
    node.log.info("pid " + process.pid);
    if (event.metadata.last !== true) process.exit(3);`),
  );
  const id = await it.start(`
nodes:
  - { id: sender, path: sender.mjs, inputs: { tick: dora/timer/millis/20 }, outputs: [out] }
  - id: fragile
    path: fragile.mjs
    inputs: { in: sender/out }
    restart_policy: always
    restart_delay: 0.01
`);
  await it.until(() => new Set(it.telemetry.nodeLogs).size >= 3);
  expect(it.node(id, "sender").state).toBe("running");
  await it.daemon.handle({ method: "stop", dataflow: id, graceMs: 5000, force: false });
  await it.until(() => it.node(id, "sender").state === "stopped");
  expect(it.telemetry.output("sender")).toContain("stop manual");
});

test.each(["always", "on-failure"])(
  "a sender that closes its links and is started again ends nobody's input: %s",
  async (policy) => {
    const it = await openDaemon();
    it.file(
      "sender.mjs",
      `import { existsSync, writeFileSync } from "node:fs";
      import { Node } from "${LIBRARY}";
      const isSecond = existsSync("began");
      writeFileSync("began", "");
      await using node = await Node.connect();
      await node.sendOutput("out", Buffer.from(isSecond ? "second" : "first"));
      if (isSecond) await node.next();
      else if (${policy === "on-failure"}) throw new Error("the links are closed by this");`,
    );
    it.file(
      "printer.mjs",
      PROGRAM(`if (event.type === "input") console.log(event.bytes().toString());`),
    );
    const id = await it.start(`
nodes:
  - { id: sender, path: sender.mjs, outputs: [out], restart_policy: ${policy}, restart_delay: 0 }
  - { id: printer, path: printer.mjs, inputs: { in: sender/out } }
`);
    await it.until(() => it.telemetry.output("printer").includes("second"));
    expect(it.node(id, "sender").restarts).toBe(1);
    const told = it.telemetry.output("printer").split("\n").slice(0, -1);
    expect(told.toSorted()).toEqual(["first", "node-restarted sender", "second"]);
    await it.daemon.handle({ method: "stop-node", dataflow: id, node: "sender" });
    await it.until(() => it.status(id).state === "stopped" || it.status(id).state === "completed");
    expect(it.telemetry.output("printer")).toMatch(/input-closed in\nstop all-inputs-closed\n$/);
  },
);
