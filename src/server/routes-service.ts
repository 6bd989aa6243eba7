import type { FastifyInstance } from "fastify";
import type { ApiContext } from "./api-context.ts";

/** The routes that answer without a token, for those who watch over the process. */
export const PUBLIC_PATHS: readonly string[] = ["/healthz", "/readyz"];

/** How the service itself is: `/healthz`, `/readyz`, `/metrics` and `/api/v1/status`. */
export function addServiceRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get("/healthz", (_request, reply) => reply.send({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const isReady = context.isReady();
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? "ready" : "not ready" });
  });
  app.get("/metrics", async (request, reply) => {
    const { contentType, body } = await context.metrics.renderMetrics(request.headers.accept);
    // As bytes, since the framework adds a charset to the type of a text.
    return reply.header("content-type", contentType).send(Buffer.from(body));
  });
  app.get("/api/v1/status", (_request, reply) => {
    const { version, uptimeMs, listening } = context.service();
    return reply.send({
      version,
      uptime_ms: Math.round(uptimeMs),
      is_ready: context.isReady(),
      listening,
      signals: context.store.counters(),
    });
  });
}
