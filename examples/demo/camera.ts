/** Takes a picture every 80 ms and sends it to the detector. */
import { setInterval as every } from "node:timers/promises";
import { readControl, report, send } from "./node-link.ts";
import { NodeTelemetry } from "./node-telemetry.ts";

const FRAME_COUNT = 80;
const FRAME_INTERVAL_MS = 80;

const telemetry = new NodeTelemetry();
const { log, meter } = telemetry;
const frames = meter.createCounter("camera.frames", { description: "pictures taken" });
const roundTrip = meter.createHistogram("camera.round_trip", { unit: "ms" });

const detectorUrl = await readControl()();
log.info({ detector: detectorUrl, interval_ms: FRAME_INTERVAL_MS }, "camera started");

const underWay: Promise<void>[] = [];
let frame = 0;
for await (const _ of every(FRAME_INTERVAL_MS)) {
  frame += 1;
  underWay.push(capture(frame));
  if (frame === FRAME_COUNT) break;
}
await Promise.all(underWay);
log.info({ frames: FRAME_COUNT }, "camera stopped");
report({ emitted: await telemetry.close() });
process.exit(0);

async function capture(number: number): Promise<void> {
  await telemetry.inSpan("capture", { attributes: { frame: number } }, async () => {
    const startedMs = performance.now();
    frames.add(1);
    log.info({ frame: number, bytes: 921_600 }, "frame captured");
    const answer = await send(detectorUrl, { frame: number });
    const tookMs = performance.now() - startedMs;
    roundTrip.record(tookMs);
    const isLate = typeof answer === "object" && answer !== null && "isLate" in answer;
    if (isLate) {
      log.warn({ frame: number, latency_ms: Math.round(tookMs) }, "detector was late");
    }
  });
}
