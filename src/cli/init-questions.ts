import { AppError } from "../core/errors.ts";
import { commandLine } from "./command-line.ts";
import type { Level } from "./templates/init-files.ts";
import { DATAFLOW_FILE, LEVELS } from "./templates/init-files.ts";

/** What `dora init` asks for. */
export interface Question {
  /** As it stands before the answer. */
  readonly text: string;
  /** Stands there as if it were typed already. */
  readonly typed?: string;
  /** Leaving it empty is an answer that stays to be seen. */
  readonly isShownEmpty?: boolean;
  /** What is wrong with an answer, and what to do; undefined where it will do. */
  readonly check: (answer: string) => string | undefined;
}

export const WELCOME = "Welcome to Dora! Lets set up your dataflow.";
export const ENVIRONMENT = "local";
const LEVEL_DEFAULT: Level = "INFO";
const NAME = /^\w[\w.-]{0,99}$/;
const NODE = /^\w[\w.-]{0,127}$/;

export const NAME_QUESTION: Question = {
  text: "Name your dataflow:",
  check: (answer) =>
    NAME.test(answer)
      ? undefined
      : "A name has 1 to 100 letters, digits, `_`, `-` and `.`, and begins with none of the last two.",
};

export const ENVIRONMENT_QUESTION: Question = {
  text: "Select a runtime environment:",
  typed: ENVIRONMENT,
  check: (answer) =>
    answer === ENVIRONMENT ? undefined : "There is `local` so far: the processes of this machine.",
};

export const LEVEL_QUESTION: Question = {
  text: `Configure logging level [${LEVEL_DEFAULT}]:`,
  isShownEmpty: true,
  check: (answer) =>
    readLevel(answer) === undefined ? `Give one of ${LEVELS.join(", ")}.` : undefined,
};

export const SAVE_QUESTION = yesQuestion(`Save configuration as \`${DATAFLOW_FILE}\`?`);

/** The next node, which an empty answer says there is not. */
export function nodeQuestion(before: readonly string[]): Question {
  return {
    text: `Add ${before.length === 0 ? "a" : "another"} node (leave empty to finish):`,
    check: (answer) => {
      if (answer === "")
        return before.length === 0 ? "A dataflow has one node at least." : undefined;
      return nodeProblem(answer, before);
    },
  };
}

export function overwriteQuestion(files: readonly string[]): Question {
  return yesQuestion(`Overwrite ${files.join(", ")}?`);
}

/** Anything but a yes is a no. */
export function isYes(answer: string): boolean {
  return /^y(es)?$/i.test(answer);
}

/** "" is the default. */
export function readLevel(answer: string): Level | undefined {
  const wanted = answer === "" ? LEVEL_DEFAULT : answer.toUpperCase();
  return LEVELS.find((level) => level === wanted);
}

/** The line that says where to go on: in a folder other than this one, with it. */
export function savedLine(file: string): string {
  return `Configuration saved! Use \`${commandLine(["dora", "start", file])}\` to begin.`;
}

/** What was given on the command line in an answer's place. Errors: `USAGE` naming the flag. */
export function checkGiven(question: Question, answer: string, flag: string): void {
  const problem = question.check(answer);
  if (problem === undefined) return;
  throw new AppError("USAGE", `${flag} "${answer}" will not do. ${problem}`);
}

/** Nodes are files: two of them may not differ by case alone. */
function nodeProblem(id: string, before: readonly string[]): string | undefined {
  if (!NODE.test(id)) {
    return "A node's id has letters, digits, `_`, `-` and `.`, and begins with none of the last two.";
  }
  if (id.toLowerCase() === "dora") return "`dora` is taken by timers and logs: give another id.";
  const isTaken = before.some((other) => other.toLowerCase() === id.toLowerCase());
  return isTaken ? `There is a node \`${id}\` already: give another id.` : undefined;
}

function yesQuestion(text: string): Question {
  return {
    text: `${text} [y/N]:`,
    isShownEmpty: true,
    check: (answer) => (/^(y(es)?|no?|)$/i.test(answer) ? undefined : "Answer y or n."),
  };
}
