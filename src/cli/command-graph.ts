import { type Command, Option } from "commander";

/** Adds `dora graph`, loaded when it runs. */
export function registerGraphCommand(program: Command): void {
  program
    .command("graph")
    .description("draw a dataflow file: its nodes, links, timers and logs")
    .argument("<file>", "the dataflow file")
    .addOption(
      new Option("--format <format>", "form of the drawing")
        .choices(["mermaid"])
        .default("mermaid"),
    )
    .option("--mermaid", "the same as --format mermaid")
    .action(async (file: string) => {
      const { graphDataflow } = await import("./graph-dataflow.ts");
      await graphDataflow(file);
    });
}
