import { AppError } from "../core/errors.ts";
import { isEnded } from "../runtime/coordinator/dataflow-registry.ts";
import type { DataflowStatus } from "../runtime/protocol/status.ts";
import type { Brought } from "./background.ts";
import { Background } from "./background.ts";
import type { CoordinatorClient, CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { readLastKnown } from "./last-known.ts";
import { Output } from "./output.ts";
import { seconds } from "./render-start.ts";

/** `dora up`: telemetry, coordinator and daemon in the background. */
export async function runUp(flags: CoordinatorFlags): Promise<void> {
  const client = await coordinatorClient(flags);
  const output = new Output(process.stdout);
  const background = new Background(client);
  await background.up((brought) => tellBrought(output, brought));
  await output.writeLine({
    text: `Logs of these processes: ${background.folder}. \`dora down\` stops them.`,
    style: "dim",
  });
}

/** `✔ coordinator [started in 0.3s] http://127.0.0.1:6015` */
export async function tellBrought(output: Output, brought: Brought): Promise<void> {
  const { name, wasRunning, elapsedMs, where } = brought;
  const how = wasRunning ? "running already" : `started in ${seconds(elapsedMs)}`;
  await output.writeLine(
    { text: output.look.icons.live, style: "success" },
    ` ${name} [${how}] ${where}`,
  );
}

export interface DownFlags extends CoordinatorFlags {
  readonly force?: boolean;
}

/** `dora down`: stops what `dora up` started; refuses while dataflows run, unless forced. */
export async function runDown(flags: DownFlags): Promise<void> {
  const client = await coordinatorClient(flags);
  const output = new Output(process.stdout);
  const background = new Background(client);
  const running = await runningDataflows(client);
  if (running.length > 0 && flags.force !== true) {
    const names = running.map(({ name, id, state }) => `  ${name}  ${id} (${state})`);
    throw new AppError(
      "DATAFLOW_STATE",
      `${running.length === 1 ? "a dataflow runs" : `${running.length} dataflows run`}:\n${names.join("\n")}`,
      { hint: "stop it with `dora stop NAME`, or stop all with `dora down --force`" },
    );
  }
  const stopped = await background.down();
  for (const { name } of running) await output.writeLine(`stopped dataflow ${name}`);
  for (const name of stopped) await output.writeLine(`stopped ${name}`);
  if (stopped.length === 0) await output.writeLine("nothing that `dora up` started runs");
  if (typeof (await client.health()) === "object") {
    await output.writeLine(
      `the coordinator at ${client.url} runs on: it was not started by \`dora up\``,
    );
  }
}

/**
 * What would end with the daemon. Where no coordinator answers it is what the last one knew, as long as the
 * daemon runs.
 */
async function runningDataflows(client: CoordinatorClient): Promise<readonly DataflowStatus[]> {
  const { daemonPid, flows } = await readLastKnown(process.env);
  if (typeof (await client.health()) !== "object") return daemonPid === undefined ? [] : flows;
  const all = await client.list();
  // A daemon that is about to connect anew still runs them.
  return all.filter(
    ({ state, isDaemonConnected }) =>
      !isEnded(state) && (isDaemonConnected || daemonPid !== undefined),
  );
}
