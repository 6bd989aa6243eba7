import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { readTrace } from "../query/read-trace.ts";
import type { ApiContext } from "./api-context.ts";
import { runInSlot } from "./query-run.ts";
import { parseParameters, QUERY_PARAMETERS, readBudget } from "./request-parameters.ts";

const { timeout_ms, scan_bytes, memory_bytes } = QUERY_PARAMETERS;
const TRACE_PARAMETERS = z.object({ timeout_ms, scan_bytes, memory_bytes });

/** `/api/v1/traces/{trace_id}`: one trace as a tree, with its logs in between. */
export function addTraceRoute(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Params: { trace_id: string } }>("/api/v1/traces/:trace_id", (request, reply) => {
    const parameters = parseParameters(TRACE_PARAMETERS, request.query);
    const budget = readBudget(parameters, context.limits, context.limits.budget);
    return runInSlot(context, request, reply, (signal) =>
      readTrace(context.store, request.params.trace_id, budget, signal),
    );
  });
}
