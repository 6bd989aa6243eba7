import { once } from "node:events";
import { AppError } from "../core/errors.ts";
import { CoordinatorLink } from "../runtime/daemon/coordinator-link.ts";
import type { FailedAttempt } from "../runtime/daemon/coordinator-link.ts";
import { Daemon } from "../runtime/daemon/daemon.ts";
import { OtlpRunTelemetry } from "../runtime/telemetry/otlp-run-telemetry.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { EXIT_FAILED } from "./failure.ts";
import { Interruption } from "./interruption.ts";
import { leaveSoon } from "./leave-soon.ts";
import { otlpEndpoints } from "./otlp-endpoints.ts";
import { Output } from "./output.ts";
import type { ProcessLogFlags } from "./process-log.ts";
import { processLog, processResource } from "./process-log.ts";
import { readVersion } from "./version.ts";

/** What the daemon saw of its nodes must still arrive; */
const TELEMETRY_CLOSE_MS = 3_000;
/** one that never had any leaves at once. */
const UNUSED_TELEMETRY_CLOSE_MS = 200;

export interface DaemonCommandFlags extends CoordinatorFlags, ProcessLogFlags {
  readonly machine?: string;
  readonly retries?: string;
  readonly retryDelay?: string;
  readonly retryForever?: boolean;
}

/** `dora daemon`: in the foreground until SIGTERM or Ctrl-C, which stop what it runs. */
export async function runDaemon(flags: DaemonCommandFlags): Promise<void> {
  const retries = readNumber("--retries", flags.retries, 1);
  const delaySeconds = readNumber("--retry-delay", flags.retryDelay, 0);
  const client = await coordinatorClient(flags);
  const endpoints = otlpEndpoints(client.token);
  const output = new Output(process.stdout);
  const { icons } = output.look;
  const interruption = new Interruption();
  await output.writeLine(`${icons.tool} Starting daemon...`);
  const resource = processResource("dora-daemon");
  let daemon: Daemon | undefined;
  let wasConnected = false;
  const telemetry = await OtlpRunTelemetry.start({
    endpoints,
    resource,
    log: processLog("dora-daemon", flags),
    onNodeLog: (dataflow, entry) => daemon?.deliverLog(dataflow, entry),
  });
  const log = processLog("dora-daemon", flags, [telemetry.sink]);
  try {
    daemon = await Daemon.open({
      telemetry,
      log,
      otlpEndpoint: endpoints.http,
      ...(flags.machine === undefined ? {} : { machine: flags.machine }),
    });
    const link = await CoordinatorLink.connect(
      {
        daemon,
        version: readVersion(),
        url: client.url,
        log,
        ...(client.token === undefined ? {} : { token: client.token }),
        ...(retries === undefined ? {} : { retries }),
        ...(delaySeconds === undefined ? {} : { retryDelayMs: delaySeconds * 1000 }),
        retryForever: flags.retryForever === true,
        onAttemptFailed: (attempt) => void output.writeLine(...attemptLine(icons.cross, attempt)),
      },
      interruption.signal,
    );
    wasConnected = true;
    await output.writeLine(
      `${icons.tick} Connected to the coordinator at ${client.url} as machine ${daemon.machine}.`,
    );
    if (!interruption.isRequested) await once(interruption.signal, "abort");
    await daemon.close();
    await link.close();
  } catch (error) {
    // Ctrl-C leaves at once, with nothing to say.
    if (!interruption.isRequested) await tellEnd(error, output, client.url);
  } finally {
    await daemon?.close(0);
    await telemetry.close(wasConnected ? TELEMETRY_CLOSE_MS : UNUSED_TELEMETRY_CLOSE_MS);
    interruption.close();
    leaveSoon();
  }
}

/** `❌ No coordinators found. Retrying in 1 seconds... [Attempt 1/2]` */
function attemptLine(icon: string, failed: FailedAttempt): readonly [string] {
  const { attempt, attempts, retryDelayMs } = failed;
  const of = Number.isFinite(attempts) ? `/${attempts}` : "";
  const seconds = retryDelayMs / 1000;
  return [
    `${icon} No coordinators found. Retrying in ${seconds} seconds... [Attempt ${attempt}${of}]`,
  ];
}

async function tellEnd(error: unknown, output: Output, url: string): Promise<void> {
  if (!(error instanceof AppError) || error.code !== "COORDINATOR_UNREACHABLE") throw error;
  const { icons } = output.look;
  await output.writeLines([
    [],
    [{ text: `${icons.gaveUp} Maximum retries reached. Exiting.`, style: "error" }],
    [],
    [`${icons.hint} Suggested Fix:`],
    ["    Make sure a coordinator is running and accessible at the specified endpoint."],
    [{ text: `    Endpoint tried: ${url}; \`dora up\` starts one on this machine.`, style: "dim" }],
  ]);
  process.exitCode = EXIT_FAILED;
}

/** Errors: `USAGE` */
function readNumber(flag: string, text: string | undefined, min: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number) && number >= min) return number;
  throw new AppError("USAGE", `${flag} must be a number from ${min}, got "${text}"`);
}
