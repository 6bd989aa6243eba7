import type { LogEntry, SpanEntry } from "../core/entry.ts";
import { AppError } from "../core/errors.ts";
import type { Filter } from "../core/filter.ts";
import type { Signal } from "../core/record.ts";
import { ALL_TIME } from "../core/time.ts";
import type { LogStore, QueryBudget, SearchEnd } from "../log-store/log-store.ts";
import type { TraceTree } from "./trace-tree.ts";
import { buildTraceTree } from "./trace-tree.ts";

/** Spans, and log records, of one trace that are read; the answer says when there are more. */
const TRACE_ENTRIES_MAX = 10_000;

/** Bytes of JSON, spans and logs each, that one trace may hold in memory. */
const TRACE_BYTES_MAX = 32 * 1024 * 1024;

/** One trace, and whether it is the whole of it. */
export interface TraceAnswer extends TraceTree {
  readonly status: "complete" | "partial";
  /** Why it is partial: one sentence each. */
  readonly reasons: readonly string[];
}

/**
 * Reads one trace of a store as a tree.
 *
 * Limits: `TRACE_ENTRIES_MAX`, `TRACE_BYTES_MAX` and the budget, each for spans and for logs.
 * Errors: `REQUEST_INVALID` for what is no trace id, `NOT_FOUND` where the store has nothing of it.
 */
export async function readTrace(
  store: LogStore,
  traceId: string,
  budget: QueryBudget,
  signal: AbortSignal,
): Promise<TraceAnswer> {
  if (!/^[0-9a-f]{32}$/i.test(traceId)) {
    const message = `"${traceId}" is no trace id: give 32 hexadecimal digits`;
    throw new AppError("REQUEST_INVALID", message);
  }
  const id = traceId.toLowerCase();
  const [spans, logs] = await Promise.all([
    readEntries(store, "traces", id, budget, signal),
    readEntries(store, "logs", id, budget, signal),
  ]);
  const reasons = [...new Set([...spans.reasons, ...logs.reasons])];
  if (spans.lines.length + logs.lines.length + reasons.length === 0) {
    throw new AppError("NOT_FOUND", `no span and no log record has the trace id ${id}`);
  }
  const tree = buildTraceTree(id, spans.lines.map(parseSpanEntry), logs.lines.map(parseLogEntry));
  return { ...tree, status: reasons.length === 0 ? "complete" : "partial", reasons };
}

async function readEntries(
  store: LogStore,
  signal: Signal,
  traceId: string,
  budget: QueryBudget,
  abort: AbortSignal,
): Promise<{ readonly lines: readonly string[]; readonly reasons: readonly string[] }> {
  const filter: Filter = {
    kind: "field",
    field: { target: "trace_id" },
    test: { op: "equals", text: traceId, anyCase: false },
  };
  const request = { signal, filter, range: ALL_TIME, order: "oldest", budget } as const;
  // One more than is kept tells whether there are more.
  const batches = store.search({ ...request, limit: TRACE_ENTRIES_MAX + 1 }, abort);
  const lines: string[] = [];
  let bytes = 0;
  let next = await batches.next();
  while (next.done !== true) {
    bytes += next.value.lines.length;
    if (bytes > TRACE_BYTES_MAX) {
      await batches.return(NOTHING_READ);
      return { lines, reasons: [`the ${signal} of this trace exceed ${TRACE_BYTES_MAX} bytes`] };
    }
    for (const line of Buffer.from(next.value.lines).toString("utf8").split("\n")) {
      if (line !== "") lines.push(line);
    }
    next = await batches.next();
  }
  if (lines.length > TRACE_ENTRIES_MAX) {
    const reason = `this trace has more than ${TRACE_ENTRIES_MAX} records in ${signal}`;
    return { lines: lines.slice(0, TRACE_ENTRIES_MAX), reasons: [reason] };
  }
  return { lines, reasons: next.value.status === "partial" ? next.value.reasons : [] };
}

/** What ends a search that its reader leaves; nobody looks at it. */
const NOTHING_READ: SearchEnd = { status: "partial", reasons: [], scannedBytes: 0, scannedRows: 0 };

function parseSpanEntry(line: string): SpanEntry {
  const value: unknown = JSON.parse(line);
  if (isSpanEntry(value)) return value;
  throw new AppError("INTERNAL", "the store gave a line that is no span");
}

function parseLogEntry(line: string): LogEntry {
  const value: unknown = JSON.parse(line);
  if (isLogEntry(value)) return value;
  throw new AppError("INTERNAL", "the store gave a line that is no log entry");
}

// Our own store wrote the lines: these look at what the tree is built from, not at every key.

function isSpanEntry(value: unknown): value is SpanEntry {
  return hasTexts(value, ["timestamp", "span_id", "parent_span_id"]);
}

function isLogEntry(value: unknown): value is LogEntry {
  return hasTexts(value, ["timestamp", "span_id", "message"]);
}

function hasTexts(value: unknown, keys: readonly string[]): boolean {
  if (typeof value !== "object" || value === null) return false;
  return keys.every((key) => typeof Reflect.get(value, key) === "string");
}
