import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { AggregateResult, GroupKey } from "../log-store/log-store.ts";
import { readGroupKeys } from "../query/group-key.ts";
import { Scanner } from "../query/lexer.ts";
import type { ApiContext } from "./api-context.ts";
import { answerOf } from "./answer-end.ts";
import { runInSlot } from "./query-run.ts";
import type { QueryParameters } from "./request-parameters.ts";
import {
  QUERY_PARAMETERS,
  readBudget,
  readFilterQuery,
  readParameters,
  readRange,
} from "./request-parameters.ts";

const COUNT_PARAMETERS = z.object(QUERY_PARAMETERS);

const GROUPS_PARAMETERS = z.object({
  ...QUERY_PARAMETERS,
  by: z.string({ error: "give the fields to group by, such as node,level,time(1m)" }),
});

/** `/api/v1/logs/count` counts the records that match, `/api/v1/logs/groups` by what they share. */
export function addGroupsRoutes(app: FastifyInstance, context: ApiContext): void {
  const method = ["GET", "POST"];
  app.route({
    method,
    url: "/api/v1/logs/count",
    handler: async (request, reply) => {
      const parameters = readParameters(COUNT_PARAMETERS, request);
      const result = await aggregate(context, request, reply, parameters, []);
      return { count: result.rows[0]?.["count"] ?? 0, ...answerOf(result) };
    },
  });
  app.route({
    method,
    url: "/api/v1/logs/groups",
    handler: async (request, reply) => {
      const parameters = readParameters(GROUPS_PARAMETERS, request);
      const by = parseGroupKeys(parameters.by);
      const result = await aggregate(context, request, reply, parameters, by);
      return { groups: result.rows, ...answerOf(result) };
    },
  });
}

function aggregate(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  parameters: QueryParameters,
  by: readonly GroupKey[],
): Promise<AggregateResult> {
  const { store, limits, clock } = context;
  const { filter } = readFilterQuery(parameters.query);
  const range = readRange(parameters, clock.nowUnixNs());
  const budget = readBudget(parameters, limits, limits.budget);
  const stats = [{ kind: "count", name: "count" }] as const;
  return runInSlot(context, request, reply, (abort) =>
    store.aggregate({ signal: "logs", filter, range, by, stats, budget }, abort),
  );
}

/** Errors: `QUERY_SYNTAX` with the position in `text`. */
function parseGroupKeys(text: string): readonly GroupKey[] {
  const scanner = new Scanner(text);
  const keys = readGroupKeys(scanner);
  scanner.skipSpace();
  if (!scanner.isAtEnd) throw scanner.error("a comma or the end is missing here");
  return keys;
}
