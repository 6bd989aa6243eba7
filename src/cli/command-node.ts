import { type Command, Option } from "commander";
import { addCoordinatorOptions, append } from "./command-start.ts";
import type { NodeFlags, SetFlags } from "./node-commands.ts";

/** Adds `dora node` with its subcommands, loaded when they run. */
export function registerNodeCommands(program: Command): void {
  const node = program
    .command("node")
    .description("the nodes of dataflows that run, and their links");
  addOptions(node.command("list"))
    .description("nodes with their states, rates and use of the machine")
    .action(async (flags: NodeFlags) => {
      const { listNodes } = await import("./node-commands.ts");
      await listNodes(flags);
    });
  addOptions(node.command("info"))
    .description("all that is known of a node, and its links")
    .argument("<node>", NODE)
    .action(async (name: string, flags: NodeFlags) => {
      const { showNode } = await import("./node-commands.ts");
      await showNode(name, flags);
    });
  addOptions(node.command("set"))
    .description("set parameters of a node while it runs")
    .argument("<node>", NODE)
    .argument("[key=value...]", "values as JSON: numbers, true, false, lists; all else is text")
    .option("--delete <key>", "take a parameter away; give it again for more", append)
    .action(async (name: string, settings: readonly string[], flags: SetFlags) => {
      const { setParameters } = await import("./node-commands.ts");
      await setParameters(name, settings, flags);
    });
  for (const action of ["connect", "disconnect"] as const) {
    addOptions(node.command(action))
      .description(`${action} an output and an input while the dataflow runs`)
      .argument("<output>", "NODE/OUTPUT")
      .argument("<input>", "NODE/INPUT")
      .action(async (source: string, target: string, flags: NodeFlags) => {
        const { changeLink } = await import("./node-commands.ts");
        await changeLink(action, source, target, flags);
      });
  }
  for (const action of ["restart", "stop"] as const) {
    addOptions(node.command(action))
      .description(`${action} one node; the others go on`)
      .argument("<node>", NODE)
      .action(async (name: string, flags: NodeFlags) => {
        const { changeNode } = await import("./node-commands.ts");
        await changeNode(action, name, flags);
      });
  }
}

const NODE = "its id or display name";

function addOptions(command: Command): Command {
  return addCoordinatorOptions(command)
    .option(
      "-d, --dataflow <flow>",
      "its name or id (default: the only one that runs; of list: all)",
    )
    .addOption(
      new Option("--output <format>", "form of the answer")
        .choices(["table", "json", "yaml"])
        .default("table"),
    );
}
