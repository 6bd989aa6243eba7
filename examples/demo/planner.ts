/** Plans the arm's path around the objects; without them it slows the arm down. */
import { setTimeout as delay } from "node:timers/promises";
import type { FrameMessage } from "./node-link.ts";
import { listen, readControl, report } from "./node-link.ts";
import { NodeTelemetry } from "./node-telemetry.ts";

const telemetry = new NodeTelemetry();
const { log, meter } = telemetry;
const plans = meter.createCounter("planner.plans");
/** Frames without objects, one after the other. */
let blindCount = 0;

const server = await listen((message, parent) =>
  telemetry.inSpan("plan", { parent, attributes: { frame: message.frame } }, () => plan(message)),
);
report({ listening: server.url });
log.info("planner started");

await readControl()();
await server.close();
log.info("planner stopped");
report({ emitted: await telemetry.close() });
process.exit(0);

async function plan({ frame, objectCount = 0 }: FrameMessage): Promise<object> {
  await delay(2);
  plans.add(1);
  blindCount = objectCount === 0 ? blindCount + 1 : 0;
  if (blindCount > 1) {
    log.warn({ frame, blind_frames: blindCount }, "no objects, arm slows down");
  } else {
    log.info({ frame, objects: objectCount }, "path planned");
  }
  return {};
}
