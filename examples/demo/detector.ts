/**
 * Finds objects in pictures and hands them to the planner. For a while its accelerator hangs: then
 * each picture takes longer than it may.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Span } from "@opentelemetry/api";
import { SpanStatusCode } from "@opentelemetry/api";
import type { FrameMessage } from "./node-link.ts";
import { listen, readControl, report, send } from "./node-link.ts";
import { NodeTelemetry } from "./node-telemetry.ts";

const DEADLINE_MS = 120;
const INCIDENT = { firstFrame: 41, lastFrame: 48 } as const;

const telemetry = new NodeTelemetry();
const { log, meter } = telemetry;
const inference = meter.createHistogram("detector.inference", { unit: "ms" });
const timeouts = meter.createCounter("detector.timeouts");

const server = await listen((message, parent) =>
  telemetry.inSpan("detect", { parent, attributes: { frame: message.frame } }, (span) =>
    detect(message, span),
  ),
);
report({ listening: server.url });
const nextLine = readControl();
const plannerUrl = await nextLine();
log.info({ deadline_ms: DEADLINE_MS }, "detector started");

await nextLine();
await server.close();
log.info("detector stopped");
report({ emitted: await telemetry.close() });
process.exit(0);

async function detect({ frame }: FrameMessage, span: Span): Promise<object> {
  const isHanging = frame >= INCIDENT.firstFrame && frame <= INCIDENT.lastFrame;
  const tookMs = isHanging ? DEADLINE_MS : 5 + (frame % 7);
  await delay(tookMs);
  inference.record(tookMs);
  if (isHanging) {
    timeouts.add(1);
    span.setStatus({ code: SpanStatusCode.ERROR, message: "inference timed out" });
    log.error({ frame, deadline_ms: DEADLINE_MS, accelerator: "npu0" }, "Inference timed out.");
    await send(plannerUrl, { frame, objectCount: 0 });
    return { isLate: true };
  }
  const objectCount = frame % 4;
  log.debug({ frame, objects: objectCount, latency_ms: tookMs }, "objects detected");
  await send(plannerUrl, { frame, objectCount });
  return {};
}
