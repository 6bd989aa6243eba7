import { parseDurationNs } from "../core/time.ts";
import { AppError } from "../core/errors.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import { chooseDataflow, runningDataflows } from "./choose-dataflow.ts";
import type { CoordinatorClient, CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED } from "./failure.ts";
import { eventsOf, followStart } from "./follow-dataflow.ts";
import { Interruption } from "./interruption.ts";
import { readEnvironment } from "./load-dataflow.ts";
import { Output } from "./output.ts";
import { renderFailure } from "./render-failure.ts";
import { renderStart, seconds } from "./render-start.ts";
import { beginProgress, isSettled, planOfStatus } from "./start-progress.ts";

export interface StopFlags extends CoordinatorFlags {
  readonly all?: boolean;
  readonly grace?: string;
  readonly force?: boolean;
}

/**
 * `dora stop [FLOW] [NODE]`: asks for it and waits until it has ended. Ctrl-C leaves the waiting, 130.
 *
 * Errors: `USAGE`, and those of `chooseDataflow` and of the coordinator.
 */
export async function stopDataflow(
  flow: string | undefined,
  node: string | undefined,
  flags: StopFlags,
): Promise<void> {
  checkStopFlags(flow, node, flags);
  const graceMs = readGrace(flags.grace);
  await withEvents(flags, async ({ client, events, output, signal }) => {
    if (node !== undefined) {
      const { id, name } = await chooseDataflow(client, flow);
      const found = await client.node(id, node);
      await client.changeNode("stop", id, found.id);
      await untilNode(events, id, found.id, ["stopped", "completed", "failed"], signal);
      await say(output, `stopped ${found.name} of ${name}`);
      return;
    }
    const meant =
      flags.all === true ? await runningDataflows(client) : [await chooseDataflow(client, flow)];
    if (meant.length === 0) {
      await output.writeLine("no dataflow runs");
      return;
    }
    const options = {
      ...(graceMs === undefined ? {} : { graceMs }),
      ...(flags.force === true ? { force: true } : {}),
    };
    const beganMs = performance.now();
    // All are asked before any is waited for: their graces run together.
    for (const { id } of meant) await client.stop(id, options);
    const left = new Map(meant.map(({ id, name }) => [id, name]));
    for await (const frame of events.frames(signal)) {
      if (frame.type !== "event" || frame.event.type !== "dataflow") continue;
      const { dataflow, state } = frame.event;
      const name = left.get(dataflow);
      if (name === undefined || !isEnded(state)) continue;
      left.delete(dataflow);
      await say(
        output,
        `${state === "failed" ? "stopped, with a failure," : "stopped"} ${name} [${seconds(performance.now() - beganMs)}]`,
      );
      if (left.size === 0) return;
    }
  });
}

/** `dora pause|resume|reload [FLOW] [NODE]`. Errors: those of `chooseDataflow` and of the coordinator. */
export async function changeDataflow(
  action: "pause" | "resume" | "reload",
  flow: string | undefined,
  node: string | undefined,
  flags: CoordinatorFlags,
): Promise<void> {
  const client = await coordinatorClient(flags);
  const output = new Output(process.stdout);
  const { id, name } = await chooseDataflow(client, flow);
  const found = node === undefined ? undefined : await client.node(id, node);
  await client.change(action, id, found?.id);
  const done = { pause: "paused", resume: "resumed", reload: "reloaded" }[action];
  await say(output, found === undefined ? `${done} ${name}` : `${done} ${found.name} of ${name}`);
}

export interface RestartFlags extends CoordinatorFlags {
  readonly env?: readonly string[];
  readonly build: boolean;
}

/**
 * `dora restart [FLOW] [NODE]`: of a whole dataflow a stop and a start, shown as `dora start` does.
 *
 * Errors: those of `chooseDataflow` and of the coordinator. Sets exit code 1 where the start fails.
 */
export async function restartDataflow(
  flow: string | undefined,
  node: string | undefined,
  flags: RestartFlags,
): Promise<void> {
  const environment = readEnvironment(flags.env ?? []);
  await withEvents(flags, async ({ client, events, output, signal }) => {
    const before = await chooseDataflow(client, flow);
    if (node !== undefined) {
      const found = await client.node(before.id, node);
      await client.changeNode("restart", before.id, found.id);
      await untilNode(events, before.id, found.id, ["running", "completed", "failed"], signal);
      await say(output, `restarted ${found.name} of ${before.name}`);
      return;
    }
    const answer = await client.restart(before.id, { environment, build: flags.build });
    const progress = await followStart(
      events,
      { dataflow: answer.id, progress: beginProgress(planOfStatus(answer, flags.build)) },
      { output, render: renderStart, signal },
    );
    if (!isSettled(progress)) return;
    const { icons } = output.look;
    if (progress.state === "failed") {
      process.exitCode = EXIT_FAILED;
      const retry = `dora restart ${answer.name}`;
      const context = { icons, file: answer.file, retry, dataflow: answer.name };
      await output.writeLines(renderFailure(progress, context));
      return;
    }
    await output.writeLine();
    await say(output, `restarted ${answer.name}`);
  });
}

interface Watching {
  readonly client: CoordinatorClient;
  readonly events: CoordinatorEvents;
  readonly output: Output;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

async function withEvents(
  flags: CoordinatorFlags,
  run: (watching: Watching) => Promise<void>,
): Promise<void> {
  const client = await coordinatorClient(flags);
  const interruption = new Interruption();
  const { signal } = interruption;
  const events = await CoordinatorEvents.open(client);
  try {
    await run({ client, events, output: new Output(process.stdout), signal });
    if (interruption.isRequested) process.exitCode = EXIT_INTERRUPTED;
  } finally {
    events.close();
    interruption.close();
  }
}

/** Resolves when a node has come to one of these states, or at once when it is aborted. */
async function untilNode(
  events: CoordinatorEvents,
  dataflow: string,
  node: string,
  states: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for await (const event of eventsOf(events, dataflow, signal)) {
    if (event.type === "node" && event.node === node && states.includes(event.state)) return;
    if (event.type === "dataflow" && isEnded(event.state)) return;
  }
}

/** `✔ stopped camera` */
async function say(output: Output, text: string): Promise<void> {
  await output.writeLine({ text: output.look.icons.live, style: "success" }, ` ${text}`);
}

function checkStopFlags(
  flow: string | undefined,
  node: string | undefined,
  { all, grace, force }: StopFlags,
): void {
  if (all === true && flow !== undefined) {
    throw new AppError("USAGE", `--all and "${flow}" exclude each other: give one of them`);
  }
  if (node !== undefined && (grace !== undefined || force === true)) {
    throw new AppError(
      "USAGE",
      "--grace and --force are for whole dataflows: a node has the grace of its file",
    );
  }
  if (grace !== undefined && force === true) {
    throw new AppError("USAGE", "--grace and --force exclude each other: give one of them");
  }
}

/** `10s`, `500ms`; a bare number is seconds. Errors: `USAGE`. */
function readGrace(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const durationNs = parseDurationNs(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text);
  if (durationNs !== undefined && durationNs >= 0n) return Number(durationNs) / 1e6;
  throw new AppError("USAGE", `--grace must be a length of time such as 10s, got "${text}"`);
}
