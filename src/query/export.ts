import type { CsvOptions } from "./export-csv.ts";
import { exportCsv } from "./export-csv.ts";
import { exportJson } from "./export-json.ts";
import { exportJsonl } from "./export-jsonl.ts";
import { exportYaml } from "./export-yaml.ts";

/** The formats of an export, by the name that `--output` takes. */
export const EXPORT_FORMATS = ["json", "jsonl", "csv", "yaml"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Only CSV has a choice. */
export type ExportOptions = CsvOptions;

/**
 * Turns the lines of an answer into one document of `format`.
 *
 * Shape:  `lines` gives JSON Lines, whole lines in each chunk; the output's chunks break anywhere.
 * Cost:   constant memory: a chunk of input and what it becomes.
 * Errors: those of `lines`, passed on; what was yielded before is then no whole document.
 */
export function exportEntries(
  format: ExportFormat,
  lines: AsyncIterable<Uint8Array>,
  options: ExportOptions = {},
): AsyncIterable<Uint8Array> {
  switch (format) {
    case "json":
      return exportJson(lines);
    case "jsonl":
      return exportJsonl(lines);
    case "csv":
      return exportCsv(lines, options);
    case "yaml":
      return exportYaml(lines);
  }
}
