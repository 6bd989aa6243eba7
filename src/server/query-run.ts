import type { FastifyReply, FastifyRequest } from "fastify";
import type { ApiContext } from "./api-context.ts";

/** Who asks, for counting: the principal, or without authentication the address. */
function principalOf(request: FastifyRequest): string {
  return request.getDecorator<string>("principal") || request.ip;
}

/**
 * Runs a query in a slot of its principal. `signal` is aborted when the client goes away before its
 * answer was sent.
 *
 * Errors: `QUERY_TOO_MANY`, and what `run` throws.
 */
export async function runInSlot<T>(
  { slots }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const release = slots.acquire(principalOf(request));
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  reply.raw.once("close", abort);
  try {
    return await run(controller.signal);
  } finally {
    reply.raw.off("close", abort);
    release();
  }
}
