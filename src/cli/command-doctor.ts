import { type Command, Option } from "commander";
import { addCoordinatorOptions } from "./command-start.ts";
import type { DoctorFlags } from "./doctor.ts";

/** Adds `dora doctor`, loaded when it runs. */
export function registerDoctorCommand(program: Command): void {
  addCoordinatorOptions(program.command("doctor"))
    .description("look at this machine, and say what keeps dataflows from running well")
    .argument("[file]", "a dataflow file: what it needs is looked at too")
    .option("--explain <text>", "say what an error message means, and what to do")
    .addOption(
      new Option("--output <format>", "form of the answer")
        .choices(["table", "json", "yaml"])
        .default("table"),
    )
    .action(async (file: string | undefined, flags: DoctorFlags) => {
      const { runDoctor } = await import("./doctor.ts");
      await runDoctor(file, flags);
    });
}
