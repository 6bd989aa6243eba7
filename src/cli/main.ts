import { enableCompileCache } from "node:module";
import { Command, CommanderError } from "commander";
import { registerBenchCommand } from "./command-bench.ts";
import { registerCanaryCommand } from "./command-canary.ts";
import { registerChangeCommands } from "./command-change.ts";
import { registerConfigCommands } from "./command-config.ts";
import { registerDoctorCommand } from "./command-doctor.ts";
import { registerExportCommand } from "./command-export.ts";
import { registerGraphCommand } from "./command-graph.ts";
import { registerInitCommand } from "./command-init.ts";
import { registerLogsCommands } from "./command-logs.ts";
import { registerNewCommand } from "./command-new.ts";
import { registerNodeCommands } from "./command-node.ts";
import { registerProcessCommands } from "./command-processes.ts";
import { registerProfileCommands } from "./command-profile.ts";
import { registerServeCommand } from "./command-serve.ts";
import { registerStartCommands } from "./command-start.ts";
import { registerStatusCommands } from "./command-status.ts";
import { registerTraceCommands } from "./command-trace.ts";
import { registerValidateCommand } from "./command-validate.ts";
import { EXIT_DONE, EXIT_WRONG_USAGE, exitCodeOf, formatFailure } from "./failure.ts";
import { cleanText } from "./terminal-text.ts";
import { readVersion } from "./version.ts";

/**
 * The command `dora`. What is imported here only names the commands and their flags; each action
 * loads what it needs, so that no command waits for another's libraries.
 */
function createProgram(): Command {
  const program = new Command("dora")
    .description("Observability-first log service and dataflow system.")
    .version(readVersion(), "-V, --version", "print the version")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(cleanText(text.replace(/^error: /, ""))),
    });
  registerServeCommand(program);
  registerLogsCommands(program);
  registerTraceCommands(program);
  registerExportCommand(program);
  registerCanaryCommand(program);
  registerConfigCommands(program);
  registerInitCommand(program);
  registerNewCommand(program);
  registerDoctorCommand(program);
  registerValidateCommand(program);
  registerGraphCommand(program);
  registerProcessCommands(program);
  registerStartCommands(program);
  registerProfileCommands(program);
  registerStatusCommands(program);
  registerChangeCommands(program);
  registerNodeCommands(program);
  registerBenchCommand(program);
  return program;
}

/** Runs one command line. What failed is on standard error, and in the code this resolves to. */
async function run(argv: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
    return EXIT_DONE;
  } catch (error) {
    if (error instanceof CommanderError) return endOfParsing(error);
    process.stderr.write(formatFailure(error));
    return exitCodeOf(error);
  }
}

/** Commander has printed what there is to say: the help that was asked for, or what is wrong. */
function endOfParsing(error: CommanderError): number {
  if (error.exitCode === 0) return EXIT_DONE;
  if (error.code !== "commander.help") process.stderr.write("hint: run `dora --help`\n");
  return EXIT_WRONG_USAGE;
}

// Halves the time to start: compiled code is kept in the system's temporary folder between runs.
enableCompileCache();

// A command may have set a code of its own, such as for an answer that is partial.
const code = await run(process.argv);
if (code !== EXIT_DONE) process.exitCode = code;
