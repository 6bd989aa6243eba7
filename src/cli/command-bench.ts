import { type Command, Option } from "commander";
import type { BenchFlags } from "./bench-transports.ts";

const MODES = {
  latency: "measure how long a message takes from node to node, over each transport",
  throughput: "measure how many messages a second go from node to node, over each transport",
} as const;

/** Adds `dora bench`, loaded when it runs. */
export function registerBenchCommand(program: Command): void {
  const bench = program
    .command("bench")
    .description("measure messages between two nodes of this machine");
  for (const mode of ["latency", "throughput"] as const) {
    bench
      .command(mode)
      .description(MODES[mode])
      .option("--transport <name>", "a transport, several with commas between, or all", "all")
      .option("--sizes <bytes>", "payloads, with commas between: ten from 8 bytes to 40 MB")
      .option("--messages <count>", "messages of each size", "100")
      .option("--redis-url <url>", "the Redis server; else one of its own, by redis-server")
      .option("--mqtt-url <url>", "the MQTT broker; else one of its own, by mosquitto")
      .addOption(
        new Option("--output <format>", "form of the answer")
          .choices(["table", "json", "yaml"])
          .default("table"),
      )
      .action(async (flags: BenchFlags) => {
        const { benchTransports } = await import("./bench-transports.ts");
        await benchTransports(mode, flags);
      });
  }
}
