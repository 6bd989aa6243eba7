/** What failed and what to do, as users were shown it: below the bars of a build, or at a dataflow's end. */
import { findMissingDependency } from "../runtime/daemon/missing-dependency.ts";
import type { NodeEnd } from "../runtime/protocol/status.ts";
import { commandLine } from "./command-line.ts";
import type { Piece } from "./output.ts";
import type { StartProgress } from "./start-progress.ts";
import type { Icons } from "./terminal-look.ts";

/** Of a node's standard error. */
const SHOWN_LINES_MAX = 10;
const INDENT = "    ";

export interface FailureContext {
  readonly icons: Icons;
  /** The dataflow file as its user names it. */
  readonly file: string;
  /** The command that is to be tried again. */
  readonly retry: string;
  /** The dataflow's name or id; "" where there is none, as of a build. */
  readonly dataflow: string;
}

type Lines = readonly (readonly Piece[])[];

/**
 * Builds that failed:
 *
 *     🚨 Build Failed:
 *         ❌ Node C [failed: Missing dependency `tokio`]
 *
 *     💡 Suggested Fix:
 *         1. Navigate to the Node C directory.
 *         2. Install the missing dependency: `cargo add tokio`.
 *         3. Retry: `dora build`.
 *
 *     📄 Error details logged at: ./out/build.txt
 */
export function renderBuildFailure(
  progress: StartProgress,
  context: FailureContext & { readonly details: string },
): Lines {
  const { icons } = context;
  const failed = progress.plan.nodes.flatMap(({ id, name }) => {
    const build = progress.builds.get(id);
    return build?.state === "failed" ? [{ name, build }] : [];
  });
  const steps = failed.flatMap(({ name, build: { missing, command } }) =>
    missing === undefined
      ? [`Correct what \`${command}\` of ${name} complains of.`]
      : missingSteps(name, missing),
  );
  return [
    [],
    heading(icons, "Build Failed:"),
    ...failed.flatMap(({ name, build: { missing, command, lastStderr = [] } }) =>
      missing === undefined
        ? [failedLine(icons, name, `failed: \`${command}\``)].concat(quoted(lastStderr))
        : [failedLine(icons, name, `failed: ${missingWords(missing.name)}`)],
    ),
    ...suggestedFix(icons, [...steps, `Retry: \`${context.retry}\`.`]),
    [],
    [`${icons.details} Error details logged at: ${context.details}`],
  ];
}

/**
 * A dataflow that failed: the node that failed first, how it ended, the last of its standard error, and what it
 * took down.
 *
 *     🚨 Dataflow Failed:
 *         ❌ Node B [failed first: exit code 1]
 *             Error: no such camera
 *         🛑 Node C, Node D [ended because of it]
 */
export function renderFailure(progress: StartProgress, context: FailureContext): Lines {
  const { icons } = context;
  const { failure, hasRun } = progress;
  const title = heading(icons, hasRun ? "Dataflow Failed:" : "Start Failed:");
  if (failure === undefined) {
    const fix = suggestedFix(icons, [`See what was logged: \`dora logs\`.`]);
    return [[], title, [`${INDENT}${icons.cross} the daemon does not say why`], ...fix];
  }
  const nameOf = (id: string): string =>
    progress.plan.nodes.find((node) => node.id === id)?.name ?? id;
  const { node, end, tookDown } = failure;
  const missing = findMissingDependency(end.lastStderr.join("\n"));
  const others = otherFailures(progress, node);
  const missed = missing === undefined ? undefined : missingWords(missing.name);
  const words = missed ?? end.message;
  // Where nothing could begin, none was the first, and none was taken down.
  const hasBegun = !isUnstartable(end);
  const how = hasBegun && missed === undefined ? "failed first" : "failed";
  const downNames = tookDown.map(nameOf).join(", ");
  const downLine: Lines = [[`${INDENT}${icons.gaveUp} ${downNames} [ended because of it]`]];
  return [
    [],
    title,
    failedLine(icons, nameOf(node), `${how}: ${words}`),
    ...quoted(end.lastStderr),
    ...others.map(([id, other]) => failedLine(icons, nameOf(id), `failed: ${other.message}`)),
    ...(hasBegun && tookDown.length > 0 ? downLine : []),
    ...suggestedFix(icons, [
      ...(missing === undefined
        ? [stepFor(nameOf(node), node, end, context)]
        : missingSteps(nameOf(node), missing)),
      `Retry: \`${context.retry}\`.`,
    ]),
  ];
}

/** Nodes beside the first that could not be started at all: each is a fault of its own. */
function otherFailures(
  { nodes }: StartProgress,
  first: string,
): readonly (readonly [string, NodeEnd])[] {
  return [...nodes].flatMap(([id, { state, end }]) =>
    state === "failed" && end !== undefined && id !== first && isUnstartable(end)
      ? [[id, end] as const]
      : [],
  );
}

function stepFor(name: string, id: string, end: NodeEnd, context: FailureContext): string {
  if (isUnstartable(end)) return `Correct what \`path\` of ${name} names in ${context.file}.`;
  const flow =
    context.dataflow === "" ? ["--node", id] : ["--dataflow", context.dataflow, "--node", id];
  return `See what ${name} logged: \`${commandLine(["dora", "logs", ...flow])}\`.`;
}

/** The daemon found nothing that it could run. */
function isUnstartable({ exitCode, signal, message }: NodeEnd): boolean {
  return exitCode === null && signal === null && message.startsWith("cannot be started");
}

function missingWords(name: string): string {
  return `Missing dependency \`${name}\``;
}

function missingSteps(
  node: string,
  { name, command }: { readonly name: string; readonly command: string },
): readonly string[] {
  return [
    `Navigate to the ${node} directory.`,
    `Install the missing dependency: \`${command === "" ? name : command}\`.`,
  ];
}

function heading(icons: Icons, text: string): readonly Piece[] {
  return [{ text: `${icons.alarm} ${text}`, style: "error" }];
}

function failedLine(icons: Icons, name: string, words: string): readonly Piece[] {
  return [`${INDENT}${icons.cross} ${name} `, { text: `[${words}]`, style: "error" }];
}

function quoted(lines: readonly string[]): Lines {
  return lines
    .slice(-SHOWN_LINES_MAX)
    .map((line) => [{ text: `${INDENT}${INDENT}${line}`, style: "dim" }]);
}

function suggestedFix(icons: Icons, steps: readonly string[]): Lines {
  return [
    [],
    [`${icons.hint} Suggested Fix:`],
    ...steps.map((step, index) => [`${INDENT}${index + 1}. ${step}`]),
  ];
}
