import type { Command } from "commander";
import { append } from "./command-start.ts";
import type { InitFlags } from "./init-dataflow.ts";

/** Adds `dora init`, loaded when it runs. */
export function registerInitCommand(program: Command): void {
  program
    .command("init")
    .description("set up a dataflow: its file and its nodes, which start as they are")
    .argument("[name]", "what to call it")
    .option("--node <id>", "a node; give it again for the next one", append)
    .option("--level <level>", "records below it are not kept: ERROR, WARN, INFO, DEBUG or TRACE")
    .option("--directory <folder>", "where the files go (default: this one)")
    .option("--yes", "ask nothing: what is not given has its default")
    .option("--force", "overwrite files that are there")
    .action(async (name: string | undefined, flags: InitFlags) => {
      const { initDataflow } = await import("./init-dataflow.ts");
      await initDataflow(name, flags);
    });
}
