import { z } from "zod";
import { HealthSchema } from "./answer-schema.ts";
import { snakeName } from "./letter-case.ts";
import type { Route } from "./route.ts";

const ErrorSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }),
});

/** The OpenAPI 3.1 document of the API, from the schemas that its routes check with. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {
    "/healthz": { get: { summary: "Whether it runs", responses: answers(200, HealthSchema) } },
  };
  for (const { method, path, summary, status, body, answer } of routes) {
    const names = [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);
    const key = path.replaceAll(/:(\w+)/g, "{$1}");
    const parameters = names.map((name) => ({
      name,
      in: "path",
      required: true,
      schema: { type: "string" },
    }));
    const content = body && { required: true, content: json(body, "input") };
    paths[key] = {
      ...paths[key],
      [method.toLowerCase()]: {
        summary,
        ...(parameters.length === 0 ? {} : { parameters }),
        ...(content === undefined ? {} : { requestBody: content }),
        responses: answers(status, answer),
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "dora coordinator", version, description: "See docs/coordinator-api.md" },
    paths,
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    security: [{ bearer: [] }, {}],
  };
}

function answers(status: number, answer: z.ZodType): object {
  return {
    [status]: { description: "Done", content: json(answer, "output") },
    default: { description: "Refused, or failed", content: json(ErrorSchema, "output") },
  };
}

function json(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return { "application/json": { schema: snakeProperties(plain) } };
}

/** Names of properties as the API has them. */
function snakeProperties(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeProperties);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => {
      if (key === "required" && Array.isArray(inner)) {
        return [key, inner.map((name) => snakeName(String(name)))];
      }
      if (key !== "properties" || typeof inner !== "object" || inner === null) {
        return [key, snakeProperties(inner)];
      }
      const renamed = Object.entries(inner).map(([name, schema]: [string, unknown]) => [
        snakeName(name),
        snakeProperties(schema),
      ]);
      return [key, Object.fromEntries(renamed)];
    }),
  );
}
