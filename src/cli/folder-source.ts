import { systemClock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import type { QueryBudget } from "../log-store/log-store.ts";
import { EmbeddedStore } from "../log-store/embedded-store.ts";
import { readTrace } from "../query/read-trace.ts";
import { runQuery } from "../query/run-query.ts";
import { ALL_TIME } from "../core/time.ts";
import type {
  AnswerEnd,
  FollowEvent,
  FollowLogsRequest,
  LogSource,
  LogsRequest,
} from "./log-source.ts";

/** The user waits for it and can stop it, so only memory is bounded. */
const BUDGET: QueryBudget = {
  timeMs: Number.MAX_SAFE_INTEGER,
  scanBytes: Number.MAX_SAFE_INTEGER,
  memoryBytes: 256 * 1024 * 1024,
};

/** The folder of a store that no service has open; nothing in it is changed. */
export class FolderSource implements LogSource {
  readonly name: string;
  readonly flags: readonly string[];
  readonly #store: EmbeddedStore;

  private constructor(directory: string, store: EmbeddedStore) {
    this.name = `the folder ${directory}`;
    this.flags = ["--data-dir", directory];
    this.#store = store;
  }

  /** Errors: `STORE_IN_USE` where a service has it open, `STORE_FORMAT_UNKNOWN`, `STORE_CORRUPT`. */
  static async open(directory: string): Promise<FolderSource> {
    const store = await EmbeddedStore.open({ directory, clock: systemClock, mode: "read" });
    return new FolderSource(directory, store);
  }

  async *run(request: LogsRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, AnswerEnd> {
    const { table = "logs", query, range, order, limit } = request;
    const options = {
      signal: table,
      range,
      order,
      ...(limit === undefined ? {} : { limit }),
      budget: BUDGET,
    };
    const batches = runQuery(this.#store, query, options, signal);
    let next = await batches.next();
    try {
      while (next.done !== true) {
        yield next.value.lines;
        next = await batches.next();
      }
    } finally {
      if (next.done !== true) await batches.return(LEFT);
    }
    return { status: next.value.status, reasons: next.value.reasons };
  }

  /**
   * The backlog alone: nothing writes into the folder.
   *
   * Errors: `SERVICE_UNREACHABLE` behind the backlog, so that nobody waits for what cannot come.
   */
  async *follow(
    { query, backlog }: FollowLogsRequest,
    signal: AbortSignal,
  ): AsyncGenerator<FollowEvent, void> {
    if (backlog > 0) {
      const newest: string[] = [];
      const request = { query, range: ALL_TIME, order: "newest", limit: backlog } as const;
      for await (const lines of this.run(request, signal)) {
        newest.push(...Buffer.from(lines).toString("utf8").split("\n").slice(0, -1));
      }
      const lines = newest
        .reverse()
        .map((line) => `${line}\n`)
        .join("");
      if (lines !== "") yield { kind: "entries", lines: Buffer.from(lines) };
    }
    throw new AppError(
      "SERVICE_UNREACHABLE",
      `nothing to follow: no service runs on ${this.name}`,
      {
        hint: "start it with `dora serve`, or leave --follow out",
      },
    );
  }

  async readTrace(traceId: string, signal: AbortSignal): Promise<unknown> {
    return readTrace(this.#store, traceId, BUDGET, signal);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }
}

/** What ends a query that its reader leaves; nobody looks at it. */
const LEFT = { status: "partial", reasons: [], scannedBytes: 0, scannedRows: 0 } as const;
