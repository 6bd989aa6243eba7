import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { AppError } from "../core/errors.ts";
import type { Dataflow } from "../runtime/dataflow/dataflow.ts";
import { parseDataflow } from "../runtime/dataflow/parse-dataflow.ts";
import { commandLine } from "./command-line.ts";
import { readDataflowText } from "./dataflow-file.ts";
import type { Output } from "./output.ts";
import { renderFindings } from "./render-findings.ts";
import { invalidDataflow } from "./validate-dataflow.ts";

/** Looked for in this order where no file is named. */
const USUAL_FILES = ["dataflow.yaml", "dataflow.yml"] as const;

/** A dataflow file that can be started. */
export interface LoadedDataflow {
  /** As its user names it. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  readonly dataflow: Dataflow;
}

/** The file that was named, else the usual one of this folder. Errors: `USAGE`. */
export function chooseFile(file: string | undefined): string {
  const chosen = file ?? USUAL_FILES.find((name) => existsSync(name));
  if (chosen !== undefined) return chosen;
  throw new AppError(
    "USAGE",
    `no dataflow file was named, and none of ${USUAL_FILES.join(", ")} is here`,
    {
      hint: "name it, such as `dora start flow.yml`, or make one with `dora init`",
    },
  );
}

/**
 * Reads and checks a dataflow file; what is wrong with it is written as `dora validate` does, to `notes`.
 *
 * Errors: `FILE_UNREADABLE`; `DATAFLOW_INVALID` once all problems are written.
 */
export async function loadDataflow(
  file: string,
  environment: Readonly<Record<string, string>>,
  notes: Output,
): Promise<LoadedDataflow> {
  const text = await readDataflowText(file);
  const result = parseDataflow(text, { environment: { ...process.env, ...environment } });
  const problems = result.status === "invalid" ? result.problems : [];
  await notes.writeLines(renderFindings({ file, text, problems, warnings: result.warnings }));
  if (result.status === "invalid") throw invalidDataflow(file, result);
  return { file, path: resolve(file), text, dataflow: result.dataflow };
}

/** `dora start`, with the file where it is not the usual one. */
export function retryCommand(command: "start" | "run" | "build", file: string): string {
  const isUsual = file === USUAL_FILES.find((name) => existsSync(name));
  return commandLine(["dora", command, ...(isUsual ? [] : [file])]);
}

/** Where a build's output is kept, from here: `./out/build.txt`. */
export function buildReportPath({ path }: LoadedDataflow): string {
  const from = relative(process.cwd(), join(dirname(path), "out", "build.txt"));
  return from.startsWith("..") ? resolve(from) : `./${from}`;
}

/** Variables of `--env KEY=VALUE`, given any number of times. Errors: `USAGE`. */
export function readEnvironment(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
      throw new AppError("USAGE", `--env must be KEY=VALUE, got "${pair}"`);
    }),
  );
}
