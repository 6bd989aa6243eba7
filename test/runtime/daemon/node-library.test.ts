/** The daemon with the real node library: messages between real processes. */
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { HOP_BYTES } from "../../../src/runtime/protocol/hops.ts";
import { openDaemon } from "./daemon-harness.ts";

const LIBRARY = fileURLToPath(new URL("../../../src/runtime/node/index.ts", import.meta.url));

/** Sends a number each 10 ms, of 200 KB; a parameter is added to it. */
const SENDER = `
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
let count = 0;
for await (const event of node) {
  if (event.type === "input") {
    const bytes = new Uint8Array(200_000);
    new DataView(bytes.buffer).setUint32(0, count++ + (node.parameters.offset ?? 0));
    await node.sendOutput("numbers", bytes, { count });
    if (count === Number(process.env.LAST)) break;
  }
}
`;

/** Says what it gets; dies at a number, once. */
const RECEIVER = `
import { existsSync, writeFileSync } from "node:fs";
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") { console.log(event.type, event.reason ?? ""); continue; }
  const number = new DataView((await event.bytes()).slice().buffer).getUint32(0);
  console.log("got", number);
  if (number > 20 && process.env.MARK && !existsSync(process.env.MARK)) {
    writeFileSync(process.env.MARK, "");
    process.kill(process.pid, "SIGKILL");
  }
}
`;

async function startFlow(options: { mark?: string; last?: number } = {}) {
  const it = await openDaemon();
  it.file("sender.ts", SENDER);
  it.file("receiver.ts", RECEIVER);
  const id = await it.start(`
nodes:
  - id: sender
    path: sender.ts
    inputs: { tick: dora/timer/millis/10 }
    outputs: [numbers]
    env: { LAST: "${options.last ?? 0}" }
  - id: receiver
    path: receiver.ts
    inputs: { numbers: { source: sender/numbers, queue_size: 100 } }
    restart_policy: on-failure
    restart_delay: 0
    env: { MARK: "${options.mark === undefined ? "" : `${it.folder}/${options.mark}`}" }
`);
  const numbers = (): number[] =>
    [...it.telemetry.output("receiver").matchAll(/^got (\d+)$/gm)].map(([, text]) => Number(text));
  return { it, id, numbers };
}

describe("with the node library", () => {
  test("messages go from node to node in order, and the end of the first ends the second", async () => {
    const { it, id, numbers } = await startFlow({ last: 50 });
    const { state, nodes } = await it.daemon.ended(id);
    expect(nodes.map((node) => [node.state, node.end?.lastStderr])).toEqual([
      ["completed", []],
      ["completed", []],
    ]);
    expect(state).toBe("completed");
    expect(numbers()).toEqual(Array.from({ length: 50 }, (_, index) => index));
    // 50 ticks handled, 50 messages sent, 50 handled.
    expect(it.telemetry.hopBytes).toBe(150 * HOP_BYTES);
    expect(it.telemetry.output("receiver").trimEnd()).toMatch(
      /input-closed.*\nstop all-inputs-closed$/,
    );
  });

  test("a receiver that is killed is started again and goes on receiving", async () => {
    const { it, id, numbers } = await startFlow({ mark: "died" });
    await it.until(() => numbers().length > 60);
    expect(it.node(id, "receiver").restarts).toBe(1);
    expect(it.node(id, "receiver").end?.signal).toBe("SIGKILL");
    expect(numbers()).toEqual(numbers().toSorted((left, right) => left - right));
    await it.daemon.handle({ method: "stop", dataflow: id, force: false });
    const { state, nodes } = await it.daemon.ended(id);
    expect(state).toBe("stopped");
    expect(nodes.map(({ end }) => end?.message)).toEqual(["exit code 0", "exit code 0"]);
  });

  test("a pause holds the timers, parameters arrive, gauges and rates of links are told", async () => {
    const { it, id, numbers } = await startFlow();
    await it.until(() => numbers().length > 5);
    await it.until(() => (it.status(id).links[0]?.messagesPerSecond ?? 0) > 0);
    expect(it.node(id, "receiver").connections).toBe(1);
    await it.daemon.handle({ method: "pause", dataflow: id });
    const change = { set: { offset: 1_000_000 }, deleted: [] };
    await it.daemon.handle({ method: "set-parameters", dataflow: id, node: "sender", ...change });
    await it.daemon.handle({ method: "resume", dataflow: id });
    await it.until(() => (numbers().at(-1) ?? 0) > 1_000_000);
  });
});
