import { AppError } from "../core/errors.ts";
import { snakeKeys } from "../runtime/coordinator/letter-case.ts";
import { attendDataflow } from "./attend-dataflow.ts";
import { bringUp } from "./bring-up.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED } from "./failure.ts";
import { followStart } from "./follow-dataflow.ts";
import { Interruption } from "./interruption.ts";
import type { LaunchFlags } from "./launch-dataflow.ts";
import { failureLines, loadShown, startBody, stopQuietly, takeProfile } from "./launch-dataflow.ts";
import { chooseFile, loadDataflow, readEnvironment } from "./load-dataflow.ts";
import { Output } from "./output.ts";
import { renderStart } from "./render-start.ts";
import { beginProgress, isSettled, planOfFile } from "./start-progress.ts";

export interface StartFlags extends LaunchFlags {
  readonly attach?: boolean;
  readonly detach?: boolean;
  readonly output: "text" | "json";
}

/**
 * `dora start FILE`: brings up what does not run, shows each stage, and leaves the dataflow running; with
 * `--attach` it follows it to its end.
 *
 * Errors: what a file, a coordinator or the processes in the background may have. A start that fails is shown
 *         with what to do, and sets exit code 1; one that Ctrl-C ended is stopped, 130.
 */
export async function startDataflow(
  namedFile: string | undefined,
  ownFlags: StartFlags,
): Promise<void> {
  const isJson = ownFlags.output === "json";
  if (ownFlags.attach === true && (ownFlags.detach === true || isJson)) {
    const other = isJson ? "--output json" : "--detach";
    throw new AppError("USAGE", `--attach and ${other} exclude each other: give one of them`);
  }
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const spoken = { output: isJson ? notes : output, notes };
  const { file, flags } = await takeProfile(namedFile, ownFlags, spoken);
  const environment = readEnvironment(flags.env ?? []);
  const client = await coordinatorClient(flags);
  const chosen = chooseFile(file);
  const loaded = isJson
    ? await loadDataflow(chosen, environment, notes)
    : await loadShown(chosen, environment, { output, notes });
  if (!isJson) await output.writeLine();
  await bringUp(client, spoken.output);
  const interruption = new Interruption();
  const events = await CoordinatorEvents.open(client);
  try {
    const { id, name } = await client.start(startBody(loaded, flags, environment));
    const begun = beginProgress(planOfFile(loaded.dataflow, flags.build));
    const progress = await followStart(
      events,
      { dataflow: id, progress: begun },
      { output, render: isJson ? () => [] : renderStart, signal: interruption.signal },
    );
    if (!isSettled(progress)) {
      await stopQuietly(client, id);
      await notes.writeLine(`stopped dataflow ${name}, which had not started yet`);
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
    const isFailed = progress.state === "failed" || progress.state === "stopped";
    if (isFailed) process.exitCode = EXIT_FAILED;
    if (isJson) {
      const answer = snakeKeys(await client.find(id));
      await output.writeDocument(Buffer.from(`${JSON.stringify(answer, null, 2)}\n`));
      return;
    }
    if (progress.state === "stopped") {
      await output.writeLines([
        [],
        [`${output.look.icons.gaveUp} The dataflow was stopped before it ran.`],
      ]);
      return;
    }
    if (isFailed) {
      await output.writeLines(
        failureLines(progress, { output, loaded, command: "start", dataflow: name }),
      );
      return;
    }
    await output.writeLines(successLines(output));
    if (flags.attach !== true) return;
    await attendDataflow(
      { client, events, interruption, output, notes, tokenFile: flags.tokenFile },
      { id, name, loaded, progress },
    );
  } finally {
    events.close();
    interruption.close();
  }
}

function successLines({ look }: Output) {
  const text = `${look.icons.success} Dataflow running successfully!`;
  return [
    [],
    [{ text, style: "success" } as const],
    ["Tip: Use `dora logs` for real-time monitoring."],
  ];
}
