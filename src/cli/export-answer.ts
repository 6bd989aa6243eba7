import { extname } from "node:path";
import { systemClock } from "../core/clock.ts";
import { ENTRY_KEYS } from "../core/entry.ts";
import { AppError } from "../core/errors.ts";
import type { Signal } from "../core/record.ts";
import { exportEntries } from "../query/export.ts";
import { outputColumns } from "../query/parse-query.ts";
import { readWhole, withEnd } from "./answer-rows.ts";
import { ExportFile } from "./export-file.ts";
import type { AnswerEnd, LogsRequest } from "./log-source.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readOutput } from "./logs-flags.ts";
import type { FileFormat } from "./output-formats.ts";
import { FILE_FORMATS } from "./output-formats.ts";
import type { Session } from "./session.ts";
import { note, warnPartial, withSession } from "./session.ts";

const NEWLINE = 0x0a;

/** The progress line is rewritten no more often. */
const PROGRESS_INTERVAL_MS = 100;

const FORMAT_DEFAULT: FileFormat = "jsonl";

export interface AnswerToExport {
  readonly table: Signal;
  readonly query: LogsRequest["query"];
  readonly range: LogsRequest["range"];
  /** The newest so many, which are held in memory; undefined is all. */
  readonly newestCount?: number;
  readonly format: FileFormat;
  /** The file that it goes to; undefined is standard output. */
  readonly path: string | undefined;
}

/**
 * Writes an answer, oldest first, to a file or standard output, in constant memory.
 *
 * Errors: `USAGE` from `checkParquet`; `OUTPUT_FAILED`; those of the source. Exit code 1 where the
 *         answer is partial; a file is then kept as `FILE.partial`.
 */
export async function exportAnswer(answer: AnswerToExport, flags: LogsFlags): Promise<void> {
  checkParquet(answer, process.stdout.isTTY);
  const { path } = answer;
  await withSession(flags, { isEndless: false }, async (session) => {
    const file = path === undefined ? undefined : await ExportFile.create(path);
    try {
      const lines = new CountedLines(session, answer);
      await writeAll(session, { answer, lines, file });
      await finish(session, { answer, lines, file });
    } finally {
      await file?.close();
    }
  });
}

/** What `--output` says, else the file's name, else JSON Lines. Errors: `USAGE`. */
export function readFileFormat({ output, file }: Pick<LogsFlags, "output" | "file">): FileFormat {
  if (output !== undefined) return readOutput(output, FILE_FORMATS);
  const extension = extname(file ?? "").slice(1);
  const byName = extension === "yml" ? "yaml" : extension;
  return FILE_FORMATS.find((format) => format === byName) ?? FORMAT_DEFAULT;
}

/**
 * Refuses what Parquet is not for, before anything is asked.
 *
 * Errors: `USAGE` for a terminal, and for rows whose columns the query makes: they have no types.
 */
export function checkParquet(
  { format, path, query }: Pick<AnswerToExport, "format" | "path" | "query">,
  isTerminal: boolean,
): void {
  if (format !== "parquet") return;
  if (path === undefined && isTerminal) {
    throw new AppError("USAGE", "Parquet is binary, and standard output is a terminal", {
      hint: "write it to a file with --file export.parquet, or into a pipe",
    });
  }
  if (outputColumns(query) === undefined) return;
  const pipe = query.pipes.find(({ kind }) => kind !== "limit" && kind !== "sort");
  throw new AppError(
    "USAGE",
    `Parquet holds whole entries, and "${pipe?.kind}" makes rows of its own`,
    { hint: "leave the pipe out and choose columns where you read the file, or use --output csv" },
  );
}

/** The lines of an answer on their way to the export, counted, with the answer's end. */
class CountedLines {
  readonly #session: Session;
  readonly #answer: AnswerToExport;
  count = 0;
  end: AnswerEnd = { status: "partial", reasons: ["the answer was not read to its end"] };

  constructor(session: Session, answer: AnswerToExport) {
    this.#session = session;
    this.#answer = answer;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    const { output, notes } = this.#session;
    // On a terminal the records themselves show how far it is.
    const showsProgress = notes.look.isTerminal && !output.look.isTerminal;
    let shownAtMs = systemClock.monotonicMs();
    for await (const lines of this.#read()) {
      this.count += countLines(lines);
      const nowMs = systemClock.monotonicMs();
      if (showsProgress && nowMs - shownAtMs >= PROGRESS_INTERVAL_MS) {
        shownAtMs = nowMs;
        await notes.writeStatus(printCount(this.#answer.table, this.count));
      }
      yield lines;
    }
    if (showsProgress) await notes.writeStatus("");
  }

  async *#read(): AsyncGenerator<Uint8Array, void> {
    const { source, signal } = this.#session;
    const { table, query, range, newestCount } = this.#answer;
    if (newestCount === 0) {
      this.end = { status: "complete", reasons: [] };
      return;
    }
    const request = { table, query, range };
    if (newestCount === undefined) {
      const answer = source.run({ ...request, order: "oldest" }, signal);
      yield* withEnd(answer, (end) => (this.end = end));
      return;
    }
    const newest = { ...request, order: "newest", limit: newestCount } as const;
    const { lines, end } = await readWhole(source.run(newest, signal));
    this.end = end;
    const hasOwnOrder = query.pipes.some(({ kind }) => kind !== "fields" && kind !== "limit");
    yield* hasOwnOrder ? lines : lines.toReversed();
  }
}

function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at >= 0; at = lines.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

interface RunningExport {
  readonly answer: AnswerToExport;
  readonly lines: CountedLines;
  readonly file: ExportFile | undefined;
}

async function writeAll({ output, signal }: Session, run: RunningExport): Promise<void> {
  for await (const chunk of await documentOf(run)) {
    // Also before the last chunk, without which a document is seen to be cut off.
    signal.throwIfAborted();
    if (run.file === undefined) await output.writeDocument(chunk);
    else await run.file.write(chunk);
  }
  // A source may end early, without a word, when it is aborted.
  signal.throwIfAborted();
}

async function documentOf({ answer, lines }: RunningExport): Promise<AsyncIterable<Uint8Array>> {
  const { format, query, table } = answer;
  if (format !== "parquet") {
    return exportEntries(format, lines, { columns: outputColumns(query) ?? ENTRY_KEYS[table] });
  }
  // Loaded on use: others need not wait for its library.
  const { exportParquet } = await import("../query/export-parquet.ts");
  return exportParquet(lines, table);
}

async function finish({ notes }: Session, run: RunningExport): Promise<void> {
  const { answer, lines, file } = run;
  const records = printCount(answer.table, lines.count);
  if (lines.end.status === "complete") {
    await file?.complete();
    if (answer.path !== undefined) await note(notes, `wrote ${records} to ${answer.path}`);
    return;
  }
  process.exitCode = 1;
  await warnPartial(notes, lines.end.reasons);
  const partialPath = await file?.keepPartial();
  if (partialPath !== undefined) await note(notes, `kept ${records} as ${partialPath}`);
}

const NOUNS: { readonly [table in Signal]: readonly [one: string, many: string] } = {
  logs: ["record", "records"],
  traces: ["span", "spans"],
  metrics: ["data point", "data points"],
};

function printCount(table: Signal, count: number): string {
  const [one, many] = NOUNS[table];
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
