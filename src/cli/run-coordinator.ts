import { once } from "node:events";
import { formatEndpoint, isLoopback, parseEndpoint } from "../collector/config-endpoint.ts";
import type { ListenerConfig } from "../collector/config.ts";
import { AppError } from "../core/errors.ts";
import { CoordinatorServer } from "../runtime/coordinator/coordinator-server.ts";
import { Coordinator } from "../runtime/coordinator/coordinator.ts";
import {
  BODY_BYTES_MAX,
  COORDINATOR_ENDPOINT,
  COORDINATOR_LIMITS,
} from "../runtime/coordinator/limits.ts";
import type { OtlpRunTelemetry } from "../runtime/telemetry/otlp-run-telemetry.ts";
import { stateFilePath } from "../runtime/coordinator/state-folder.ts";
import { HeldSink } from "./held-sink.ts";
import { Interruption } from "./interruption.ts";
import { ListenerFiles } from "./listener-files.ts";
import { leaveSoon } from "./leave-soon.ts";
import { otlpEndpoints } from "./otlp-endpoints.ts";
import { Output } from "./output.ts";
import type { ProcessLogFlags } from "./process-log.ts";
import { processLog, processResource } from "./process-log.ts";
import { readVersion } from "./version.ts";

const CLOSE_MS = 2_000;

export interface CoordinatorCommandFlags extends ProcessLogFlags {
  readonly listen?: string;
  readonly tokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly insecureListen?: boolean;
}

/** `dora coordinator`: in the foreground until SIGTERM or Ctrl-C. Dataflows go on without it. */
export async function runCoordinator(flags: CoordinatorCommandFlags): Promise<void> {
  const listener = readListener(flags);
  const held = new HeldSink();
  const log = processLog("dora-coordinator", flags, [held]);
  const version = readVersion();
  const limits = COORDINATOR_LIMITS;
  const output = new Output(process.stdout);
  const interruption = new Interruption();
  try {
    const secure = await new ListenerFiles().load(listener);
    const stateFile = stateFilePath(process.env);
    const coordinator = await Coordinator.open({ stateFile, log, limits });
    const server = await CoordinatorServer.start({ ...secure, coordinator, version, limits, log });
    await output.writeLine(`dora coordinator listens: ${server.url}, state in ${stateFile}`);
    log.info("the coordinator listens", { url: server.url });
    const telemetry = await startTelemetry(flags);
    held.release(telemetry.sink);
    if (!interruption.isRequested) await once(interruption.signal, "abort");
    log.info("the coordinator stops");
    await server.close(CLOSE_MS);
    await coordinator.close();
    await telemetry.close(CLOSE_MS);
  } finally {
    interruption.close();
    leaveSoon();
  }
}

/** Its own records reach the log service, as a daemon's do. Loaded late: it takes longer than all the rest. */
async function startTelemetry(flags: CoordinatorCommandFlags): Promise<OtlpRunTelemetry> {
  const [{ OtlpRunTelemetry }, { findToken }] = await Promise.all([
    import("../runtime/telemetry/otlp-run-telemetry.ts"),
    import("./open-log-source.ts"),
  ]);
  return OtlpRunTelemetry.start({
    endpoints: otlpEndpoints(await findToken({ ...flags, environment: process.env })),
    resource: processResource("dora-coordinator"),
    logger: "dora.coordinator",
    log: processLog("dora-coordinator", flags),
  });
}

/** Errors: `USAGE`, `LISTEN_UNSAFE`. */
function readListener(flags: CoordinatorCommandFlags): ListenerConfig {
  const text = flags.listen ?? (process.env["DORA_COORDINATOR_LISTEN"] || COORDINATOR_ENDPOINT);
  const endpoint = parseEndpoint(text);
  if ("problem" in endpoint) throw new AppError("USAGE", `--listen: ${endpoint.problem}`);
  const { tlsCert, tlsKey } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new AppError("USAGE", "--tls-cert and --tls-key belong together: give both");
  }
  const path = flags.tokenFile ?? (process.env["DORA_TOKEN_FILE"] || undefined);
  const token = path === undefined ? undefined : ({ kind: "file", path } as const);
  const tls =
    tlsCert === undefined || tlsKey === undefined
      ? undefined
      : { certFile: tlsCert, keyFile: tlsKey };
  const isSafe = isLoopback(endpoint.host) || (token !== undefined && tls !== undefined);
  if (!isSafe && flags.insecureListen !== true) {
    const where = formatEndpoint(endpoint);
    throw new AppError(
      "LISTEN_UNSAFE",
      `the coordinator would listen on ${where}, which other machines reach, without a token and TLS`,
      {
        hint: "add --token-file, --tls-cert and --tls-key, or --insecure-listen if everyone who reaches the address may run programs",
      },
    );
  }
  return { ...endpoint, tls, token, requestBytesMax: BODY_BYTES_MAX };
}
