/** What `dora start`, `dora run` and `dora build` have in common: from a file to what a coordinator is asked. */
import { AppError } from "../core/errors.ts";
import type { CoordinatorClient, CoordinatorFlags, StartBody } from "./coordinator-client.ts";
import { LiveLines } from "./live-lines.ts";
import type { LoadedDataflow } from "./load-dataflow.ts";
import { buildReportPath, loadDataflow, retryCommand } from "./load-dataflow.ts";
import type { Output, Piece } from "./output.ts";
import { applyProfile, chosenProfile, loadProfile } from "./profile.ts";
import { renderBuildFailure, renderFailure } from "./render-failure.ts";
import { seconds } from "./render-start.ts";
import { hasFailedBuild } from "./start-progress.ts";
import type { StartProgress } from "./start-progress.ts";

export interface LaunchFlags extends CoordinatorFlags {
  readonly name?: string;
  readonly env?: readonly string[];
  /** False with `--no-build`. */
  readonly build: boolean;
  readonly profile?: string;
}

/**
 * Takes what the profile says that `--profile` or `DORA_PROFILE` names, where one is named, and says
 * `Loaded profile: staging`. What the command line says wins.
 *
 * Errors: those of `loadProfile`.
 */
export async function takeProfile<Flags extends LaunchFlags>(
  file: string | undefined,
  flags: Flags,
  { output, notes }: { readonly output: Output; readonly notes: Output },
): Promise<{ readonly file: string | undefined; readonly flags: Flags }> {
  const name = chosenProfile(flags.profile);
  if (name === undefined) return { file, flags };
  const profile = await loadProfile(name, notes);
  await output.writeLine(`Loaded profile: ${profile.profile}`);
  return applyProfile(profile, file, flags);
}

/**
 * Reads the file beneath `⏳ Loading configuration... [✅ done in 0.2s]`.
 *
 * Errors: `USAGE`, `FILE_UNREADABLE`, `DATAFLOW_INVALID` once all problems are written to `notes`.
 */
export async function loadShown(
  file: string,
  environment: Readonly<Record<string, string>>,
  { output, notes }: { readonly output: Output; readonly notes: Output },
): Promise<LoadedDataflow> {
  const { icons } = output.look;
  const lines = new LiveLines(output);
  const title = `${icons.loading} Loading configuration...`;
  await lines.show([{ pieces: [title], isFinal: false }]);
  const beganMs = performance.now();
  const end = (isDone: boolean): Promise<void> => {
    const words = isDone ? `${icons.tick} done` : `${icons.cross} failed`;
    const text = `[${words} in ${seconds(performance.now() - beganMs)}]`;
    const style = isDone ? "success" : "error";
    return lines.show([{ pieces: [`${title} `, { text, style }], isFinal: true }]);
  };
  let loaded: LoadedDataflow;
  try {
    loaded = await loadDataflow(file, environment, notes);
  } catch (error) {
    await end(false);
    throw error;
  }
  await end(true);
  return loaded;
}

export function startBody(
  { text, path, dataflow }: LoadedDataflow,
  flags: Pick<LaunchFlags, "name" | "build">,
  environment: Readonly<Record<string, string>>,
): StartBody {
  const name = flags.name ?? dataflow.name;
  const named = name === undefined ? {} : { name };
  return { text, file: path, environment, build: flags.build, ...named };
}

/** What failed and what to do; the same for a build and for a dataflow. */
export function failureLines(
  progress: StartProgress,
  options: {
    readonly output: Output;
    readonly loaded: LoadedDataflow;
    readonly command: "start" | "run" | "build";
    readonly dataflow: string;
  },
): readonly (readonly Piece[])[] {
  const { output, loaded, command, dataflow } = options;
  const { icons } = output.look;
  const { file } = loaded;
  if (hasFailedBuild(progress)) {
    const retry = retryCommand("build", file);
    const details = buildReportPath(loaded);
    return renderBuildFailure(progress, { icons, file, retry, dataflow, details });
  }
  return renderFailure(progress, { icons, file, retry: retryCommand(command, file), dataflow });
}

/** Asks for a stop, of one that may have ended meanwhile. */
export async function stopQuietly(client: CoordinatorClient, dataflow: string): Promise<void> {
  try {
    await client.stop(dataflow);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "DATAFLOW_STATE") throw error;
  }
}
