import type { Command } from "commander";
import type { RestartFlags, StopFlags } from "./change-dataflow.ts";
import { addCoordinatorOptions, append } from "./command-start.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";

const FLOW = "its name, id, or the start of its id (default: the only one that runs)";

/** Adds `dora stop`, `pause`, `resume`, `restart` and `reload`, each loaded when it runs. */
export function registerChangeCommands(program: Command): void {
  addParts(program, "stop", "stop a dataflow, or one of its nodes, and wait for its end")
    .option("--all", "all dataflows that run")
    .option("--grace <time>", "how long nodes may take, such as 10s (default: the file's)")
    .option("--force", "end the processes at once")
    .action(async (flow: string | undefined, node: string | undefined, flags: StopFlags) => {
      const { stopDataflow } = await import("./change-dataflow.ts");
      await stopDataflow(flow, node, flags);
    });
  const changes = {
    pause: "hold a dataflow, or one of its nodes: timers and queues wait",
    resume: "let what was paused go on",
    reload: "have a dataflow's nodes, or one of them, load anew what they can",
  } as const;
  for (const action of ["pause", "resume", "reload"] as const) {
    addParts(program, action, changes[action]).action(
      async (flow: string | undefined, node: string | undefined, flags: CoordinatorFlags) => {
        const { changeDataflow } = await import("./change-dataflow.ts");
        await changeDataflow(action, flow, node, flags);
      },
    );
  }
  addParts(program, "restart", "stop a dataflow and start it anew, or one of its nodes")
    .option("--env <key=value>", "a variable for all nodes; give it again for more", append)
    .option("--no-build", "leave the nodes' build lines out")
    .action(async (flow: string | undefined, node: string | undefined, flags: RestartFlags) => {
      const { restartDataflow } = await import("./change-dataflow.ts");
      await restartDataflow(flow, node, flags);
    });
}

function addParts(program: Command, name: string, description: string): Command {
  return addCoordinatorOptions(
    program
      .command(name)
      .description(description)
      .argument("[flow]", FLOW)
      .argument("[node]", "a node of it, by id or display name"),
  );
}
