import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import type { ExportFormat } from "../query/export.ts";
import { exportEntries } from "../query/export.ts";
import type { OutputBatch, QueryEnd } from "../query/run-query.ts";
import type { Logger } from "../telemetry/logger.ts";

const CONTENT_TYPES: Readonly<Record<ExportFormat, string>> = {
  jsonl: "application/x-ndjson; charset=utf-8",
  json: "application/json; charset=utf-8",
  csv: "text/csv; charset=utf-8; header=present",
  yaml: "application/yaml; charset=utf-8",
};

/** The last line of JSON Lines, and the trailer `dora-end` of every format. */
interface StreamEnd {
  readonly status: "complete" | "partial";
  readonly reasons: readonly string[];
  /** Set where more may follow. */
  readonly cursor?: string;
  readonly count: number;
  readonly scanned_rows: number;
  readonly scanned_bytes: number;
}

/**
 * Streams the output of a query as the answer, as fast as the client reads it.
 *
 * What fails before the first byte is thrown, and answered as any error. What fails later ends the
 * connection without the end of the body, so that a cut answer never looks like a whole one.
 */
export async function streamAnswer(
  reply: FastifyReply,
  batches: AsyncGenerator<OutputBatch, QueryEnd>,
  options: {
    readonly format: ExportFormat;
    /** Of CSV, whose header stands there even where no row follows. */
    readonly columns: readonly string[];
    readonly signal: AbortSignal;
    readonly log: Logger;
  },
): Promise<void> {
  const { format, columns, signal, log } = options;
  const output = new CountedOutput(batches);
  await output.start();
  const response = reply.raw;
  try {
    for await (const chunk of exportEntries(format, output.lines(), { columns })) {
      begin(reply, format);
      await write(response, chunk, signal);
    }
    const end = JSON.stringify(output.end());
    begin(reply, format);
    if (format === "jsonl") await write(response, `{"end":${end}}\n`, signal);
    response.addTrailers({ "dora-status": output.end().status, "dora-end": toAscii(end) });
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    if (!signal.aborted) log.error("an answer was cut off", { error });
    // What was sent still arrives; the end of the body does not.
    response.socket?.destroySoon();
  }
}

/** Before the first byte, once there is one. */
function begin(reply: FastifyReply, format: ExportFormat): void {
  if (reply.raw.headersSent) return;
  reply.hijack();
  const headers = { "content-type": CONTENT_TYPES[format], trailer: "dora-status, dora-end" };
  reply.raw.writeHead(200, headers);
}

/** The lines of a query's batches; counts them and keeps the end. */
class CountedOutput {
  readonly #batches: AsyncGenerator<OutputBatch, QueryEnd>;
  #next: IteratorResult<OutputBatch, QueryEnd> | undefined;
  #count = 0;

  constructor(batches: AsyncGenerator<OutputBatch, QueryEnd>) {
    this.#batches = batches;
  }

  /** Runs the query as far as its first batch. */
  async start(): Promise<void> {
    this.#next = await this.#batches.next();
  }

  async *lines(): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) {
        this.#next ??= await this.#batches.next();
        if (this.#next.done === true) return;
        const { lines, count } = this.#next.value;
        this.#next = undefined;
        this.#count += count;
        yield lines;
      }
    } finally {
      if (this.#next?.done !== true) await this.#batches.return(LEFT);
    }
  }

  end(): StreamEnd {
    const end = this.#next?.done === true ? this.#next.value : LEFT;
    return {
      status: end.status,
      reasons: end.reasons,
      ...(end.cursor === undefined ? {} : { cursor: end.cursor }),
      count: this.#count,
      scanned_rows: end.scannedRows,
      scanned_bytes: end.scannedBytes,
    };
  }
}

/** The end of a query whose reader left. */
const LEFT: QueryEnd = {
  status: "partial",
  reasons: ["the reader left"],
  scannedBytes: 0,
  scannedRows: 0,
};

/** Hands bytes to the client, and waits where it is slower than we are. */
async function write(
  response: ServerResponse,
  chunk: Uint8Array | string,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (!response.write(chunk)) await once(response, "drain", { signal });
}

/** JSON with all but ASCII escaped, as a header must be. */
function toAscii(json: string): string {
  return json.replaceAll(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
