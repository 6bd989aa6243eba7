import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { ENTRY_KEYS } from "../core/entry.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import { EXPORT_FORMATS } from "../query/export.ts";
import type { Query } from "../query/parse-query.ts";
import { outputColumns, parseQuery } from "../query/parse-query.ts";
import { runQuery } from "../query/run-query.ts";
import type { QueryBudget } from "../log-store/log-store.ts";
import type { ApiContext } from "./api-context.ts";
import { runInSlot } from "./query-run.ts";
import {
  oneOf,
  QUERY_PARAMETERS,
  readBudget,
  readFilterQuery,
  readParameters,
  readRange,
  wholeNumber,
} from "./request-parameters.ts";
import { streamAnswer } from "./stream-answer.ts";

const SEARCH_PARAMETERS = z.object({
  ...QUERY_PARAMETERS,
  limit: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
  order: oneOf(["newest", "oldest"]).default("newest"),
  after: z.string({ error: "give the cursor of an answer" }).optional(),
  format: oneOf(EXPORT_FORMATS).default("jsonl"),
});

/**
 * `/api/v1/{table}/search` gives the entries of a table, `/api/v1/{table}/query` what pipes make of
 * them. The tables are logs, traces and metrics.
 */
export function addSearchRoutes(app: FastifyInstance, context: ApiContext): void {
  const method = ["GET", "POST"];
  for (const table of SIGNALS) {
    app.route({
      method,
      url: `/api/v1/${table}/search`,
      handler: (request, reply) =>
        search(context, request, reply, { table, parse: (text) => readFilterQuery(text, table) }),
    });
    app.route({
      method,
      url: `/api/v1/${table}/query`,
      handler: (request, reply) => search(context, request, reply, { table, parse: parseQuery }),
    });
  }
}

async function search(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  { table, parse }: { readonly table: Signal; readonly parse: (text: string) => Query },
): Promise<FastifyReply> {
  const parameters = readParameters(SEARCH_PARAMETERS, request);
  const { order, limit, after, format } = parameters;
  const query = parse(parameters.query);
  const options = {
    signal: table,
    range: readRange(parameters, context.clock.nowUnixNs()),
    order,
    ...(limit === undefined ? {} : { limit }),
    ...(after === undefined ? {} : { after }),
    budget: readBudget(parameters, context.limits, usualBudget(context, query, limit)),
  };
  const columns = outputColumns(query) ?? ENTRY_KEYS[table];
  await runInSlot(context, request, reply, (signal) => {
    const batches = runQuery(context.store, query, options, signal);
    return streamAnswer(reply, batches, { format, columns, signal, log: context.log });
  });
  return reply;
}

/** An export, which is a search without a limit, may take as long as its client reads. */
function usualBudget(
  { limits }: ApiContext,
  { pipes }: Query,
  limit: number | undefined,
): QueryBudget {
  const isExport = limit === undefined && pipes.every((pipe) => pipe.kind === "fields");
  return isExport ? { ...limits.budget, timeMs: Infinity, scanBytes: Infinity } : limits.budget;
}
