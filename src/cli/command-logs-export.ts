import { systemClock } from "../core/clock.ts";
import { exportAnswer, readFileFormat } from "./export-answer.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readCount, readQuery, readTimeRange } from "./logs-flags.ts";

/**
 * `dora logs export`: all records that match, oldest first, in constant memory; with `--tail` or
 * `--limit` the newest so many, which are held.
 */
export async function exportLogs(text: string | undefined, flags: LogsFlags): Promise<void> {
  const newestCount = leastCount(flags);
  const answer = {
    table: "logs",
    query: readQuery(text, flags),
    range: readTimeRange(flags, systemClock.nowUnixNs()),
    ...(newestCount === undefined ? {} : { newestCount }),
    format: readFileFormat(flags),
    path: flags.file,
  } as const;
  await exportAnswer(answer, flags);
}

function leastCount(flags: LogsFlags): number | undefined {
  const tail = readCount("--tail", flags.tail);
  const limit = readCount("--limit", flags.limit);
  if (tail === undefined && limit === undefined) return undefined;
  return Math.min(tail ?? Infinity, limit ?? Infinity);
}
