import { attendDataflow } from "./attend-dataflow.ts";
import { bringUp, takeDown } from "./bring-up.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { CoordinatorEvents } from "./coordinator-events.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED } from "./failure.ts";
import { followStart } from "./follow-dataflow.ts";
import { Interruption } from "./interruption.ts";
import type { LaunchFlags } from "./launch-dataflow.ts";
import { failureLines, startBody, takeProfile } from "./launch-dataflow.ts";
import type { LoadedDataflow } from "./load-dataflow.ts";
import { chooseFile, loadDataflow, readEnvironment } from "./load-dataflow.ts";
import { Output } from "./output.ts";
import { renderBuilds } from "./render-start.ts";
import type { StartProgress } from "./start-progress.ts";
import { beginProgress, hasFailedBuild, planOfFile } from "./start-progress.ts";

/** What a variable may have that a coordinator takes. */
const NAME_LENGTH_MAX = 512;
const VALUE_LENGTH_MAX = 128 * 1024;
/** Of this shell alone: nodes run elsewhere. */
const SHELL_VARIABLES: ReadonlySet<string> = new Set(["PWD", "OLDPWD", "SHLVL", "_"]);

/**
 * `dora run FILE`: in the foreground from the first record to the last. Nodes have this shell's environment.
 * What it had to bring up it takes down at its end.
 *
 * Errors: as `startDataflow`. A dataflow that failed is summarised, and sets exit code 1; one that the first
 *         Ctrl-C stopped has ended well.
 */
export async function runDataflow(
  namedFile: string | undefined,
  ownFlags: LaunchFlags,
): Promise<void> {
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const { file, flags } = await takeProfile(namedFile, ownFlags, { output, notes });
  const environment = readEnvironment(flags.env ?? []);
  const client = await coordinatorClient(flags);
  const loaded = await loadDataflow(chooseFile(file), environment, notes);
  const interruption = new Interruption();
  const started = await bringUp(client, notes);
  try {
    if (interruption.isRequested) process.exitCode = EXIT_INTERRUPTED;
    else await run({ client, interruption, output, notes }, loaded, flags);
  } finally {
    await takeDown(client, started, notes);
    interruption.close();
  }
}

interface Parts {
  readonly client: CoordinatorClient;
  readonly interruption: Interruption;
  readonly output: Output;
  readonly notes: Output;
}

async function run(parts: Parts, loaded: LoadedDataflow, flags: LaunchFlags): Promise<void> {
  const { client, interruption, output, notes } = parts;
  const environment = { ...shellEnvironment(), ...readEnvironment(flags.env ?? []) };
  const events = await CoordinatorEvents.open(client);
  try {
    const { id, name } = await client.start(startBody(loaded, flags, environment));
    const { icons } = output.look;
    await output.writeLine({ text: icons.live, style: "success" }, ` Starting dataflow: ${name}`);
    const progress = beginProgress(planOfFile(loaded.dataflow, flags.build));
    const built = await followStart(
      events,
      { dataflow: id, progress },
      { output, render: renderBusyBuilds, signal: interruption.signal },
    );
    if (hasFailedBuild(built)) {
      process.exitCode = EXIT_FAILED;
      const options = { output, loaded, command: "run", dataflow: name } as const;
      await output.writeLines(failureLines(built, options));
      return;
    }
    const { tokenFile } = flags;
    const attendance = { client, events, interruption, output, notes, tokenFile };
    await attendDataflow(attendance, { id, name, loaded, progress: built });
  } finally {
    events.close();
  }
}

/** Bars where there is something to build; nothing else comes between records. */
function renderBusyBuilds(progress: StartProgress, view: Parameters<typeof renderBuilds>[1]) {
  return progress.builds.size === 0 ? [] : renderBuilds(progress, view);
}

/** As programs that are started from this shell would have it. */
function shellEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ||
      SHELL_VARIABLES.has(name) ||
      name.length > NAME_LENGTH_MAX ||
      value.length > VALUE_LENGTH_MAX
        ? []
        : [[name, value]],
    ),
  );
}
