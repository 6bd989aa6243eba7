import { AppError, errorMessage } from "../core/errors.ts";
import { ALL_TIME, formatUnixNs } from "../core/time.ts";
import { printQuery } from "../query/parse-query.ts";
import { splitAnswer } from "./answer-lines.ts";
import type {
  AnswerEnd,
  FollowEvent,
  FollowLogsRequest,
  LogSource,
  LogsRequest,
} from "./log-source.ts";
import { readRefusal } from "./service-error.ts";

/** How long the usual address may take to say that it is there. */
const PROBE_TIMEOUT_MS = 2000;

/** A running service, asked over HTTP. See docs/http-api.md. */
export class ServiceSource implements LogSource {
  readonly name: string;
  readonly flags: readonly string[];
  readonly #base: URL;
  readonly #headers: Readonly<Record<string, string>>;

  /** Errors: `USAGE` where `url` is no http or https address. */
  constructor({ url, token }: { readonly url: string; readonly token: string | undefined }) {
    this.#base = readBaseUrl(url);
    this.name = `the service at ${this.#base.origin}`;
    this.flags = ["--url", this.#base.href.replace(/\/$/, "")];
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** Whether anything listens at the address, whatever it answers. */
  async isListening(signal: AbortSignal): Promise<boolean> {
    const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    try {
      const response = await fetch(this.#route("healthz"), {
        redirect: "error",
        signal: AbortSignal.any([signal, timeout]),
      });
      await response.body?.cancel();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      return timeout.aborted || !isRefused(error);
    }
  }

  async *run(request: LogsRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, AnswerEnd> {
    const { table = "logs", query, range, order, limit } = request;
    const route = query.pipes.length === 0 ? "search" : "query";
    const response = await this.#fetch(`api/v1/${table}/${route}`, signal, {
      query: printQuery(query),
      ...(range.fromUnixNs === ALL_TIME.fromUnixNs
        ? {}
        : { since: formatUnixNs(range.fromUnixNs) }),
      ...(range.toUnixNs === ALL_TIME.toUnixNs ? {} : { until: formatUnixNs(range.toUnixNs) }),
      order,
      ...(limit === undefined ? {} : { limit }),
      format: "jsonl",
    });
    if (response.body === null) throw this.#cutOff(undefined);
    try {
      return yield* splitAnswer(response.body);
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AppError ? error : this.#cutOff(error);
    }
  }

  async *follow(
    request: FollowLogsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<FollowEvent, void> {
    const url = this.#route("api/v1/logs/live");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("query", printQuery(request.query));
    url.searchParams.set("backlog", String(request.backlog));
    const { followService } = await import("./follow-service.ts");
    yield* followService(url, this.#headers, signal);
  }

  async readTrace(traceId: string, signal: AbortSignal): Promise<unknown> {
    const response = await this.#fetch(`api/v1/traces/${traceId}`, signal);
    try {
      return await response.json();
    } catch (error) {
      signal.throwIfAborted();
      throw this.#cutOff(error);
    }
  }

  async close(): Promise<void> {}

  #route(path: string): URL {
    return new URL(path, this.#base);
  }

  async #fetch(path: string, signal: AbortSignal, body?: object): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.#route(path), {
        method: body === undefined ? "GET" : "POST",
        headers: {
          ...this.#headers,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // A redirect would carry the token to another host.
        redirect: "error",
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw new AppError(
        "SERVICE_UNREACHABLE",
        `cannot reach ${this.name}: ${rootMessage(error)}`,
        {
          cause: error,
        },
      );
    }
    if (!response.ok) throw await readRefusal(response, this.name);
    return response;
  }

  #cutOff(cause: unknown): AppError {
    const why = cause === undefined ? "" : `: ${rootMessage(cause)}`;
    return new AppError("SERVICE_UNREACHABLE", `${this.name} broke its answer off${why}`, {
      cause,
      hint: "what was printed is not complete; ask again, and see the service's log",
    });
  }
}

function readBaseUrl(text: string): URL {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new AppError("USAGE", `cannot read the URL "${text}": give http://HOST:PORT`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function isRefused(error: unknown): boolean {
  return rootCodes(error).some((code) => code === "ECONNREFUSED" || code === "ENOTFOUND");
}

/** `fetch` says "fetch failed"; what failed is in its cause, or in the causes of that. */
function rootCodes(error: unknown): readonly unknown[] {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError) return cause.errors.flatMap((one) => codeOf(one));
  return codeOf(cause);
}

function codeOf(error: unknown): readonly unknown[] {
  return error instanceof Error && "code" in error ? [error.code] : [];
}

function rootMessage(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors.length > 0) {
    return errorMessage(cause.errors[0]);
  }
  return errorMessage(cause ?? error);
}
