import type { Command } from "commander";
import type { ServeFlags } from "../collector/config.ts";
import { addServeOptions } from "./serve-options.ts";
import { cleanText } from "./terminal-text.ts";

/** `dora config validate` and `dora config print`: what `dora serve` would do, without doing it. */
export function registerConfigCommands(program: Command): void {
  const config = program
    .command("config")
    .description("check or show the configuration of dora serve");
  addServeOptions(config.command("validate"))
    .description("say what is wrong with the configuration, with file and line")
    .action(async (flags: ServeFlags) => {
      const { loadConfig } = await import("../collector/config.ts");
      loadConfig({ flags, env: process.env });
      process.stdout.write("the configuration is valid\n");
    });
  addServeOptions(config.command("print"))
    .description("print the effective configuration and where each value came from")
    .action(async (flags: ServeFlags) => {
      const { loadConfigTree } = await import("../collector/config.ts");
      const { printConfig } = await import("../collector/config-print.ts");
      const text = printConfig(loadConfigTree({ flags, env: process.env }));
      process.stdout.write(process.stdout.isTTY ? cleanText(text) : text);
    });
}
