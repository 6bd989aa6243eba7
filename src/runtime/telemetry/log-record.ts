import type { Attributes } from "@opentelemetry/api";
import { SeverityNumber, TraceFlags } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { anyValueToJson } from "../../core/any-value.ts";
import { severityName } from "../../core/severity.ts";
import { toAttributeMap } from "../../telemetry/log-attributes.ts";
import type { EmittedRecord, LogLevel } from "../../telemetry/logger.ts";
import type { NodeLogRecord } from "../protocol/node-messages.ts";
import type { ActiveHop } from "./handled-hops.ts";
import { toHrTime } from "./hop-bytes.ts";
import { spanIdOf, traceIdOf } from "./line-reading.ts";
import type { OutputRecord } from "./output-records.ts";

/** Records of ERROR and above are a node's errors. */
export const SEVERITY_ERROR = 17;

const SEVERITIES: Readonly<Record<NodeLogRecord["level"], number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
  fatal: 21,
};

/** By their numbers: OTLP counts from 0 to 24. */
const SEVERITY_NUMBERS = Object.values(SeverityNumber).filter((value) => typeof value === "number");

/** About what a record takes in memory beside its text. */
const RECORD_BYTES = 600;

type Scope = ReadableLogRecord["instrumentationScope"];

/**
 * The scopes of one resource's records: a logger is a scope, and the SDK groups records by the
 * scope's identity.
 */
export class LogScopes {
  /** Loggers' names come from the text: past so many, records share one without a name. */
  static readonly NAMES_MAX = 500;
  readonly #scopes = new Map<string, Scope>();

  of(name: string): Scope {
    const known = this.#scopes.get(name);
    if (known !== undefined) return known;
    if (this.#scopes.size >= LogScopes.NAMES_MAX && name !== "") return this.of("");
    const scope = { name, version: "" };
    this.#scopes.set(name, scope);
    return scope;
  }
}

/** Whose records are made. */
export interface LogSource {
  readonly resource: Resource;
  readonly scopes: LogScopes;
}

export function fromOutput(
  source: LogSource,
  record: OutputRecord,
  hop: ActiveHop | undefined,
): ReadableLogRecord {
  const { severityNumber, severityText } = record;
  const attributes: Attributes = { ...record.attributes, "dora.stream": record.stream };
  return toRecord(source, {
    timeUnixNs: record.timeUnixNs,
    observedUnixNs: record.observedUnixNs,
    severityNumber,
    severityText: severityText === "" ? severityName(severityNumber) : severityText,
    body: record.body,
    logger: record.logger,
    attributes,
    traceId: hop?.traceId ?? record.traceId,
    spanId: hop?.spanId ?? record.spanId,
  });
}

/** A record that a node's library sent. What is no time counts as `nowUnixNs`. */
export function fromNode(
  source: LogSource,
  record: NodeLogRecord,
  nowUnixNs: bigint,
): ReadableLogRecord {
  return toRecord(source, {
    timeUnixNs: /^\d{1,19}$/.test(record.time) ? BigInt(record.time) : nowUnixNs,
    observedUnixNs: nowUnixNs,
    severityNumber: SEVERITIES[record.level],
    severityText: record.level.toUpperCase(),
    body: record.message,
    logger: record.logger ?? "",
    attributes: jsonAttributes(record.attributes ?? {}),
    traceId: traceIdOf(record.traceId),
    spanId: spanIdOf(record.spanId),
  });
}

/** A record of the process's own logger. */
export function fromLogger(
  source: LogSource,
  record: EmittedRecord,
  logger = "dora.daemon",
): ReadableLogRecord {
  return toRecord(source, {
    timeUnixNs: record.timeUnixNs,
    observedUnixNs: record.timeUnixNs,
    severityNumber: severityOf(record.level),
    severityText: record.level.toUpperCase(),
    body: record.message,
    logger,
    attributes: Object.fromEntries(
      [...record.attributes].map(([key, value]) => [key, anyValueToJson(value)]),
    ),
    traceId: record.traceId,
    spanId: record.spanId,
  });
}

export function severityOf(level: LogLevel): number {
  return SEVERITIES[level];
}

/** Of a level as a dataflow file has it; 0 of one that is below all, such as `stdout`. */
export function severityOfLevel(level: string): number {
  return Object.entries(SEVERITIES).find(([name]) => name === level)?.[1] ?? 0;
}

/** About what a record takes in memory, for the queue's limit. */
export function recordBytes(record: ReadableLogRecord): number {
  const body = typeof record.body === "string" ? record.body.length : 0;
  let bytes = RECORD_BYTES + body;
  for (const value of Object.values(record.attributes)) {
    if (typeof value === "string") bytes += value.length;
    else if (typeof value === "object") bytes += JSON.stringify(value).length;
  }
  return bytes;
}

interface RecordParts {
  readonly timeUnixNs: bigint;
  readonly observedUnixNs: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly logger: string;
  readonly attributes: Attributes;
  readonly traceId: string;
  readonly spanId: string;
}

function toRecord({ resource, scopes }: LogSource, parts: RecordParts): ReadableLogRecord {
  const { traceId, spanId } = parts;
  return {
    hrTime: toHrTime(parts.timeUnixNs),
    hrTimeObserved: toHrTime(parts.observedUnixNs),
    severityNumber: SEVERITY_NUMBERS[parts.severityNumber] ?? SeverityNumber.UNSPECIFIED,
    severityText: parts.severityText,
    body: parts.body,
    attributes: parts.attributes,
    droppedAttributesCount: 0,
    resource,
    instrumentationScope: scopes.of(parts.logger),
    ...(traceId === "" ? {} : { spanContext: { traceId, spanId, traceFlags: TraceFlags.SAMPLED } }),
  };
}

/** Attributes as they came from a node, made safe: bounded in depth, without circles. */
function jsonAttributes(attributes: Readonly<Record<string, unknown>>): Attributes {
  return Object.fromEntries(
    [...toAttributeMap(attributes)].map(([key, value]) => [key, anyValueToJson(value)]),
  );
}
