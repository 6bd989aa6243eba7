import type { Command } from "commander";
import { addSourceOptions } from "./command-logs.ts";
import type { LogsFlags } from "./logs-flags.ts";

/** Adds `dora trace` with its subcommands, loaded when they run. */
export function registerTraceCommands(program: Command): void {
  const trace = program.command("trace").description("look into traces");
  addSourceOptions(trace.command("show"))
    .description("show one trace as a tree of spans, with its logs in between")
    .argument("<trace-id>", "32 hexadecimal digits, or the first of them")
    .option("--output <format>", "text, json or yaml", "text")
    .addHelpText("after", "\nExample:\n  dora trace show 4bf92f3577b34da6a3ce929d0e0e4736")
    .action(async (traceId: string, flags: LogsFlags) => {
      const { showTrace } = await import("./command-trace-show.ts");
      await showTrace(traceId, flags);
    });
}
