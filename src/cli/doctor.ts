import { loadConfig } from "../collector/config.ts";
import { stateFolder } from "../runtime/coordinator/state-folder.ts";
import { parseDataflow } from "../runtime/dataflow/parse-dataflow.ts";
import type { CoordinatorClient, CoordinatorFlags } from "./coordinator-client.ts";
import { coordinatorClient } from "./coordinator-client.ts";
import { readDataflowText } from "./dataflow-file.ts";
import type { Check } from "./doctor-checks.ts";
import * as checks from "./doctor-checks.ts";
import { explain } from "./doctor-explain.ts";
import * as facts from "./doctor-facts.ts";
import { lookAtProcesses } from "./doctor-processes.ts";
import { documentText } from "./document-text.ts";
import { EXIT_FAILED } from "./failure.ts";
import { Output } from "./output.ts";
import { renderChecks } from "./render-checks.ts";

export interface DoctorFlags extends CoordinatorFlags {
  readonly explain?: string;
  readonly output: "table" | "json" | "yaml";
}

const SHARED_MEMORY = "/dev/shm";

/**
 * `dora doctor [FILE]`: looks at this machine and at what of dora runs, and changes nothing. `--explain` looks at
 * nothing but a text.
 *
 * Errors: `USAGE`, `CONFIG_INVALID`, `FILE_UNREADABLE`, `NOT_FOUND` of a text that is not known. Exit code 1 where
 *         a check failed.
 */
export async function runDoctor(file: string | undefined, flags: DoctorFlags): Promise<void> {
  const output = new Output(process.stdout);
  if (flags.explain === undefined) await checkAll(file, flags, output);
  else await writeExplanation(flags.explain, flags.output, output);
  if (output.failure !== undefined) throw output.failure;
}

async function checkAll(
  file: string | undefined,
  flags: DoctorFlags,
  output: Output,
): Promise<void> {
  const client = await coordinatorClient(flags);
  const all = [...(await lookAtMachine(client)), ...(await lookAtFile(file))];
  if (flags.output === "table") await output.writeLines(renderChecks(all, output.look.icons));
  else await output.writeDocument(Buffer.from(documentText(flags.output, { checks: all })));
  if (all.some(({ status }) => status === "failed")) process.exitCode = EXIT_FAILED;
}

async function writeExplanation(
  text: string,
  format: DoctorFlags["output"],
  output: Output,
): Promise<void> {
  const { cause, fix } = explain(text);
  if (format !== "table") {
    await output.writeDocument(Buffer.from(documentText(format, { cause, fix })));
    return;
  }
  await output.writeLines([[cause], [`${output.look.icons.hint} ${fix}`]]);
}

async function lookAtMachine(client: CoordinatorClient): Promise<readonly Check[]> {
  const config = loadConfig({ flags: {}, env: process.env });
  const state = stateFolder(process.env);
  const data = config.dataDirectory;
  const disk = facts.spaceAt(data);
  return [
    checks.checkNode(process.version),
    checks.checkFolder("state folder", {
      folder: state,
      problem: facts.folderProblem(state),
      variable: "DORA_STATE_DIR",
    }),
    checks.checkFolder("data folder", {
      folder: data,
      problem: facts.folderProblem(data),
      variable: "DORA_DATA_DIR",
    }),
    ...(disk === undefined ? [] : [checks.checkDisk(disk)]),
    checks.checkMemory(process.availableMemory()),
    checks.checkFiles(facts.openFilesLimit()),
    checks.checkSharedMemory(facts.spaceIfThere(SHARED_MEMORY)),
    ...(await lookAtProcesses(client, config)),
  ];
}

/** What a dataflow needs; without one, whether Python nodes could run. Errors: `FILE_UNREADABLE`. */
async function lookAtFile(file: string | undefined): Promise<readonly Check[]> {
  const python = await facts.lookAtPython();
  if (file === undefined) return [checks.checkPython(python, { isNeeded: false })];
  const result = parseDataflow(await readDataflowText(file), { environment: process.env });
  if (result.status === "invalid") return [checks.checkFile(file, result.problems.length)];
  const { dataflow } = result;
  const isNeeded = facts.needsPython(dataflow);
  const brokers = await Promise.all(
    facts.brokersOf(dataflow).map(async ({ kind, place, host, port }) => {
      const problem = await facts.connectionProblem(host, port);
      return checks.checkBroker(kind, { place, problem });
    }),
  );
  return [
    checks.checkFile(file, 0),
    ...(isNeeded ? [checks.checkPython(python, { isNeeded })] : []),
    ...brokers,
  ];
}
