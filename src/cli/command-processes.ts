import type { Command } from "commander";
import { addCoordinatorOptions } from "./command-start.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";
import type { CoordinatorCommandFlags } from "./run-coordinator.ts";
import type { DaemonCommandFlags } from "./run-daemon.ts";
import type { DownFlags } from "./up.ts";

/** Adds `dora up`, `down`, `coordinator` and `daemon`, each loaded when it runs. */
export function registerProcessCommands(program: Command): void {
  addCoordinatorOptions(program.command("up"))
    .description(
      "start log service, coordinator and daemon in the background, where they do not run",
    )
    .action(async (flags: CoordinatorFlags) => {
      const { runUp } = await import("./up.ts");
      await runUp(flags);
    });
  addCoordinatorOptions(program.command("down"))
    .description("stop what `dora up` started")
    .option("--force", "also while dataflows run: they are stopped")
    .action(async (flags: DownFlags) => {
      const { runDown } = await import("./up.ts");
      await runDown(flags);
    });
  program
    .command("coordinator")
    .description("run the coordinator in the foreground")
    .option("--listen <address>", "HOST:PORT (DORA_COORDINATOR_LISTEN; default 127.0.0.1:6015)")
    .option("--token-file <file>", "a file with the token that callers must show (DORA_TOKEN_FILE)")
    .option("--tls-cert <file>", "certificate, PEM")
    .option("--tls-key <file>", "its key, PEM")
    .option("--insecure-listen", "listen beyond this machine without token and TLS")
    .option("--log-level <level>", "of its own records on standard error (DORA_LOG_LEVEL)")
    .action(async (flags: CoordinatorCommandFlags) => {
      const { runCoordinator } = await import("./run-coordinator.ts");
      await runCoordinator(flags);
    });
  addCoordinatorOptions(program.command("daemon"))
    .description("run the daemon of this machine in the foreground")
    .option("--machine <name>", "what to call this machine (default: its host name)")
    .option("--retries <n>", "attempts to reach the coordinator at first (default: 2)")
    .option("--retry-delay <seconds>", "between two attempts (default: 1)")
    .option("--retry-forever", "try until a coordinator answers")
    .option("--log-level <level>", "of its own records on standard error (DORA_LOG_LEVEL)")
    .action(async (flags: DaemonCommandFlags) => {
      const { runDaemon } = await import("./run-daemon.ts");
      await runDaemon(flags);
    });
}
