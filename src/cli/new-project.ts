import { join } from "node:path";
import { AppError } from "../core/errors.ts";
import { Output } from "./output.ts";
import type { Language } from "./templates/new-files.ts";
import { newFiles } from "./templates/new-files.ts";
import { DATAFLOW_FILE } from "./templates/init-files.ts";
import { writeFiles } from "./templates/write-files.ts";
import { readVersion } from "./version.ts";

export interface NewFlags {
  readonly kind: "dataflow" | "node";
  readonly lang: Language;
  readonly force?: boolean;
}

/** A name of a dataflow, a node, a folder, and of a package of each language. */
const NAME = /^[A-Za-z_][\w-]{0,63}$/;

/**
 * `dora new NAME`: makes a folder with a dataflow that starts as it is, or with a node, and says what to do with it.
 *
 * Errors: `USAGE`; `FILE_EXISTS` without `--force`, before anything is written; `OUTPUT_FAILED`.
 */
export async function newProject(name: string, flags: NewFlags): Promise<void> {
  if (!NAME.test(name) || name.toLowerCase() === "dora") {
    throw new AppError(
      "USAGE",
      `"${name}" will not do as a name: give up to 64 letters, digits, \`_\` and \`-\`, beginning with a letter, and not \`dora\``,
    );
  }
  const { kind, lang: language } = flags;
  const { files, dataflow } = newFiles({ name, kind, language, version: readVersion() });
  await writeFiles(name, files, { isOverwriting: flags.force === true });
  const output = new Output(process.stdout);
  const { icons } = output.look;
  for (const { path } of files) {
    await output.writeLine({ text: icons.live, style: "success" }, ` ${join(name, path)}`);
  }
  await output.writeLine();
  if (kind === "dataflow") {
    await output.writeLine(`Use \`dora start ${join(name, DATAFLOW_FILE)}\` to begin.`);
    return;
  }
  await output.writeLine(
    "Write it into a dataflow file, with a `sender` that has an output `text`:",
  );
  await output.writeLine();
  await output.writeLines(
    dataflow
      .trimEnd()
      .split("\n")
      .map((line) => [line]),
  );
}
