import { type Command, Option } from "commander";
import { addCoordinatorOptions } from "./command-start.ts";
import type { ListFlags } from "./list-dataflows.ts";
import type { StatusFlags } from "./status.ts";

/** Adds `dora status` and `dora list`, each loaded when it runs. */
export function registerStatusCommands(program: Command): void {
  addOutputOption(
    addCoordinatorOptions(program.command("status"))
      .description("whether coordinator and daemon run, and how the nodes of what runs are")
      .argument("[flow]", "one dataflow, by name or id (default: all that run)")
      .option("--watch", "show it anew each second; Ctrl-C ends it"),
  ).action(async (flow: string | undefined, flags: StatusFlags) => {
    const { showStatus } = await import("./status.ts");
    await showStatus(flow, flags);
  });
  addOutputOption(
    addCoordinatorOptions(program.command("list"))
      .description("dataflows that run, and the last that have ended")
      .option("--running", "those that run alone")
      .option("-q, --quiet", "their ids alone"),
  ).action(async (flags: ListFlags) => {
    const { listDataflows } = await import("./list-dataflows.ts");
    await listDataflows(flags);
  });
}

function addOutputOption(command: Command): Command {
  return command.addOption(
    new Option("--output <format>", "form of the answer")
      .choices(["table", "json", "yaml"])
      .default("table"),
  );
}
