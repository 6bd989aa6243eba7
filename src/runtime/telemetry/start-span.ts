import type { SpanContext } from "@opentelemetry/api";
import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { StartSpan } from "../protocol/run-telemetry.ts";
import type { SpanSource } from "./hop-span.ts";
import { toHrTime } from "./hop-bytes.ts";
import { SCOPE } from "./hop-span.ts";

/** The span `start` of a node's process: what the process's environment names, so that its own spans stand below it. */
export function toStartSpan({ resource }: SpanSource, span: StartSpan): ReadableSpan {
  const context: SpanContext = {
    traceId: span.traceId,
    spanId: span.spanId,
    traceFlags: TraceFlags.SAMPLED,
  };
  const parent = span.parentSpanId;
  return {
    name: "start",
    kind: SpanKind.INTERNAL,
    spanContext: () => context,
    ...(parent === undefined
      ? {}
      : { parentSpanContext: { ...context, spanId: parent, isRemote: true } }),
    startTime: toHrTime(span.startUnixNs),
    endTime: toHrTime(span.endUnixNs),
    duration: toHrTime(span.endUnixNs - span.startUnixNs),
    status: { code: span.isFailed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: { "dora.node.restarts": span.restarts },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
