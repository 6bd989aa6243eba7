import { type Command, Option } from "commander";
import type { ValidateFlags } from "./validate-dataflow.ts";

/** Adds `dora validate`, loaded when it runs. */
export function registerValidateCommand(program: Command): void {
  program
    .command("validate")
    .description("say what is wrong with a dataflow file, with line and column")
    .argument("<file>", "the dataflow file; its keys are in docs/dataflow-file.md")
    .addOption(
      new Option("--output <format>", "form of the answer")
        .choices(["text", "table", "json", "yaml"])
        .default("text"),
    )
    .action(async (file: string, flags: ValidateFlags) => {
      const { validateDataflow } = await import("./validate-dataflow.ts");
      await validateDataflow(file, flags);
    });
}
