import type { Command } from "commander";
import { AppError } from "../core/errors.ts";
import type { LogsFlags } from "./logs-flags.ts";

/**
 * Adds `dora logs` with its subcommands. What they need is loaded when they run, so that other
 * commands start without it.
 */
export function registerLogsCommands(program: Command): void {
  // `dora logs` takes the same flags as its subcommands: whose they are is told by their place.
  program.enablePositionalOptions();
  const logs = program
    .command("logs")
    .description("show log records: the newest that match, oldest first")
    .enablePositionalOptions()
    .argument("[flow]", "the same as --dataflow")
    .argument("[node]", "the same as --node")
    .addHelpText("after", EXAMPLES);
  addSelectingOptions(logs)
    .option("-f, --follow", "go on with the records that come")
    .option("--output <format>", "text, json, jsonl, csv or yaml", "text")
    .action((flow: string | undefined, node: string | undefined, flags: LogsFlags) =>
      show(undefined, withPlace(flow, node, flags)),
    );
  addSelectingOptions(logs.command("query"))
    .description("show the records that match a query, or what its pipes make of them")
    .argument("[query]", "see docs/query-language.md; all records without it")
    .option("-f, --follow", "go on with the records that come")
    .option("--output <format>", "text, json, jsonl, csv or yaml", "text")
    .action(show);
  addSelectingOptions(logs.command("tail"))
    .description("follow the records that match a query, the newest 10 first")
    .argument("[query]", "a filter, without pipes")
    .option("--output <format>", "text, json, jsonl, csv or yaml", "text")
    .action(follow);
  addSelectingOptions(logs.command("export"))
    .description("write all records that match a query, oldest first, however many they are")
    .argument("[query]", "see docs/query-language.md; all records without it")
    .option(
      "--output <format>",
      "parquet, csv, json, jsonl or yaml (default: by the file's name, or jsonl)",
    )
    .option("--file <file>", "write to this file, which appears once it is complete")
    .action(async (query: string | undefined, flags: LogsFlags) => {
      const { exportLogs } = await import("./command-logs-export.ts");
      await exportLogs(query, flags);
    });
}

/** `dora logs FLOW NODE`, as dora-rs has it. Subcommands come first: of a dataflow "tail" by `--dataflow tail`. */
function withPlace(
  flow: string | undefined,
  node: string | undefined,
  flags: LogsFlags,
): LogsFlags {
  if (flow !== undefined && flags.dataflow !== undefined) {
    throw new AppError("USAGE", `"${flow}" and --dataflow ${flags.dataflow}: give one of them`);
  }
  if (node !== undefined && flags.node !== undefined) {
    throw new AppError("USAGE", `"${node}" and --node ${flags.node.join(" ")}: give one of them`);
  }
  return {
    ...flags,
    ...(flow === undefined ? {} : { dataflow: flow }),
    ...(node === undefined ? {} : { node: [node] }),
  };
}

async function show(query: string | undefined, flags: LogsFlags): Promise<void> {
  if (flags.follow === true) return follow(query, flags);
  const { queryLogs } = await import("./command-logs-query.ts");
  await queryLogs(query, flags);
}

async function follow(query: string | undefined, flags: LogsFlags): Promise<void> {
  const { tailLogs } = await import("./command-logs-tail.ts");
  await tailLogs(query, flags);
}

/** The flags that choose records, which all of them have, and where the records come from. */
function addSelectingOptions(command: Command): Command {
  return addSourceOptions(
    command
      .option("--filter <filter>", "a level name (that level and above), or a filter")
      .option("--level <level>", "this level and above")
      .option("--node <node>", "a node by id or display name; give it again for more", append)
      .option("--dataflow <dataflow>", "a dataflow by id or name")
      .option("--trace <id>", "a trace, or the start of its id")
      .option("--grep <text>", "a part of the message, in any case")
      .option("--since <time>", "from then: -15m, today, 2025-01-07, 2025-01-07T20:34:06Z")
      .option("--until <time>", "before then")
      .option("--tail <n>", "the last n that match")
      .option("--limit <n>", "at most so many"),
  );
}

/** The flags that say whom to ask. */
export function addSourceOptions(command: Command): Command {
  return command
    .option("--url <url>", "a running service (DORA_URL; default http://127.0.0.1:6014)")
    .option("--data-dir <dir>", "a store's folder, read without a service")
    .option("--token-file <file>", "a file with the service's token (DORA_TOKEN_FILE)");
}

function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

const EXAMPLES = `
Examples:
  dora logs --filter error --tail 10
  dora logs robot camera --follow
  dora logs --node camera --since -15m --follow
  dora logs query 'level>=warn "connection timeout" | count by node, level'
  dora logs export 'level>=error' --since today --output csv --file errors.csv`;
