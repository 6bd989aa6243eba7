import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Json } from "../core/any-value.ts";
import { AppError } from "../core/errors.ts";
import { SEVERITY_BANDS, SEVERITY_UNSPECIFIED } from "../core/severity.ts";
import type { TimeRange } from "../core/time.ts";
import { ALL_TIME, formatUnixNs, parseDurationNs, parseRfc3339 } from "../core/time.ts";
import type { AggregateResult, GroupKey, SearchEnd } from "../log-store/log-store.ts";
import type { Query } from "../query/parse-query.ts";
import { ownValue, parseRows } from "../query/row.ts";
import type { RunOptions } from "../query/run-query.ts";
import { runQuery } from "../query/run-query.ts";
import type { AnswerEnd } from "./answer-end.ts";
import { answerOf } from "./answer-end.ts";
import type { ApiContext } from "./api-context.ts";
import { HISTOGRAM_POINTS_AUTO_MAX, HISTOGRAM_POINTS_MAX } from "./limits.ts";
import { runInSlot } from "./query-run.ts";
import {
  QUERY_PARAMETERS,
  readBudget,
  readFilterQuery,
  readParameters,
  readRange,
} from "./request-parameters.ts";

const HISTOGRAM_PARAMETERS = z.object({
  ...QUERY_PARAMETERS,
  interval: z.string().default("auto"),
});

const LEVELS = [SEVERITY_UNSPECIFIED, ...SEVERITY_BANDS.map(({ name }) => name)];

const SECOND_NS = 1_000_000_000n;
const DAY_NS = 86_400n * SECOND_NS;

/** What `auto` chooses from; above the last, whole multiples of it. */
const INTERVALS_NS = [
  ...[1n, 10n, 100n].map((ms) => ms * 1_000_000n),
  ...[1n, 5n, 10n, 30n, 60n, 300n, 600n, 1_800n].map((seconds) => seconds * SECOND_NS),
  ...[1n, 3n, 6n, 12n, 24n].map((hours) => hours * 3_600n * SECOND_NS),
];
const WEEK_NS = 7n * DAY_NS;

interface Histogram extends AnswerEnd {
  readonly interval_ns: number;
  readonly buckets: readonly Bucket[];
}

interface Bucket {
  /** Where the bucket starts, ISO 8601. */
  readonly time: string;
  readonly count: number;
  /** The count of every level, 0 included. */
  readonly levels: Readonly<Record<string, number>>;
}

/** `/api/v1/logs/histogram`: how many records there are over time, by level. */
export function addHistogramRoute(app: FastifyInstance, context: ApiContext): void {
  app.route({
    method: ["GET", "POST"],
    url: "/api/v1/logs/histogram",
    handler: (request, reply) => histogram(context, request, reply),
  });
}

