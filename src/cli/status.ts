import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../core/errors.ts";
import type { DataflowAnswer } from "../runtime/coordinator/coordinator.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { CoordinatorClient, CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import { documentText } from "./document-text.ts";
import { Interruption } from "./interruption.ts";
import { lastKnownDocument, readLastKnown, renderLastKnown } from "./last-known.ts";
import { Output } from "./output.ts";
import type { RuntimeStatus } from "./render-status.ts";
import { renderStatus, statusDocument } from "./render-status.ts";

/** Between two attempts to reach a coordinator that went away. */
const RECONNECT_MIN_MS = 250;
const RECONNECT_MAX_MS = 5_000;

export interface StatusFlags extends CoordinatorFlags {
  readonly watch?: boolean;
  readonly output: "table" | "json" | "yaml";
}

/**
 * `dora status [FLOW]`: coordinator, daemons, and the nodes of what runs; of a dataflow that is named also
 * when it has ended.
 *
 * Errors: `COORDINATOR_UNREACHABLE`, after what this machine's disk says of it; `NOT_FOUND`.
 */
export async function showStatus(flow: string | undefined, flags: StatusFlags): Promise<void> {
  const client = await coordinatorClient(flags);
  const output = new Output(process.stdout);
  try {
    if (flags.watch === true) await watchStatus(client, flow, flags, output);
    else await writeStatus(await askStatus(client, flow), flags, output);
  } catch (error) {
    if (isAway(error) && client.isLocal) await writeLastKnown(client, flags, output);
    throw error;
  }
  if (output.failure !== undefined) throw output.failure;
}

async function askStatus(
  client: CoordinatorClient,
  flow: string | undefined,
): Promise<RuntimeStatus> {
  const running = async (): Promise<readonly DataflowAnswer[]> =>
    (await client.list()).filter(({ state }) => !isEnded(state));
  const [flows, rest] = await Promise.all([
    flow === undefined ? running() : client.find(flow).then((found) => [found]),
    askProcesses(client),
  ]);
  return { ...rest, flows };
}

async function askProcesses(client: CoordinatorClient): Promise<Omit<RuntimeStatus, "flows">> {
  const [daemons, health] = await Promise.all([client.daemons(), client.health()]);
  if (typeof health !== "object") throw client.unreachable(new Error("it does not answer"));
  const { version, pid } = health;
  return { coordinator: { url: client.url, version, pid }, daemons };
}

/**
 * Each status that the coordinator pushes is drawn over the one before, or written below it into a pipe. A
 * coordinator that goes away after the first one is waited for.
 */
async function watchStatus(
  client: CoordinatorClient,
  flow: string | undefined,
  flags: StatusFlags,
  output: Output,
): Promise<void> {
  const id = flow === undefined ? undefined : (await client.find(flow)).id;
  const interruption = new Interruption();
  const signal = AbortSignal.any([interruption.signal, output.closed]);
  let delayMs: number | undefined;
  try {
    while (!signal.aborted) {
      try {
        for await (const status of statuses(client, id, signal)) {
          delayMs = RECONNECT_MIN_MS;
          await writeStatus(status, flags, output);
        }
      } catch (error) {
        if (delayMs === undefined || !isAway(error)) throw error;
        if (delayMs === RECONNECT_MIN_MS) await sayReconnecting(client, output);
        await sleep(delayMs, undefined, { signal });
        delayMs = Math.min(2 * delayMs, RECONNECT_MAX_MS);
      }
    }
  } catch (error) {
    // What fails behind an abort fails because of it.
    if (!signal.aborted) throw error;
  } finally {
    interruption.close();
  }
}

/** Over one connection. Errors: `COORDINATOR_UNREACHABLE` where it breaks, `NOT_FOUND`. */
async function* statuses(
  client: CoordinatorClient,
  id: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<RuntimeStatus, void> {
  using events = await CoordinatorEvents.open(client);
  for await (const frame of events.frames(signal)) {
    if (frame.type !== "status") continue;
    const rest = await askProcesses(client);
    const flows =
      id === undefined
        ? frame.dataflows
        : [frame.dataflows.find((one) => one.id === id) ?? (await client.find(id))];
    yield { ...rest, flows };
  }
}

/** Once an absence; on a terminal it stays above what is drawn from then on. */
async function sayReconnecting({ url }: CoordinatorClient, output: Output): Promise<void> {
  const text = `warning: the coordinator at ${url} went away: reconnecting`;
  if (output.look.isTerminal) await output.redraw([[{ text, style: "warning" }]], []);
  else await new Output(process.stderr).writeLine({ text, style: "warning" });
}

function isAway(error: unknown): boolean {
  return error instanceof AppError && error.code === "COORDINATOR_UNREACHABLE";
}

async function writeStatus(
  status: RuntimeStatus,
  { output: format, watch = false }: StatusFlags,
  output: Output,
): Promise<void> {
  if (format !== "table") {
    // So a reader tells where one document of YAML ends.
    const begin = watch && format === "yaml" ? "---\n" : "";
    const text = documentText(format, statusDocument(status));
    await output.writeDocument(Buffer.from(`${begin}${text}`));
    return;
  }
  const lines = renderStatus(status, output.look.icons);
  const isDrawn = watch && output.look.isTerminal && !output.look.isDumb;
  if (isDrawn) await output.redraw([], lines);
  else await output.writeLines(watch ? [...lines, []] : lines);
}

async function writeLastKnown(
  client: CoordinatorClient,
  { output: format }: StatusFlags,
  output: Output,
): Promise<void> {
  const known = await readLastKnown(process.env);
  if (format === "table") {
    await output.writeLines(renderLastKnown(known, client.url, output.look.icons));
  } else {
    const text = documentText(format, lastKnownDocument(known, client.url));
    await output.writeDocument(Buffer.from(text));
  }
}
