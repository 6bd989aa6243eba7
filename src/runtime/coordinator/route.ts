import type { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { didYouMean } from "../../core/nearest-name.ts";
import { camelKeys, snakeName } from "./letter-case.ts";

/** One route of the API: what it takes, what it answers, and what it does. */
export interface Route {
  readonly method: "GET" | "POST";
  /** `:name` stands for one part of the path. */
  readonly path: string;
  readonly summary: string;
  readonly status: number;
  readonly body: z.ZodObject | undefined;
  readonly answer: z.ZodType;
  /** Errors: `REQUEST_INVALID` for the body; what the route does. */
  handle(parameters: Readonly<Record<string, string>>, body: unknown): unknown;
}

/** A route without a body. */
export function getRoute(
  path: string,
  summary: string,
  answer: z.ZodType,
  handle: (parameters: PathParameters) => unknown,
): Route {
  return {
    method: "GET",
    path,
    summary,
    status: 200,
    body: undefined,
    answer,
    handle: (parameters) => handle(new PathParameters(parameters)),
  };
}

/** A route with a body of JSON, whose keys are those of `body` in snake_case. */
export function postRoute<Shape extends z.ZodRawShape>(
  path: string,
  options: {
    readonly summary: string;
    readonly body: z.ZodObject<Shape>;
    readonly answer: z.ZodType;
    readonly status?: number;
  },
  handle: (parameters: PathParameters, body: z.output<z.ZodObject<Shape>>) => unknown,
): Route {
  const { summary, body: schema, answer, status = 200 } = options;
  return {
    method: "POST",
    path,
    summary,
    status,
    body: schema,
    answer,
    handle: (parameters, body) => handle(new PathParameters(parameters), readBody(schema, body)),
  };
}

/** What stands in the path of a request. */
export class PathParameters {
  readonly #parameters: Readonly<Record<string, string>>;

  constructor(parameters: Readonly<Record<string, string>>) {
    this.#parameters = parameters;
  }

  get dataflow(): string {
    return this.#parameters["dataflow"] ?? "";
  }

  get node(): string {
    return this.#parameters["node"] ?? "";
  }
}

function readBody<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  body: unknown,
): z.output<z.ZodObject<Shape>> {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new AppError("REQUEST_INVALID", "give the parameters as one JSON object in the body", {
      hint: "see /openapi.json",
    });
  }
  const value = camelKeys(body);
  const known = Object.keys(schema.shape);
  for (const name of Object.keys(value ?? {})) {
    if (known.includes(name)) continue;
    const names = known.map(snakeName);
    const what = `unknown parameter "${snakeName(name)}"${didYouMean(snakeName(name), names)}`;
    const rest = names.length === 0 ? "it takes none" : `known: ${names.join(", ")}`;
    throw new AppError("REQUEST_INVALID", `${what}; ${rest}`, { hint: "see /openapi.json" });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.map((step) => snakeName(String(step))).join(".") ?? "";
  throw new AppError("REQUEST_INVALID", `parameter "${place}": ${issue?.message ?? "is wrong"}`, {
    hint: "see /openapi.json",
  });
}
