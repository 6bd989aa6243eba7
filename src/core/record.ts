import type { AnyValue, AttributeMap } from "./any-value.ts";

/** The three OTLP signals. Each has a table of its own in the store. */
export const SIGNALS = ["logs", "traces", "metrics"] as const;
export type Signal = (typeof SIGNALS)[number];

/** What produced a record. */
export interface Resource {
  readonly attributes: AttributeMap;
  readonly schemaUrl: string;
}

/** The instrumentation scope: the logger, tracer or meter. */
export interface Scope {
  readonly name: string;
  readonly version: string;
  readonly attributes: AttributeMap;
  readonly schemaUrl: string;
}

/**
 * One log record as the store gives it back.
 *
 * Units: times are Unix nanoseconds, UTC. `timeUnixNs` is the observed time where the sender gave
 * no time, and the receive time where it gave neither.
 */
export interface LogRecord {
  /** The record's identity: unique in a store, one series for all signals, kept for ever. */
  readonly seq: number;
  readonly timeUnixNs: bigint;
  readonly observedTimeUnixNs: bigint;
  /** 0 to 24; 0 is unspecified. */
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: AnyValue;
  readonly attributes: AttributeMap;
  readonly eventName: string;
  /** 32 lower-case hex digits, or "" where there is no valid id. */
  readonly traceId: string;
  /** 16 lower-case hex digits, or "". */
  readonly spanId: string;
  readonly traceFlags: number;
  readonly droppedAttributesCount: number;
  readonly resource: Resource;
  readonly scope: Scope;
}

/** The id of the node that a resource stands for: `dora.node.id`, else `service.name`, else "". */
export function nodeId(resource: Resource): string {
  return textAttribute(resource, "dora.node.id") ?? textAttribute(resource, "service.name") ?? "";
}

/** The node's display name, else its id. */
export function nodeName(resource: Resource): string {
  return textAttribute(resource, "dora.node.name") ?? nodeId(resource);
}

/** The dataflow's name, else its id, else "". */
export function dataflowName(resource: Resource): string {
  return (
    textAttribute(resource, "dora.dataflow.name") ??
    textAttribute(resource, "dora.dataflow.id") ??
    ""
  );
}

function textAttribute(resource: Resource, key: string): string | undefined {
  const value = resource.attributes.get(key);
  return typeof value === "string" && value !== "" ? value : undefined;
}
