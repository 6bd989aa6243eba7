import type { z } from "zod";
import { isLoopback } from "../collector/config-endpoint.ts";
import { AppError, errorMessage } from "../core/errors.ts";
import {
  BuildSchema,
  DaemonListSchema,
  DataflowAnswerSchema,
  DataflowListSchema,
  HealthSchema,
  LinkListSchema,
} from "../runtime/coordinator/answer-schema.ts";
import type { DaemonStatus, DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { camelKeys, snakeKeys } from "../runtime/coordinator/letter-case.ts";
import { NodeStatusSchema } from "../runtime/coordinator/status-schema.ts";
import type { Parameters } from "../runtime/protocol/node-messages.ts";
import type { LinkStatus, NodeStatus } from "../runtime/protocol/status.ts";
import { readRefusal } from "./service-error.ts";

export const DEFAULT_COORDINATOR_URL = "http://127.0.0.1:6015";
/** How long an answer may take; a restart waits for the end of what runs. */
const ANSWER_TIMEOUT_MS = 90_000;
const HEALTH_TIMEOUT_MS = 2_000;

export interface StartBody {
  readonly text: string;
  readonly file: string;
  readonly name?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly build?: boolean;
}

/** What to connect: a node's output, or its input. */
export interface LinkBody {
  readonly source: { readonly node: string; readonly output: string };
  readonly target: { readonly node: string; readonly input: string };
}

/**
 * A coordinator's API, asked over HTTP.
 *
 * Errors: what it answers; `COORDINATOR_UNREACHABLE` where it does not.
 * Source: docs/coordinator-api.md
 */
export class CoordinatorClient {
  /** Such as `http://127.0.0.1:6015`. */
  readonly url: string;
  readonly #base: URL;
  readonly token: string | undefined;

  /** Errors: `USAGE` where `url` is no http or https address. */
  constructor(url: string, token?: string) {
    const base = URL.parse(url.includes("://") ? url : `http://${url}`);
    if (base === null || !/^https?:$/.test(base.protocol)) {
      throw new AppError("USAGE", `cannot read the URL "${url}": give http://HOST:PORT`);
    }
    this.#base = base;
    this.url = base.href.replace(/\/$/, "");
    this.token = token;
  }

  /** Whether it is one of this machine. */
  get isLocal(): boolean {
    return isLoopback(this.#base.hostname.replace(/^\[|\]$/g, ""));
  }

  /** What says that it is there; undefined where nothing answers, or what is no coordinator. */
  async health(): Promise<z.output<typeof HealthSchema> | "nothing" | "stranger"> {
    let response: Response;
    try {
      const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
      response = await fetch(this.route("/healthz"), { redirect: "error", signal });
    } catch (error) {
      return isRefused(error) ? "nothing" : "stranger";
    }
    const parsed = HealthSchema.safeParse(await response.json().catch(() => undefined));
    return parsed.success ? parsed.data : "stranger";
  }

  async list(): Promise<readonly DataflowAnswer[]> {
    return (await this.#ask(DataflowListSchema, "/api/v1/dataflows")).dataflows;
  }

  async daemons(): Promise<readonly DaemonStatus[]> {
    return (await this.#ask(DaemonListSchema, "/api/v1/daemons")).daemons;
  }

  find(dataflow: string): Promise<DataflowAnswer> {
    return this.#ask(DataflowAnswerSchema, dataflowPath(dataflow));
  }

  start(body: StartBody): Promise<DataflowAnswer> {
    return this.#ask(DataflowAnswerSchema, "/api/v1/dataflows", body);
  }

  build(body: StartBody): Promise<{ readonly id: string }> {
    return this.#ask(BuildSchema, "/api/v1/builds", body);
  }

  stop(
    dataflow: string,
    body: { readonly graceMs?: number; readonly force?: boolean } = {},
  ): Promise<DataflowAnswer> {
    return this.#ask(DataflowAnswerSchema, dataflowPath(dataflow, "stop"), body);
  }

  restart(
    dataflow: string,
    body: Partial<Pick<StartBody, "text" | "environment" | "build">>,
  ): Promise<DataflowAnswer> {
    return this.#ask(DataflowAnswerSchema, dataflowPath(dataflow, "restart"), body);
  }

  /** Of all nodes, or of one. */
  change(
    action: "pause" | "resume" | "reload",
    dataflow: string,
    node: string | undefined,
  ): Promise<DataflowAnswer> {
    const body = node === undefined ? {} : { node };
    return this.#ask(DataflowAnswerSchema, dataflowPath(dataflow, action), body);
  }

  node(dataflow: string, node: string): Promise<NodeStatus> {
    return this.#ask(NodeStatusSchema, dataflowPath(dataflow, "nodes", node));
  }

  changeNode(
    action: "restart" | "stop" | "reload",
    dataflow: string,
    node: string,
  ): Promise<NodeStatus> {
    return this.#ask(NodeStatusSchema, dataflowPath(dataflow, "nodes", node, action), {});
  }

  setParameters(
    dataflow: string,
    node: string,
    body: { readonly set: Parameters; readonly deleted: readonly string[] },
  ): Promise<NodeStatus> {
    return this.#ask(NodeStatusSchema, dataflowPath(dataflow, "nodes", node, "parameters"), body);
  }

  setDataFormat(dataflow: string, node: string, format: string): Promise<NodeStatus> {
    const path = dataflowPath(dataflow, "nodes", node, "data_format");
    return this.#ask(NodeStatusSchema, path, { format });
  }

  async changeLink(
    action: "connect" | "disconnect",
    dataflow: string,
    body: LinkBody,
  ): Promise<readonly LinkStatus[]> {
    return (await this.#ask(LinkListSchema, dataflowPath(dataflow, "links", action), body)).links;
  }

  route(path: string): URL {
    return new URL(`${this.#base.pathname.replace(/\/$/, "")}${path}`, this.#base);
  }

  async #ask<Answer>(schema: z.ZodType<Answer>, path: string, body?: object): Promise<Answer> {
    let response: Response;
    let value: unknown;
    try {
      response = await fetch(this.route(path), {
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(snakeKeys(body)) }),
        // A redirect would carry the token to another host.
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      if (response.ok) value = await response.json();
    } catch (error) {
      throw this.unreachable(error);
    }
    if (!response.ok) throw await readRefusal(response, `the coordinator at ${this.url}`);
    const parsed = schema.safeParse(camelKeys(value));
    if (parsed.success) return parsed.data;
    throw new AppError("SERVICE_REFUSED", `what answers at ${this.url} is no coordinator`, {
      hint: "see `dora status`, and give the right address with --coordinator URL",
    });
  }

  unreachable(error: unknown): AppError {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const why = isRefused(error) ? "nothing listens there" : errorMessage(cause);
    return new AppError("COORDINATOR_UNREACHABLE", `no coordinator at ${this.url}: ${why}`, {
      cause: error,
      hint: "start it with `dora up`, or give its address with --coordinator URL",
    });
  }
}

function dataflowPath(dataflow: string, ...more: readonly string[]): string {
  return ["/api/v1/dataflows", ...[dataflow, ...more].map(encodeURIComponent)].join("/");
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  const causes: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  return causes.some((one) => one instanceof Error && "code" in one && one.code === "ECONNREFUSED");
}

/** The flags by which commands find their coordinator. */
export interface CoordinatorFlags {
  readonly coordinator?: string;
  readonly tokenFile?: string;
}

/** `--coordinator`, else `DORA_COORDINATOR`, else the usual address. Errors: `USAGE`. */
export async function coordinatorClient(flags: CoordinatorFlags): Promise<CoordinatorClient> {
  const url = flags.coordinator ?? (process.env["DORA_COORDINATOR"] || DEFAULT_COORDINATOR_URL);
  const { findToken } = await import("./open-log-source.ts");
  return new CoordinatorClient(url, await findToken({ ...flags, environment: process.env }));
}
