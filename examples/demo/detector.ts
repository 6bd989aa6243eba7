/**
 * Finds objects in pictures and hands them to the planner. For a while its accelerator hangs: then
 * each picture takes longer than it may.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Node } from "dora-dataflow/node";

const INCIDENT = { firstFrame: 41, lastFrame: 48 } as const;

await using node = await Node.connect();
for await (const event of node) {
  if (event.type !== "input") continue;
  const deadlineMs = Number(node.parameters["deadline_ms"]);
  const frame = Number(event.metadata["frame"]);
  const isHanging = frame >= INCIDENT.firstFrame && frame <= INCIDENT.lastFrame;
  await delay(isHanging ? deadlineMs : 5 + (frame % 7));
  if (isHanging) {
    event.fail();
    node.log.error("Inference timed out.", { frame, deadline_ms: deadlineMs, accelerator: "npu0" });
  } else {
    node.log.debug("objects detected", { frame, objects: frame % 4 });
  }
  await node.sendOutput("objects", undefined, { frame, objects: isHanging ? 0 : frame % 4 });
}
