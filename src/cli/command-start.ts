import { type Command, Option } from "commander";
import type { BuildFlags } from "./build-nodes.ts";
import type { LaunchFlags } from "./launch-dataflow.ts";
import type { StartFlags } from "./start-dataflow.ts";

/** Adds `dora start`, `dora run` and `dora build`, each loaded when it runs. */
export function registerStartCommands(program: Command): void {
  addLaunchOptions(
    program
      .command("start")
      .description("start a dataflow, and leave it running in the background")
      .option("--attach", "follow it: its records until it ends; Ctrl-C stops it")
      .option("--detach", "leave it running (the default)"),
  )
    .addOption(
      new Option("--output <format>", "form of the answer")
        .choices(["text", "json"])
        .default("text"),
    )
    .action(async (file: string | undefined, flags: StartFlags) => {
      const { startDataflow } = await import("./start-dataflow.ts");
      await startDataflow(file, flags);
    });
  addLaunchOptions(
    program
      .command("run")
      .description("run a dataflow in the foreground: its records until it ends; Ctrl-C stops it"),
  ).action(async (file: string | undefined, flags: LaunchFlags) => {
    const { runDataflow } = await import("./run-dataflow.ts");
    await runDataflow(file, flags);
  });
  addFileOptions(
    program
      .command("build")
      .description("run the build lines of a dataflow's nodes, and start none"),
  ).action(async (file: string | undefined, flags: BuildFlags) => {
    const { buildNodes } = await import("./build-nodes.ts");
    await buildNodes(file, flags);
  });
}

function addLaunchOptions(command: Command): Command {
  return addFileOptions(command)
    .option(
      "--name <name>",
      "what to call it (default: the file's `name`, else what the file is called)",
    )
    .option("--no-build", "leave the nodes' build lines out")
    .option("--profile <name>", "a profile of dora-profiles.yaml (DORA_PROFILE)");
}

function addFileOptions(command: Command): Command {
  return addCoordinatorOptions(
    command
      .argument("[file]", "the dataflow file (default: dataflow.yaml or dataflow.yml)")
      .option("--env <key=value>", "a variable for all nodes; give it again for more", append),
  );
}

/** The flags that say whom to ask. */
export function addCoordinatorOptions(command: Command): Command {
  return command
    .option("--coordinator <url>", "DORA_COORDINATOR; default http://127.0.0.1:6015")
    .option("--token-file <file>", "a file with the coordinator's token (DORA_TOKEN_FILE)");
}

export function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
