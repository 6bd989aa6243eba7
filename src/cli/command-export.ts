import type { Command } from "commander";
import { addSourceOptions } from "./command-logs.ts";
import type { ExportFlags } from "./export-table.ts";

/** Adds `dora export`, loaded when it runs. */
export function registerExportCommand(program: Command): void {
  addSourceOptions(
    program
      .command("export")
      .description("write all of a table that matches a query, oldest first, however much it is")
      .argument("[query]", "see docs/query-language.md; everything without it")
      .option(
        "--table <table>",
        "logs, traces (a row a span) or metrics (a row a data point)",
        "logs",
      )
      .option("--since <time>", "from then: -15m, today, 2025-01-07, 2025-01-07T20:34:06Z")
      .option("--until <time>", "before then")
      .option(
        "--output <format>",
        "parquet, csv, json, jsonl or yaml (default: by the file's name, or jsonl)",
      )
      .option("--file <file>", "write to this file, which appears once it is complete"),
  )
    .addHelpText("after", EXAMPLES)
    .action(async (query: string | undefined, flags: ExportFlags) => {
      const { exportTable } = await import("./export-table.ts");
      await exportTable(query, flags);
    });
}

const EXAMPLES = `
Examples:
  dora export --file logs.parquet
  dora export 'node:camera-*' --table traces --since today --file spans.parquet`;
