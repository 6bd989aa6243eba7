import { systemClock } from "../core/clock.ts";
import { AppError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import type { Signal } from "../core/record.ts";
import { SIGNALS } from "../core/record.ts";
import { parseQuery } from "../query/parse-query.ts";
import { exportAnswer, readFileFormat } from "./export-answer.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { readTimeRange } from "./logs-flags.ts";

/** The flags of `dora export`, as they were typed. */
export interface ExportFlags extends Pick<
  LogsFlags,
  "since" | "until" | "output" | "file" | "url" | "dataDir" | "tokenFile"
> {
  readonly table: string;
}

/** `dora export`: everything of a table that matches, oldest first, in constant memory. */
export async function exportTable(text: string | undefined, flags: ExportFlags): Promise<void> {
  const answer = {
    table: readTable(flags.table),
    query: parseQuery(text ?? ""),
    range: readTimeRange(flags, systemClock.nowUnixNs()),
    format: readFileFormat(flags),
    path: flags.file,
  };
  await exportAnswer(answer, flags);
}

function readTable(name: string): Signal {
  const table = SIGNALS.find((known) => known === name);
  if (table !== undefined) return table;
  throw new AppError(
    "USAGE",
    `--table must be one of ${SIGNALS.join(", ")}, got "${name}"${didYouMean(name, SIGNALS)}`,
  );
}
