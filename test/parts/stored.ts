/** Reads back over the query API what the service stored. */
import { z } from "zod";
import type { ServeProcess } from "../serve-process.ts";

const Attributes = z.record(z.string(), z.unknown());

const StoredLog = z.looseObject({
  timestamp: z.string(),
  level: z.string(),
  node: z.string(),
  message: z.string(),
  trace_id: z.string(),
  span_id: z.string(),
  logger: z.string(),
  severity_number: z.number(),
  severity_text: z.string(),
  seq: z.number(),
  attributes: Attributes,
  resource: Attributes,
  body: z.unknown().optional(),
});
export type StoredLog = z.infer<typeof StoredLog>;

const SearchEnd = z.object({ end: z.looseObject({ status: z.string(), count: z.number() }) });

export interface StoredSpan {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly children: readonly StoredSpan[];
}

const StoredSpan: z.ZodType<StoredSpan> = z.looseObject({
  trace_id: z.string(),
  span_id: z.string(),
  parent_span_id: z.string(),
  name: z.string(),
  attributes: Attributes,
  get children() {
    return z.array(StoredSpan);
  },
});

const StoredTrace = z.looseObject({ trace_id: z.string(), spans: z.array(StoredSpan) });

const Counters = z.looseObject({ received: z.number(), stored: z.number(), rejected: z.number() });
const Status = z.looseObject({
  signals: z.object({ logs: Counters, traces: Counters, metrics: Counters }),
});
export type StoredCounters = z.infer<typeof Status>["signals"];

/** All logs that match, oldest first. Errors: an answer that is not complete. */
export async function readLogs(
  service: ServeProcess,
  query: string,
): Promise<readonly StoredLog[]> {
  const parameters = new URLSearchParams({ query, order: "oldest" });
  const text = await get(service, `/api/v1/logs/search?${parameters.toString()}`);
  const lines: unknown[] = text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  const { end } = SearchEnd.parse(lines.pop());
  if (end.status !== "complete")
    throw new Error(`the search is ${end.status}: ${text.slice(-300)}`);
  return lines.map((line) => StoredLog.parse(line));
}

/** All spans of one trace, in no order. */
export async function readSpans(
  service: ServeProcess,
  traceId: string,
): Promise<readonly StoredSpan[]> {
  const { spans } = StoredTrace.parse(JSON.parse(await get(service, `/api/v1/traces/${traceId}`)));
  const flatten = (span: StoredSpan): readonly StoredSpan[] => [
    span,
    ...span.children.flatMap(flatten),
  ];
  return spans.flatMap(flatten);
}

export async function readCounters(service: ServeProcess): Promise<StoredCounters> {
  return Status.parse(JSON.parse(await get(service, "/api/v1/status"))).signals;
}

async function get(service: ServeProcess, path: string): Promise<string> {
  const response = await fetch(`${service.api}${path}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return text;
}
