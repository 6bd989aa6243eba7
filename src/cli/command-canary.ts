import type { Command } from "commander";
import type { CanaryFlags } from "./canary-flags.ts";

/** Adds `dora canary`, loaded when it runs. */
export function registerCanaryCommand(program: Command): void {
  program
    .command("canary")
    .description("write records, read them back, and say what was lost, doubled or late")
    .option("--endpoint <url>", "where OTLP/HTTP is taken", "http://127.0.0.1:4318")
    .option("--api <url>", "the query API of the same service", "http://127.0.0.1:6014")
    .option("--rate <n>", "records a second", "100")
    .option("--duration <time>", "how long: 10m, or forever, until Ctrl-C", "forever")
    .option("--report-interval <time>", "how often it reports", "10s")
    .option("--output <format>", "text or json, an object a report", "text")
    .option("--token-file <file>", "a file with the service's token (DORA_TOKEN_FILE)")
    .addHelpText("after", "\nExample:\n  dora canary --rate 1000 --duration 10m")
    .action(async (flags: CanaryFlags) => {
      const { runCanary } = await import("./canary.ts");
      await runCanary(flags);
    });
}
