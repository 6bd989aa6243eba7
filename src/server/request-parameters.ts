import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { AppError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import type { Signal } from "../core/record.ts";
import type { TimeRange } from "../core/time.ts";
import { ALL_TIME, parseTimeText } from "../core/time.ts";
import type { QueryBudget } from "../log-store/log-store.ts";
import type { Query } from "../query/parse-query.ts";
import { parseQuery } from "../query/parse-query.ts";
import type { ApiLimits } from "./limits.ts";

/** A whole number, as JSON has it or as a URL has it. */
export function wholeNumber(min: number, max: number): z.ZodType<number> {
  const error = `give a whole number from ${min} to ${max}`;
  const digits = z.string().regex(/^\d+$/).transform(Number);
  return z
    .union([z.int(), digits], { error })
    .pipe(z.int({ error }).min(min, { error }).max(max, { error }));
}

const text = z.string({ error: "give it once, as text" });

/** Parameters of every route that runs a query. */
export const QUERY_PARAMETERS = {
  query: text.default(""),
  since: text.optional(),
  until: text.optional(),
  timeout_ms: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  scan_bytes: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  memory_bytes: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
};

export type QueryParameters = z.output<z.ZodObject<typeof QUERY_PARAMETERS>>;

/** One of a few names. */
export function oneOf<const Names extends readonly [string, ...string[]]>(
  names: Names,
): z.ZodEnum<{ [Name in Names[number]]: Name }> {
  return z.enum(names, { error: `give one of ${names.join(", ")}` });
}

/**
 * Reads the parameters of a request: of its URL for GET, of its JSON body for POST.
 *
 * Errors: `REQUEST_INVALID` naming the parameter, and for an unknown one the nearest that exists.
 */
export function readParameters<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  request: FastifyRequest,
): z.output<z.ZodObject<Shape>> {
  if (request.method !== "POST") return parseParameters(schema, request.query);
  parseParameters(z.object({}), request.query);
  if (typeof request.body !== "object" || request.body === null || Array.isArray(request.body)) {
    throw new AppError("REQUEST_INVALID", "give the parameters as one JSON object in the body");
  }
  return parseParameters(schema, request.body);
}

/** Reads parameters that are already in an object. Errors: as `readParameters`. */
export function parseParameters<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  input: unknown,
): z.output<z.ZodObject<Shape>> {
  const known = Object.keys(schema.shape);
  for (const name of Object.keys(input ?? {})) {
    if (!known.includes(name)) throw unknownParameter(name, known);
  }
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path.join(".") ?? "";
  throw new AppError("REQUEST_INVALID", `parameter "${name}": ${issue?.message ?? "is wrong"}`);
}

function unknownParameter(name: string, known: readonly string[]): AppError {
  const what = `unknown parameter "${name}"${didYouMean(name, known)}`;
  const rest = known.length === 0 ? "a POST has its parameters in the body" : known.join(", ");
  return new AppError("REQUEST_INVALID", `${what}; known: ${rest}`);
}

/** The span of time that `since` and `until` name. Errors: `TIME_SYNTAX`, `REQUEST_INVALID`. */
export function readRange(
  { since, until }: Pick<QueryParameters, "since" | "until">,
  nowUnixNs: bigint,
): TimeRange {
  const range = {
    fromUnixNs: since === undefined ? ALL_TIME.fromUnixNs : readTime(since, nowUnixNs),
    toUnixNs: until === undefined ? ALL_TIME.toUnixNs : readTime(until, nowUnixNs),
  };
  if (range.fromUnixNs <= range.toUnixNs) return range;
  throw new AppError("REQUEST_INVALID", `"since" (${since}) is after "until" (${until})`);
}

function readTime(time: string, nowUnixNs: bigint): bigint {
  // In a URL a plus sign is a space, and few people write %2B before they have been bitten.
  const withPlus = time.replace(/^(.+:.+) (\d{2}:\d{2})$/, "$1+$2");
  return parseTimeText(withPlus, nowUnixNs);
}

/** A query that is a filter alone. Errors: `QUERY_SYNTAX`, `REQUEST_INVALID` where it has pipes. */
export function readFilterQuery(queryText: string, table: Signal = "logs"): Query {
  const query = parseQuery(queryText);
  if (query.pipes.length === 0) return query;
  throw new AppError("REQUEST_INVALID", 'parameter "query": this route takes no pipes ("|")', {
    hint: `send it to /api/v1/${table}/query`,
  });
}

/**
 * What the query may cost: what it asks for, else the service's usual.
 *
 * Errors: `REQUEST_INVALID` where it asks for more than the service allows.
 */
export function readBudget(
  parameters: Pick<QueryParameters, "timeout_ms" | "scan_bytes" | "memory_bytes">,
  { budgetMax }: ApiLimits,
  usual: QueryBudget,
): QueryBudget {
  const { timeout_ms: timeMs, scan_bytes: scanBytes, memory_bytes: memoryBytes } = parameters;
  checkBudget("timeout_ms", timeMs, budgetMax.timeMs);
  checkBudget("scan_bytes", scanBytes, budgetMax.scanBytes);
  checkBudget("memory_bytes", memoryBytes, budgetMax.memoryBytes);
  return {
    timeMs: timeMs ?? usual.timeMs,
    scanBytes: scanBytes ?? usual.scanBytes,
    memoryBytes: memoryBytes ?? usual.memoryBytes,
  };
}

function checkBudget(name: string, asked: number | undefined, max: number): void {
  if (asked === undefined || asked <= max) return;
  throw new AppError("REQUEST_INVALID", `parameter "${name}": the most is ${max}, got ${asked}`);
}
