import { systemClock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import { exportEntries } from "../query/export.ts";
import type { Query } from "../query/parse-query.ts";
import { outputColumns, parseQuery } from "../query/parse-query.ts";
import { readWhole, rowsOf, toShownEntry } from "./answer-rows.ts";
import { commandLine, selectingFlags } from "./command-line.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readCount, readOutput, readQuery, readTimeRange } from "./logs-flags.ts";
import { OUTPUT_FORMATS } from "./output-formats.ts";
import type { Output } from "./output.ts";
import { renderEntry } from "./render-entry.ts";
import { renderTable } from "./render-table.ts";
import type { Session } from "./session.ts";
import { note, warnPartial, withSession } from "./session.ts";

/** Records that are shown where nobody says how many. */
const SHOWN_DEFAULT = 100;

type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/**
 * `dora logs` and `dora logs query`: the newest records that match, oldest first; or the rows that
 * the query's pipes make.
 *
 * Limits: holds what it shows in memory, `SHOWN_DEFAULT` records without `--limit` or `--tail`;
 *         `dora logs export` has no such bound.
 */
export async function queryLogs(text: string | undefined, flags: LogsFlags): Promise<void> {
  const format = readOutput(flags.output ?? "text", OUTPUT_FORMATS);
  const query = readQuery(text, flags);
  const plan = planShow(query, flags);
  const range = readTimeRange(flags, systemClock.nowUnixNs());
  await withSession(flags, { isEndless: false }, async (session) => {
    const { lines, hasMore } = await readShown(session, { query, range, plan });
    if (format === "text") {
      await printText(session.output, query, lines);
      if (lines.length === 0) await sayNone(session, flags);
    } else {
      await printDocument(session.output, { format, query, lines });
    }
    if (hasMore && plan.isDefault) await sayMore(session, { text, flags });
  });
}

/** How many rows are shown, and from which end. */
interface ShowPlan {
  /** undefined: all rows, which are groups. */
  readonly count: number | undefined;
  readonly isDefault: boolean;
  /** Newest are asked for and shown last; rows with an order of their own keep it. */
  readonly isReversed: boolean;
}

function planShow({ pipes }: Query, flags: LogsFlags): ShowPlan {
  const tail = readCount("--tail", flags.tail);
  const limit = readCount("--limit", flags.limit);
  const ordering = pipes.find((pipe) => pipe.kind !== "fields" && pipe.kind !== "limit");
  if (ordering !== undefined && tail !== undefined) {
    throw new AppError(
      "USAGE",
      `--tail takes the newest records, and "${ordering.kind}" gives rows in an order of their own: use --limit, or | limit ${tail}`,
    );
  }
  const isReversed = ordering === undefined;
  const isGrouped = ordering !== undefined && ordering.kind !== "sort";
  if (tail === undefined && limit === undefined) {
    return { count: isGrouped ? undefined : SHOWN_DEFAULT, isDefault: !isGrouped, isReversed };
  }
  const count = Math.min(tail ?? Infinity, limit ?? Infinity);
  return { count, isDefault: false, isReversed };
}

async function readShown(
  { source, notes, signal }: Session,
  request: {
    readonly query: Query;
    readonly range: ReturnType<typeof readTimeRange>;
    readonly plan: ShowPlan;
  },
): Promise<{ readonly lines: readonly Uint8Array[]; readonly hasMore: boolean }> {
  const { query, range, plan } = request;
  // One more than is shown tells whether there are more.
  const limit = plan.count === undefined ? {} : { limit: plan.count + 1 };
  const { lines, end } = await readWhole(
    source.run({ query, range, order: "newest", ...limit }, signal),
  );
  if (end.status === "partial") await warnPartial(notes, end.reasons);
  const shown = lines.slice(0, plan.count);
  return {
    lines: plan.isReversed ? shown.reverse() : shown,
    hasMore: lines.length > shown.length,
  };
}

/** Entries as lines; rows with columns of their own as a table. */
async function printText(
  output: Output,
  query: Query,
  lines: readonly Uint8Array[],
): Promise<void> {
  if (outputColumns(query) !== undefined) {
    await output.writeLines(renderTable(lines.flatMap(rowsOf)));
    return;
  }
  for (const line of lines) {
    for (const row of rowsOf(line)) await output.writeLines(renderEntry(toShownEntry(row)));
  }
}

async function printDocument(
  output: Output,
  {
    format,
    query,
    lines,
  }: {
    readonly format: Exclude<OutputFormat, "text">;
    readonly query: Query;
    readonly lines: readonly Uint8Array[];
  },
): Promise<void> {
  const columns = outputColumns(query);
  const options = columns === undefined ? {} : { columns };
  for await (const chunk of exportEntries(format, asyncLines(lines), options)) {
    await output.writeDocument(chunk);
  }
}

async function* asyncLines(lines: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  yield* lines;
}

/** To people, and of a dataflow to all: its name may be a subcommand with a slip in it. */
async function sayNone({ notes }: Session, { dataflow }: LogsFlags): Promise<void> {
  if (dataflow === undefined) {
    if (notes.look.isTerminal) await note(notes, "no record matches");
    return;
  }
  const guess = didYouMean(dataflow, ["query", "tail", "export"]).replaceAll('"', "`");
  await note(notes, `no record of a dataflow "${dataflow}" matches${guess}`);
}

async function sayMore(
  { notes }: Session,
  { text, flags }: { readonly text: string | undefined; readonly flags: LogsFlags },
): Promise<void> {
  const isExportable = parseQuery(text ?? "").pipes.length === 0;
  const query = text === undefined || text === "" ? [] : [text];
  const command = isExportable
    ? ["dora", "logs", "export", ...query, ...selectingFlags(flags)]
    : ["dora", "logs", "query", ...query, ...selectingFlags(flags), "--limit", "1000"];
  await note(
    notes,
    `only the newest ${SHOWN_DEFAULT} are shown; ${isExportable ? "all of them" : "more of them"}: ${commandLine(command)}`,
  );
}
