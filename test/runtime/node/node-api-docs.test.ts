/** Runs every example of docs/node-api.md as a node of its own, between a source and a sink. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Node } from "../../../src/runtime/node/node.ts";
import { DaemonSide, sourceOf } from "./daemon-side.ts";

const DOCS = new URL("../../../docs/node-api.md", import.meta.url);
const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url);
/** Within the checkout, so that apache-arrow is found, and not part of it. */
const FOLDER = fileURLToPath(new URL("../../../bench/data/node-api-examples/", import.meta.url));

const examples = [...readFileSync(DOCS, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(
  (found, index) => ({ number: index + 1, text: found[1] }),
);

test("there are examples", () => {
  expect(examples).toHaveLength(6);
});

test.each(examples)("example $number runs, sends, and ends well", async ({ number, text }) => {
  const daemon = await DaemonSide.start({
    source: { outputs: ["image"] },
    example: { inputs: { image: "source/image" }, outputs: ["objects", "raw", "points", "done"] },
    sink: { inputs: { in: { queueSize: 100, source: sourceOf("example/objects", "sink/in") } } },
  });
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `example-${number}.ts`);
  writeFileSync(file, text.replace("dora-dataflow/node", LIBRARY.href));
  onTestFinished(() => rmSync(file));
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, ...daemon.environment("example") },
    stdio: ["ignore", "inherit", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const exit = once(child, "exit");

  const [source, sink] = await Promise.all(
    ["source", "sink"].map((id) => Node.connect({ environment: daemon.environment(id) })),
  );
  onTestFinished(() => Promise.all([source.close(), sink.close()]).then(() => {}));
  const side = daemon.node("example");
  side.say({ type: "parameters", set: { gain: 2 }, deleted: [] });
  side.say({ type: "node-failed", node: "x", inputs: ["image"], message: "exit code 1" });
  side.say({ type: "node-restarted", node: "x" });
  side.say({ type: "reload" });
  await source.sendOutput("image", Buffer.from("pixels"), { frame: 7 });
  expect(await sink.next()).toMatchObject({ type: "input", id: "in" });
  await source.close();
  expect(await exit).toEqual([0, null]);
  await side.until(() => !side.isConnected);
  expect(side.of("finished")).toHaveLength(1);
  const levels = side.of("log").flatMap(({ records }) => records.map(({ level }) => level));
  expect(levels).not.toContain("fatal");
});
