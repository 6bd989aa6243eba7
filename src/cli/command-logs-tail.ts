import { systemClock } from "../core/clock.ts";
import { LOG_ENTRY_KEYS } from "../core/entry.ts";
import { AppError } from "../core/errors.ts";
import type { TimeRange } from "../core/time.ts";
import { parseRfc3339 } from "../core/time.ts";
import { exportEntries } from "../query/export.ts";
import { printRows } from "../query/row.ts";
import type { AnswerRow } from "./answer-rows.ts";
import { rowsOf, toShownEntry } from "./answer-rows.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readCount, readOutput, readQuery, readTimeRange } from "./logs-flags.ts";
import { OUTPUT_FORMATS } from "./output-formats.ts";
import type { Output } from "./output.ts";
import { renderEntry } from "./render-entry.ts";
import type { Session } from "./session.ts";
import { note, withSession } from "./session.ts";

/** Records before the first live one where nobody says how many. */
const BACKLOG_DEFAULT = 10;

/** The same with `--since`, which asks for as many as there are since then. */
const BACKLOG_SINCE = 1000;

/**
 * `dora logs --follow` and `dora logs tail`: the newest records that match, then those that come,
 * until Ctrl-C, or until `--limit` records were shown.
 */
export async function tailLogs(text: string | undefined, flags: LogsFlags): Promise<void> {
  const format = readOutput(flags.output ?? "text", OUTPUT_FORMATS);
  const query = readQuery(text, flags);
  if (query.pipes.length > 0) {
    throw new AppError(
      "USAGE",
      `a live search takes a filter, without "| ${query.pipes[0].kind}": leave the pipes out, or use \`dora logs query\``,
    );
  }
  if (flags.until !== undefined) {
    throw new AppError(
      "USAGE",
      "--follow has no end, so it takes no --until: leave one of them out",
    );
  }
  const range = readTimeRange(flags, systemClock.nowUnixNs());
  const limit = readCount("--limit", flags.limit) ?? Infinity;
  const backlog =
    readCount("--tail", flags.tail) ??
    (flags.since === undefined ? BACKLOG_DEFAULT : BACKLOG_SINCE);
  await withSession(flags, { isEndless: true }, async (session) => {
    const rows = followRows(session, { query, backlog }, range);
    await printRowsLive(session.output, format, takeRows(rows, limit));
  });
}

async function* followRows(
  { source, notes, signal }: Session,
  request: Parameters<Session["source"]["follow"]>[0],
  range: TimeRange,
): AsyncGenerator<readonly AnswerRow[], void> {
  for await (const event of source.follow(request, signal)) {
    if (event.kind === "missed") {
      await notes.writeLine({
        text: `warning: ${event.count} records were left out, because this reader was too slow`,
        style: "warning",
      });
      continue;
    }
    const rows = rowsOf(event.lines);
    const since = rows.filter((row) => isSince(row, range.fromUnixNs));
    if (rows.length === BACKLOG_SINCE && since.length === rows.length) {
      await note(notes, `only the newest ${BACKLOG_SINCE} of the past are shown: see --tail`);
    }
    if (since.length > 0) yield since;
  }
}

function isSince(row: AnswerRow, fromUnixNs: bigint): boolean {
  const time = parseRfc3339(toShownEntry(row).timestamp);
  return time === undefined || time >= fromUnixNs;
}

async function* takeRows(
  batches: AsyncIterable<readonly AnswerRow[]>,
  limit: number,
): AsyncGenerator<readonly AnswerRow[], void> {
  let left = limit;
  if (left <= 0) return;
  for await (const rows of batches) {
    yield rows.slice(0, left);
    left -= rows.length;
    if (left <= 0) return;
  }
}

async function printRowsLive(
  output: Output,
  format: (typeof OUTPUT_FORMATS)[number],
  batches: AsyncIterable<readonly AnswerRow[]>,
): Promise<void> {
  switch (format) {
    case "text":
      for await (const rows of batches) {
        await output.writeLines(rows.flatMap((row) => renderEntry(toShownEntry(row))));
      }
      return;
    case "csv":
      await printCsvLive(output, batches);
      return;
    case "json":
    case "jsonl":
    case "yaml":
      for await (const chunk of exportEntries(format, linesOf(batches))) {
        await output.writeDocument(chunk);
      }
      return;
  }
}

/** The CSV writer gathers rows into large chunks, so that each batch here gets a writer of its own. */
async function printCsvLive(
  output: Output,
  batches: AsyncIterable<readonly AnswerRow[]>,
): Promise<void> {
  const header = Buffer.from(`${LOG_ENTRY_KEYS.join(",")}\r\n`);
  await output.writeDocument(header);
  for await (const rows of batches) {
    const parts: Uint8Array[] = [];
    const options = { columns: LOG_ENTRY_KEYS };
    for await (const part of exportEntries("csv", linesOf(oneBatch(rows)), options)) {
      parts.push(part);
    }
    await output.writeDocument(Buffer.concat(parts).subarray(header.length));
  }
}

async function* oneBatch(rows: readonly AnswerRow[]): AsyncGenerator<readonly AnswerRow[], void> {
  yield rows;
}

async function* linesOf(
  batches: AsyncIterable<readonly AnswerRow[]>,
): AsyncGenerator<Uint8Array, void> {
  for await (const rows of batches) yield printRows(rows);
}
