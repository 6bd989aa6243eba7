import { bringUp } from "./bring-up.ts";
import type { CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED } from "./failure.ts";
import { followStart } from "./follow-dataflow.ts";
import { Interruption } from "./interruption.ts";
import { failureLines, loadShown } from "./launch-dataflow.ts";
import { chooseFile, readEnvironment } from "./load-dataflow.ts";
import { Output } from "./output.ts";
import { renderBuilds } from "./render-start.ts";
import { beginProgress, isSettled, planOfFile } from "./start-progress.ts";

export interface BuildFlags extends CoordinatorFlags {
  readonly env?: readonly string[];
}

/** `dora build FILE`: runs the nodes' build lines and starts none. Sets exit code 1 where one failed. */
export async function buildNodes(file: string | undefined, flags: BuildFlags): Promise<void> {
  const environment = readEnvironment(flags.env ?? []);
  const client = await coordinatorClient(flags);
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const loaded = await loadShown(chooseFile(file), environment, { output, notes });
  await output.writeLine();
  await bringUp(client, output);
  const interruption = new Interruption();
  const events = await CoordinatorEvents.open(client);
  try {
    const { text, path } = loaded;
    const { id } = await client.build({ text, file: path, environment });
    const progress = await followStart(
      events,
      { dataflow: id, progress: beginProgress(planOfFile(loaded.dataflow, true)) },
      { output, render: renderBuilds, signal: interruption.signal },
    );
    if (!isSettled(progress)) {
      await notes.writeLine("the build goes on in the background");
      process.exitCode = EXIT_INTERRUPTED;
    } else if (progress.state === "failed") {
      process.exitCode = EXIT_FAILED;
      const options = { output, loaded, command: "build", dataflow: "" } as const;
      await output.writeLines(failureLines(progress, options));
    }
  } finally {
    events.close();
    interruption.close();
  }
}
