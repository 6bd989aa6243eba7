/** A trace as it came from a service, read with care: only what text mode shows. */

/** One span with what happened inside it. */
export interface ShownSpan {
  readonly timestamp: string;
  readonly durationNs: number;
  readonly node: string;
  readonly name: string;
  readonly status: string;
  readonly statusMessage: string;
  readonly parentSpanId: string;
  readonly children: readonly ShownSpan[];
  readonly logs: readonly ShownLog[];
}

export interface ShownLog {
  readonly timestamp: string;
  readonly level: string;
  readonly node: string;
  readonly message: string;
}

export interface ShownTrace {
  readonly traceId: string;
  readonly spans: readonly ShownSpan[];
  readonly logs: readonly ShownLog[];
  /** Spans at the top that name a parent which is not there. */
  readonly missingParentCount: number;
  readonly isPartial: boolean;
  readonly reasons: readonly string[];
}

/** Spans inside each other that are shown; the service cuts deeper ones long before. */
const DEPTH_MAX = 1000;

/** Reads an answer of `/api/v1/traces/{id}`; what is missing there is empty here. */
export function readTraceAnswer(answer: unknown): ShownTrace {
  return {
    traceId: text(answer, "trace_id"),
    spans: list(answer, "spans").map((span) => readSpan(span, 1)),
    logs: list(answer, "logs").map(readLog),
    missingParentCount: number(answer, "missing_parents"),
    isPartial: text(answer, "status") === "partial",
    reasons: list(answer, "reasons").filter((reason) => typeof reason === "string"),
  };
}

function readSpan(span: unknown, depth: number): ShownSpan {
  const children = depth < DEPTH_MAX ? list(span, "children") : [];
  return {
    timestamp: text(span, "timestamp"),
    durationNs: number(span, "duration_ns"),
    node: text(span, "node"),
    name: text(span, "name"),
    status: text(span, "status"),
    statusMessage: text(span, "status_message"),
    parentSpanId: text(span, "parent_span_id"),
    children: children.map((child) => readSpan(child, depth + 1)),
    logs: list(span, "logs").map(readLog),
  };
}

function readLog(log: unknown): ShownLog {
  const message = text(log, "message");
  return {
    timestamp: text(log, "timestamp"),
    level: text(log, "level"),
    node: text(log, "node"),
    message: message === "" ? text(log, "event_name") : message,
  };
}

function get(from: unknown, key: string): unknown {
  if (typeof from !== "object" || from === null || !Object.hasOwn(from, key)) return undefined;
  return Reflect.get(from, key);
}

function text(from: unknown, key: string): string {
  const value = get(from, key);
  return typeof value === "string" ? value : "";
}

function number(from: unknown, key: string): number {
  const value = get(from, key);
  return typeof value === "number" ? value : 0;
}

function list(from: unknown, key: string): readonly unknown[] {
  const value = get(from, key);
  return Array.isArray(value) ? value : [];
}
