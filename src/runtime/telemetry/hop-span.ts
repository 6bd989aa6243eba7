import type { Attributes, SpanContext } from "@opentelemetry/api";
import { SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { NodeIdentity } from "../protocol/run-telemetry.ts";
import {
  HOP_END,
  HOP_PARENT,
  HOP_RECEIVED,
  HOP_SENT_AT,
  HOP_SPAN,
  HOP_START,
  HOP_TRACE,
  hrTimeOf,
  isFailed,
  isHandled,
  nsBetween,
  payloadBytesOf,
  portOf,
} from "./hop-bytes.ts";

/** Whose a hop is, as spans need it. */
export interface SpanSource {
  readonly identity: NodeIdentity;
  readonly resource: Resource;
}

/** About what a span takes in memory, for the queue's limit. */
export const SPAN_BYTES = 1024;

export const SCOPE = { name: "dora.runtime", version: "" };
const NO_SPAN = "0000000000000000";

/**
 * The span of a hop: `send OUTPUT` or `handle INPUT`.
 *
 * Source: OpenTelemetry semantic conventions, messaging spans, for the names under `messaging.`.
 */
export function toSpan({ identity, resource }: SpanSource, body: Buffer, at: number): ReadableSpan {
  const isHandle = isHandled(body, at);
  const ports = isHandle ? identity.inputs : identity.outputs;
  const port = ports[portOf(body, at)] ?? `#${portOf(body, at)}`;
  const traceId = body.toString("hex", at + HOP_TRACE, at + HOP_SPAN);
  const parent = body.toString("hex", at + HOP_PARENT, at + HOP_START);
  const context: SpanContext = {
    traceId,
    spanId: body.toString("hex", at + HOP_SPAN, at + HOP_PARENT),
    traceFlags: TraceFlags.SAMPLED,
  };
  const isError = isFailed(body, at);
  const durationNs = nsBetween(body, at, HOP_START, HOP_END);
  return {
    name: `${isHandle ? "handle" : "send"} ${port}`,
    kind: isHandle ? SpanKind.CONSUMER : SpanKind.PRODUCER,
    spanContext: () => context,
    ...(parent === NO_SPAN
      ? {}
      : { parentSpanContext: { ...context, spanId: parent, isRemote: isHandle } }),
    startTime: hrTimeOf(body, at, HOP_START),
    endTime: hrTimeOf(body, at, HOP_END),
    duration: [Math.floor(durationNs / 1e9), durationNs % 1e9],
    status: { code: isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: isHandle
      ? handleAttributes(port, body, at)
      : sendAttributes(identity, port, body, at),
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

function sendAttributes(
  identity: NodeIdentity,
  port: string,
  body: Buffer,
  at: number,
): Attributes {
  return {
    "messaging.system": "dora",
    "messaging.operation.type": "send",
    "messaging.operation.name": "send",
    "messaging.destination.name": `${identity.node.id}/${port}`,
    "messaging.message.body.size": payloadBytesOf(body, at),
    "dora.output": port,
  };
}

function handleAttributes(port: string, body: Buffer, at: number): Attributes {
  return {
    "messaging.system": "dora",
    "messaging.operation.type": "process",
    "messaging.operation.name": "handle",
    "messaging.message.body.size": payloadBytesOf(body, at),
    "dora.input": port,
    "dora.transport_ms": nsBetween(body, at, HOP_SENT_AT, HOP_RECEIVED) / 1e6,
    "dora.queue_wait_ms": nsBetween(body, at, HOP_RECEIVED, HOP_START) / 1e6,
    "dora.latency_ms": nsBetween(body, at, HOP_SENT_AT, HOP_START) / 1e6,
  };
}
