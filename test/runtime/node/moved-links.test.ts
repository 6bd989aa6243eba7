/** Receivers that are killed and started again, at other addresses where the transport has any: what becomes of messages meanwhile. */
import { expect, test } from "vitest";
import { openDaemon } from "../daemon/daemon-harness.ts";

const LIBRARY = new URL("../../../src/runtime/node/index.ts", import.meta.url).href;
const MESSAGES = 300;

const SENDERS = {
  "sender.mjs": `import { setTimeout as sleep } from "node:timers/promises";
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for (let index = 0; index < ${MESSAGES}; index++) {
  await node.sendOutput("out", Uint8Array.of(index & 255, index >> 8));
  await sleep(2);
}`,
  "sender.py": `import time
from dora import Node
node = Node()
for index in range(${MESSAGES}):
    node.send_output("out", bytes([index & 255, index >> 8]))
    time.sleep(0.002)
`,
};

test.each([
  ["tcp", "sender.mjs"],
  ["websocket", "sender.mjs"],
  ["grpc", "sender.mjs"],
  ["socket", "sender.mjs"],
  ["tcp", "sender.py"],
] as const)(
  "over %s, what %s sends while its receiver is started again arrives, in order, none twice",
  async (transport, sender) => {
    const it = await openDaemon();
    it.file(sender, SENDERS[sender]);
    it.file(
      "receiver.mjs",
      `import { existsSync, writeFileSync } from "node:fs";
import { Node } from "${LIBRARY}";
await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const [low, high] = event.bytes();
  process.stdout.write(\`\${low + 256 * high}\\n\`);
  if (low === 50 && !existsSync("killed")) {
    writeFileSync("killed", "");
    process.kill(process.pid, "SIGKILL");
  }
}`,
    );
    const id = await it.start(`
default_transport: ${transport}
nodes:
  - { id: sender, path: ${sender}, outputs: [out] }
  - id: receiver
    path: receiver.mjs
    restart_policy: on-failure
    restart_delay: 0
    inputs: { in: { source: sender/out, queue_policy: backpressure } }
`);
    await it.until(() => it.status(id).state === "completed");
    const got = it.telemetry.output("receiver").trim().split("\n").map(Number);
    const missing = MESSAGES - got.length;
    expect(got).toEqual([...new Set(got)].toSorted((left, right) => left - right));
    expect(got.at(-1)).toBe(MESSAGES - 1);
    // What was on its way at the kill.
    expect(missing).toBeLessThan(100);
    expect(it.telemetry.unconfirmed("sender")).toBeGreaterThanOrEqual(missing);
    if (missing > 0)
      expect(it.telemetry.nodeLogs).toContain(
        "messages may be lost: a receiver went away before it had confirmed them",
      );
  },
);
