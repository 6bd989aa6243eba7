import { extname } from "node:path";
import { systemClock } from "../core/clock.ts";
import type { ExportFormat } from "../query/export.ts";
import { EXPORT_FORMATS, exportEntries } from "../query/export.ts";
import type { Query } from "../query/parse-query.ts";
import { outputColumns } from "../query/parse-query.ts";
import { readWhole, withEnd } from "./answer-rows.ts";
import { ExportFile } from "./export-file.ts";
import type { AnswerEnd, LogsRequest } from "./log-source.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readCount, readOutput, readQuery, readTimeRange } from "./logs-flags.ts";
import type { Session } from "./session.ts";
import { note, warnPartial, withSession } from "./session.ts";

const NEWLINE = 0x0a;

/** The progress line is rewritten no more often. */
const PROGRESS_INTERVAL_MS = 100;

const FORMAT_DEFAULT: ExportFormat = "jsonl";

/**
 * `dora logs export`: all records that match, oldest first, in constant memory; with `--tail` or
 * `--limit` the newest so many, which are held.
 *
 * Exit code 1 where the answer is partial; a file is then kept as `FILE.partial`.
 */
export async function exportLogs(text: string | undefined, flags: LogsFlags): Promise<void> {
  const format = exportFormat(flags);
  const query = readQuery(text, flags);
  const range = readTimeRange(flags, systemClock.nowUnixNs());
  const count = leastCount(flags);
  await withSession(flags, { isEndless: false }, async (session) => {
    const file = flags.file === undefined ? undefined : await ExportFile.create(flags.file);
    try {
      const lines = new CountedLines(session, { query, range, order: "oldest" }, count);
      await writeAll(session, { format, query, lines, file });
      await finish(session, { lines, file, path: flags.file });
    } finally {
      await file?.close();
    }
  });
}

function exportFormat(flags: LogsFlags): ExportFormat {
  if (flags.output !== undefined) return readOutput(flags.output, EXPORT_FORMATS);
  const extension = extname(flags.file ?? "").slice(1);
  const byName = extension === "yml" ? "yaml" : extension;
  return EXPORT_FORMATS.find((format) => format === byName) ?? FORMAT_DEFAULT;
}

function leastCount(flags: LogsFlags): number | undefined {
  const tail = readCount("--tail", flags.tail);
  const limit = readCount("--limit", flags.limit);
  if (tail === undefined && limit === undefined) return undefined;
  return Math.min(tail ?? Infinity, limit ?? Infinity);
}

/** The lines of an answer on their way to the export, counted, with the answer's end. */
class CountedLines {
  readonly #session: Session;
  readonly #request: LogsRequest;
  /** The newest so many; undefined is all. */
  readonly #newestCount: number | undefined;
  count = 0;
  end: AnswerEnd = { status: "partial", reasons: ["the answer was not read to its end"] };

  constructor(session: Session, request: LogsRequest, newestCount: number | undefined) {
    this.#session = session;
    this.#request = request;
    this.#newestCount = newestCount;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const { output, notes } = this.#session;
    // On a terminal the records themselves show how far it is.
    const showsProgress = notes.look.isTerminal && !output.look.isTerminal;
    let shownAtMs = systemClock.monotonicMs();
    for await (const lines of this.#answer()) {
      this.count += countLines(lines);
      const nowMs = systemClock.monotonicMs();
      if (showsProgress && nowMs - shownAtMs >= PROGRESS_INTERVAL_MS) {
        shownAtMs = nowMs;
        await notes.writeStatus(`${this.count.toLocaleString("en")} records`);
      }
      yield lines;
    }
    if (showsProgress) await notes.writeStatus("");
  }

  async *#answer(): AsyncGenerator<Uint8Array, void> {
    const { source, signal } = this.#session;
    if (this.#newestCount === 0) {
      this.end = { status: "complete", reasons: [] };
      return;
    }
    if (this.#newestCount === undefined) {
      yield* withEnd(source.run(this.#request, signal), (end) => (this.end = end));
      return;
    }
    const newest = { ...this.#request, order: "newest", limit: this.#newestCount } as const;
    const { lines, end } = await readWhole(source.run(newest, signal));
    this.end = end;
    const hasOwnOrder = newest.query.pipes.some(
      ({ kind }) => kind !== "fields" && kind !== "limit",
    );
    yield* hasOwnOrder ? lines : lines.toReversed();
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

async function writeAll(
  { output, signal }: Session,
  {
    format,
    query,
    lines,
    file,
  }: {
    readonly format: ExportFormat;
    readonly query: Query;
    readonly lines: CountedLines;
    readonly file: ExportFile | undefined;
  },
): Promise<void> {
  const columns = outputColumns(query);
  const options = columns === undefined ? {} : { columns };
  for await (const chunk of exportEntries(format, lines, options)) {
    signal.throwIfAborted();
    if (file === undefined) await output.writeDocument(chunk);
    else await file.write(chunk);
  }
  // A source may end early, without a word, when it is aborted.
  signal.throwIfAborted();
}

async function finish(
  { notes }: Session,
  {
    lines,
    file,
    path,
  }: {
    readonly lines: CountedLines;
    readonly file: ExportFile | undefined;
    readonly path: string | undefined;
  },
): Promise<void> {
  const records = `${lines.count.toLocaleString("en")} ${lines.count === 1 ? "record" : "records"}`;
  if (lines.end.status === "complete") {
    await file?.complete();
    if (path !== undefined) await note(notes, `wrote ${records} to ${path}`);
    return;
  }
  process.exitCode = 1;
  await warnPartial(notes, lines.end.reasons);
  const partialPath = await file?.keepPartial();
  if (partialPath !== undefined) await note(notes, `kept ${records} as ${partialPath}`);
}
