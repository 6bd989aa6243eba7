import { type Command, Option } from "commander";
import type { NewFlags } from "./new-project.ts";

/** Adds `dora new`, loaded when it runs. */
export function registerNewCommand(program: Command): void {
  program
    .command("new")
    .description("make a folder with a dataflow, or with a node of one, to begin from")
    .argument("<name>", "of the folder, and of what is in it")
    .addOption(
      new Option("--kind <kind>", "what to make").choices(["dataflow", "node"]).default("dataflow"),
    )
    .addOption(
      new Option("--lang <language>", "what its nodes are written in")
        .choices(["javascript", "typescript", "python", "rust"])
        .default("javascript"),
    )
    .option("--force", "overwrite files that are there")
    .action(async (name: string, flags: NewFlags) => {
      const { newProject } = await import("./new-project.ts");
      await newProject(name, flags);
    });
}
