import { once } from "node:events";
import type { ServeFlags } from "../collector/config.ts";
import { loadConfig } from "../collector/config.ts";
import { EXIT_DONE, EXIT_FAILED } from "./failure.ts";
import { Interruption } from "./interruption.ts";
import type { ServiceAddresses } from "./service.ts";
import { cleanText } from "./terminal-text.ts";

/**
 * Of the 5 s that stopping may take, also while the service still starts. What is not closed by then
 * is left to the next start: all that was acknowledged is in the journal.
 */
const STOP_DEADLINE_MS = 4500;

/** Runs the service until SIGTERM or Ctrl-C; a second signal ends the process at once. */
export async function serve(flags: ServeFlags): Promise<void> {
  const config = loadConfig({ flags, env: process.env });
  // Only now: a wrong setting is told without waiting for the servers' libraries.
  const { Service } = await import("./service.ts");
  // Who reads our first line may go away; the service goes on.
  process.stdout.on("error", () => {});
  const interruption = new Interruption();
  interruption.signal.addEventListener("abort", () => {
    setTimeout(() => process.exit(EXIT_DONE), STOP_DEADLINE_MS).unref();
  });
  const service = await Service.start(config);
  process.on("uncaughtException", (error) => {
    service.log.error("the process ends: an error was not handled", { error });
    process.exit(EXIT_FAILED);
  });
  process.stdout.write(cleanText(`${describe(service.addresses, config.dataDirectory)}\n`));
  if (!interruption.isRequested) await once(interruption.signal, "abort");
  await service.close();
  interruption.close();
}

/** `dora listens: OTLP/gRPC 127.0.0.1:4317, ..., data in DIR` */
function describe(addresses: ServiceAddresses, directory: string): string {
  const listening = [
    ...(addresses.otlpGrpc === undefined ? [] : [`OTLP/gRPC ${addresses.otlpGrpc}`]),
    ...(addresses.otlpHttp === undefined ? [] : [`OTLP/HTTP ${addresses.otlpHttp}`]),
    ...(addresses.api === undefined ? [] : [`query API ${addresses.api}`]),
    `data in ${directory}`,
  ];
  return `dora listens: ${listening.join(", ")}`;
}
