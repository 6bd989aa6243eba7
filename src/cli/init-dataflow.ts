import { basename, join, resolve } from "node:path";
import { AppError } from "../core/errors.ts";
import { EXIT_INTERRUPTED } from "./failure.ts";
import type { Question } from "./init-questions.ts";
import {
  checkGiven,
  ENVIRONMENT,
  ENVIRONMENT_QUESTION,
  isYes,
  LEVEL_QUESTION,
  NAME_QUESTION,
  nodeQuestion,
  overwriteQuestion,
  readLevel,
  SAVE_QUESTION,
  savedLine,
  WELCOME,
} from "./init-questions.ts";
import { Prompter } from "./prompter.ts";
import type { InitPlan } from "./templates/init-files.ts";
import { DATAFLOW_FILE, initFiles } from "./templates/init-files.ts";
import { existingFiles, writeFiles } from "./templates/write-files.ts";

export interface InitFlags {
  readonly node?: readonly string[];
  readonly level?: string;
  readonly directory?: string;
  readonly yes?: boolean;
  readonly force?: boolean;
}

const NODES_DEFAULT = ["node-a", "node-b"] as const;

/**
 * `dora init`: asks for a dataflow's name, nodes and level, as far as flags do not say them, and writes files that
 * start as they are. With `--yes` it asks nothing.
 *
 * Errors: `USAGE` for an answer among the flags that will not do, and where nobody can be asked;
 *         `FILE_EXISTS` without `--force` where nobody is asked; `OUTPUT_FAILED`. Ctrl-C saves nothing, 130.
 */
export async function initDataflow(name: string | undefined, flags: InitFlags): Promise<void> {
  checkFlags(name, flags);
  const isAsking = flags.yes !== true;
  if (isAsking && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new AppError("USAGE", "there is no terminal to ask on", {
      hint: "say all of it: `dora init NAME --node node-a --node node-b --level INFO --yes`",
    });
  }
  const folder = flags.directory ?? ".";
  const prompter = new Prompter(process.stdin, process.stdout);
  const answers = new Answers(prompter, isAsking);
  try {
    prompter.write(`${WELCOME}\n`);
    const plan = await askForPlan(answers, { name, flags, folder });
    const isWanted = isYes(await answers.get(SAVE_QUESTION, isAsking ? undefined : "y"));
    const files = initFiles(plan);
    const existing =
      isWanted && isAsking && flags.force !== true ? existingFiles(folder, files) : [];
    const isAllowed =
      existing.length === 0 || isYes(await answers.get(overwriteQuestion(existing), undefined));
    if (!isWanted || !isAllowed) {
      prompter.write("\nNothing was saved.");
      return;
    }
    const isOverwriting = flags.force === true || existing.length > 0;
    await writeFiles(folder, files, { isOverwriting });
    prompter.write(`\n${savedLine(join(folder, DATAFLOW_FILE))}`);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    prompter.write("Nothing was saved.");
    process.exitCode = EXIT_INTERRUPTED;
  } finally {
    prompter.close();
  }
}

/** Somebody pressed Ctrl-C, or Ctrl-D. */
class Interrupted extends Error {}

class Answers {
  readonly #prompter: Prompter;
  readonly #isAsking: boolean;

  constructor(prompter: Prompter, isAsking: boolean) {
    this.#prompter = prompter;
    this.#isAsking = isAsking;
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** What was given, shown; else what is typed. */
  async get(question: Question, given: string | undefined): Promise<string> {
    if (given !== undefined) {
      this.#prompter.tell(question, given);
      return given;
    }
    const answer = await this.#prompter.ask(question);
    if (answer === undefined) throw new Interrupted();
    return answer;
  }
}

async function askForPlan(
  answers: Answers,
  from: { readonly name: string | undefined; readonly flags: InitFlags; readonly folder: string },
): Promise<InitPlan> {
  const { flags, folder } = from;
  const otherwise = <Value>(value: Value): Value | undefined =>
    answers.isAsking ? undefined : value;
  const name = await answers.get(NAME_QUESTION, from.name ?? otherwise(nameOfFolder(folder)));
  await answers.get(ENVIRONMENT_QUESTION, otherwise(ENVIRONMENT));
  const nodes: string[] = [];
  for (const id of flags.node ?? otherwise(NODES_DEFAULT) ?? []) {
    await answers.get(nodeQuestion(nodes), id);
    nodes.push(id);
  }
  while (answers.isAsking && flags.node === undefined) {
    const id = await answers.get(nodeQuestion(nodes), undefined);
    if (id === "") break;
    nodes.push(id);
  }
  const level = readLevel(await answers.get(LEVEL_QUESTION, flags.level ?? otherwise("")));
  return { name, nodes, level: level ?? "INFO" };
}

/** Before anything is asked. Errors: `USAGE` */
function checkFlags(name: string | undefined, { node, level }: InitFlags): void {
  if (name !== undefined) checkGiven(NAME_QUESTION, name, "the name");
  const nodes = node ?? [];
  for (const [index, id] of nodes.entries()) {
    if (id === "") throw new AppError("USAGE", "--node needs an id");
    checkGiven(nodeQuestion(nodes.slice(0, index)), id, "--node");
  }
  if (level !== undefined) checkGiven(LEVEL_QUESTION, level, "--level");
}

/** Other characters than a name may have become `-`. */
function nameOfFolder(folder: string): string {
  const name = basename(resolve(folder))
    .replaceAll(/[^\w.-]+/g, "-")
    .replace(/^[.-]+/, "");
  return name.slice(0, 100) || "dataflow";
}
