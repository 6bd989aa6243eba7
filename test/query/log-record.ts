import type { AnyValue } from "../../src/core/any-value.ts";
import type { LogRecord } from "../../src/core/record.ts";

/** What a test says of a record; the rest is empty. */
export interface RecordParts {
  readonly seq?: number;
  readonly timeUnixNs?: bigint;
  readonly severityNumber?: number;
  readonly body?: AnyValue;
  readonly eventName?: string;
  readonly logger?: string;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes?: Readonly<Record<string, AnyValue>>;
  readonly resource?: Readonly<Record<string, AnyValue>>;
}

export function logRecord(parts: RecordParts): LogRecord {
  const timeUnixNs = parts.timeUnixNs ?? 1_736_282_047_298_518_000n;
  return {
    seq: parts.seq ?? 1,
    timeUnixNs,
    observedTimeUnixNs: timeUnixNs,
    severityNumber: parts.severityNumber ?? 0,
    severityText: "",
    body: parts.body ?? null,
    attributes: new Map(Object.entries(parts.attributes ?? {})),
    eventName: parts.eventName ?? "",
    traceId: parts.traceId ?? "",
    spanId: parts.spanId ?? "",
    traceFlags: 0,
    droppedAttributesCount: 0,
    resource: { attributes: new Map(Object.entries(parts.resource ?? {})), schemaUrl: "" },
    scope: { name: parts.logger ?? "", version: "", attributes: new Map(), schemaUrl: "" },
  };
}
