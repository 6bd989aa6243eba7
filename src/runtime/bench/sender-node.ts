/** The node of `dora bench` that sends. */
import { setTimeout as sleep } from "node:timers/promises";
import { Node } from "../node/index.ts";
import { ARRIVAL_TIMEOUT_MS, nowNs, PACE_MS, readPlan, WARM_UP_MESSAGES } from "./method.ts";

const { mode, steps } = readPlan();
await using node = await Node.connect();

for (const [step, { sizeBytes, messages }] of steps.entries()) {
  const payload = Buffer.alloc(sizeBytes, 7);
  const send = (index: number, tell: boolean): Promise<void> =>
    node.sendOutput("data", payload, { step, index, sentNs: nowNs(), tell });
  for (let index = -WARM_UP_MESSAGES; index < 0; index++) {
    await send(index, true);
    await arrival(step, index);
  }
  for (let index = 0; index < messages; index++) {
    if (mode === "latency") {
      await sleep(PACE_MS);
      await send(index, true);
      await arrival(step, index);
    } else {
      await send(index, index === messages - 1);
    }
  }
  if (mode === "throughput") await arrival(step, messages - 1);
}

/** Resolves when the receiver tells of this message, or too late. */
async function arrival(step: number, index: number): Promise<void> {
  const deadlineMs = performance.now() + ARRIVAL_TIMEOUT_MS;
  while (!node.isEnded && performance.now() < deadlineMs) {
    const event = await node.next(deadlineMs - performance.now());
    if (event?.type !== "input") continue;
    if (event.metadata["step"] === step && event.metadata["index"] === index) return;
  }
}
