import type { z } from "zod";
import { AppError, errorMessage } from "../../core/errors.ts";
import { type Hello, type Update, UpdateRequestSchema } from "./dataflow-messages.ts";
import type { StandIn, UpdateSink } from "./stand-in.ts";

/** How a stream ends; gRPC and WebSocket have each their numbers for it. */
export type StreamEnd =
  | { readonly status: "finished" }
  | { readonly status: "invalid" | "aborted"; readonly reason: string };

/** What carries a stream. */
export interface UpdateChannel {
  /** Resolves once there is room for more, or the other end is gone. Never rejects. */
  write(update: Update, payload?: Uint8Array): Promise<void>;
  end(end: StreamEnd): void;
}

/**
 * One stream of updates: what comes in is checked and done, one request after the other; payloads go out in parts.
 * Whoever reads the requests takes the next one when `take` has resolved, so that a full link holds the process back.
 */
export class UpdateStream implements UpdateSink {
  readonly #standIn: StandIn;
  readonly #channel: UpdateChannel;
  #hello: Hello | undefined;
  #isOver = false;

  constructor(standIn: StandIn, channel: UpdateChannel) {
    this.#standIn = standIn;
    this.#channel = channel;
  }

  get window(): number {
    return this.#hello?.window ?? 0;
  }

  /** Never rejects. */
  async take(request: unknown): Promise<void> {
    if (this.#isOver) return;
    try {
      await this.#do(request);
    } catch (error) {
      if (this.#hello === undefined) this.#end({ status: "invalid", reason: errorMessage(error) });
      else await this.#channel.write({ failed: failureOf(error) });
    }
  }

  /** The requests have ended: the process sends no more. */
  async finish(): Promise<void> {
    if (this.#isOver) return;
    await this.#standIn.close();
  }

  /** The other end is gone. */
  lose(): void {
    this.#isOver = true;
    this.#standIn.detach(this);
  }

  async write(update: Update, payload?: Uint8Array): Promise<void> {
    const partBytes = this.#hello?.partBytes ?? 0;
    if (payload === undefined || payload.length <= partBytes) {
      await this.#channel.write(update, payload);
      return;
    }
    await this.#channel.write(update, payload.subarray(0, partBytes));
    for (let at = partBytes; at < payload.length && !this.#isOver; at += partBytes) {
      await this.#channel.write({ part: {} }, payload.subarray(at, at + partBytes));
    }
  }

  cut(reason: string): void {
    this.#end({ status: "aborted", reason });
  }

  ended(): void {
    this.#end({ status: "finished" });
  }

  async #do(given: unknown): Promise<void> {
    const request = parse(given);
    if (this.#hello === undefined) {
      if (request.hello === undefined) throw invalid("the first request is not `hello`");
      this.#hello = request.hello;
      await this.#standIn.attach(this);
    } else if (request.handled !== undefined) {
      this.#standIn.handled(request.handled.event, request.handled.failed);
    } else if (request.task !== undefined) {
      await this.#standIn.send(request.task);
    } else if (request.closeOutputs !== undefined) {
      await this.#standIn.closeOutputs(request.closeOutputs.outputs);
    } else if (request.log !== undefined) {
      this.#standIn.log(request.log);
    } else if (request.finish !== undefined) {
      await this.finish();
    } else if (request.hello !== undefined) {
      throw invalid("`hello` was said already");
    } else {
      throw invalid("the request says nothing that is known here");
    }
  }

  #end(end: StreamEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#channel.end(end);
    this.#standIn.detach(this);
  }
}

function parse(given: unknown): z.infer<typeof UpdateRequestSchema> {
  const parsed = UpdateRequestSchema.safeParse(given);
  if (!parsed.success) throw invalid(firstProblem(parsed.error));
  return parsed.data;
}

/** Where it is, and what is wrong. */
export function firstProblem({ issues: [issue] }: z.ZodError): string {
  if (issue === undefined) return "it makes no sense";
  return `${issue.path.join(".") || "the request"}: ${issue.message}`;
}

function invalid(message: string): AppError {
  return new AppError("REQUEST_INVALID", message);
}

/** What an error is called, for who speaks no TypeScript. */
export function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof AppError ? error.code : "INTERNAL";
  return { code, message: errorMessage(error) };
}
