import type { Command } from "commander";
import type { ServeFlags } from "../collector/config.ts";
import { addServeOptions } from "./serve-options.ts";

/** `dora serve`: the log service, in the foreground until SIGTERM or Ctrl-C. */
export function registerServeCommand(program: Command): void {
  addServeOptions(program.command("serve"))
    .description("take OTLP logs, traces and metrics, store them and answer queries")
    .action(async (flags: ServeFlags) => {
      const { serve } = await import("./serve.ts");
      await serve(flags);
    });
}