async function histogram(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Histogram> {
  const parameters = readParameters(HISTOGRAM_PARAMETERS, request);
  const { interval } = parameters;
  const asked = interval === "auto" ? undefined : parseInterval(interval);
  const query = readFilterQuery(parameters.query);
  const range = readRange(parameters, context.clock.nowUnixNs());
  const budget = readBudget(parameters, context.limits, context.limits.budget);
  return runInSlot(context, request, reply, async (signal) => {
    const extent = await findExtent(context, query, { range, budget }, signal);
    if (extent.span === undefined) {
      return { interval_ns: Number(asked ?? SECOND_NS), buckets: [], ...answerOf(extent.end) };
    }
    const intervalNs = asked ?? autoInterval(extent.span);
    checkPoints(extent.span, intervalNs);
    const { filter } = query;
    const stats = [{ kind: "count", name: "count" }] as const;
    const by = keys(intervalNs);
    const result = await context.store.aggregate(
      { signal: "logs", filter, range, by, stats, budget },
      signal,
    );
    const buckets = fillBuckets(extent.span, intervalNs, result.rows);
    return { interval_ns: Number(intervalNs), buckets, ...answerOf(result) };
  });
}

function keys(intervalNs: bigint): readonly GroupKey[] {
  return [
    { kind: "time", intervalNs, name: "time" },
    { kind: "field", field: { target: "level" }, name: "level" },
  ];
}

function parseInterval(text: string): bigint {
  const intervalNs = parseDurationNs(text);
  if (intervalNs !== undefined && intervalNs > 0n) return intervalNs;
  const message = `parameter "interval": give auto, or a length of time such as 1m, got "${text}"`;
  throw new AppError("REQUEST_INVALID", message);
}

/**
 * The span that the buckets cover: `since` to `until`, and where one of them is not given the first
 * or the last record that matches. No span where nothing matches.
 */
async function findExtent(
  { store }: ApiContext,
  query: Query,
  options: Pick<RunOptions, "range" | "budget">,
  signal: AbortSignal,
): Promise<{ readonly span: TimeRange | undefined; readonly end: SearchEnd }> {
  let { fromUnixNs, toUnixNs } = options.range;
  let end: SearchEnd = { status: "complete", reasons: [], scannedBytes: 0, scannedRows: 0 };
  if (fromUnixNs === ALL_TIME.fromUnixNs) {
    const first = await findFirst(store, query, { ...options, order: "oldest" }, signal);
    if (first.timeUnixNs === undefined) return { span: undefined, end: first.end };
    ({ timeUnixNs: fromUnixNs, end } = { ...first, timeUnixNs: first.timeUnixNs });
  }
  if (toUnixNs === ALL_TIME.toUnixNs) {
    const last = await findFirst(store, query, { ...options, order: "newest" }, signal);
    if (last.timeUnixNs === undefined) return { span: undefined, end: last.end };
    ({ timeUnixNs: toUnixNs, end } = { ...last, timeUnixNs: last.timeUnixNs + 1n });
  }
  return { span: toUnixNs > fromUnixNs ? { fromUnixNs, toUnixNs } : undefined, end };
}

/** The time of the first record of a search. */
async function findFirst(
  store: ApiContext["store"],
  query: Query,
  options: RunOptions,
  signal: AbortSignal,
): Promise<{ readonly timeUnixNs: bigint | undefined; readonly end: SearchEnd }> {
  const batches = runQuery(store, query, { ...options, limit: 1 }, signal);
  let timestamp: unknown;
  let next = await batches.next();
  while (next.done !== true) {
    const [row] = parseRows(next.value.lines);
    timestamp ??= row === undefined ? undefined : ownValue(row, "timestamp");
    next = await batches.next();
  }
  const timeUnixNs = typeof timestamp === "string" ? parseRfc3339(timestamp) : undefined;
  return { timeUnixNs, end: next.value };
}

function autoInterval({ fromUnixNs, toUnixNs }: TimeRange): bigint {
  const leastNs = (toUnixNs - fromUnixNs) / BigInt(HISTOGRAM_POINTS_AUTO_MAX) + 1n;
  const usual = INTERVALS_NS.find((intervalNs) => intervalNs >= leastNs);
  return usual ?? ((leastNs + WEEK_NS - 1n) / WEEK_NS) * WEEK_NS;
}

function checkPoints({ fromUnixNs, toUnixNs }: TimeRange, intervalNs: bigint): void {
  const points = (toUnixNs - fromUnixNs) / intervalNs;
  if (points <= BigInt(HISTOGRAM_POINTS_MAX)) return;
  throw new AppError(
    "QUERY_TOO_LARGE",
    `this histogram would have ${points} points, more than ${HISTOGRAM_POINTS_MAX}`,
    { hint: "give a longer interval, interval=auto, or a narrower time range" },
  );
}

/** One bucket an interval, those that the store gave nothing for included. */
function fillBuckets(
  { fromUnixNs, toUnixNs }: TimeRange,
  intervalNs: bigint,
  rows: AggregateResult["rows"],
): readonly Bucket[] {
  const counts = new Map<Json | undefined, Map<Json | undefined, number>>();
  for (const { time, level, count } of rows) {
    const levels = counts.get(time) ?? new Map<Json | undefined, number>();
    counts.set(time, levels.set(level, Number(count)));
  }
  const buckets: Bucket[] = [];
  for (let start = fromUnixNs - (fromUnixNs % intervalNs); start < toUnixNs; start += intervalNs) {
    const time = formatUnixNs(start);
    const known = counts.get(time);
    const levels: Record<string, number> = {};
    let count = 0;
    for (const level of LEVELS) {
      levels[level] = known?.get(level) ?? 0;
      count += levels[level];
    }
    buckets.push({ time, count, levels });
  }
  return buckets;
}
