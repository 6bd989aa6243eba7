import { readFileSync } from "node:fs";
import { Command } from "commander";
import { expect, test } from "vitest";
import { registerBenchCommand } from "../../src/cli/command-bench.ts";
import { registerChangeCommands } from "../../src/cli/command-change.ts";
import { registerDoctorCommand } from "../../src/cli/command-doctor.ts";
import { registerExportCommand } from "../../src/cli/command-export.ts";
import { registerCanaryCommand } from "../../src/cli/command-canary.ts";
import { registerGraphCommand } from "../../src/cli/command-graph.ts";
import { registerInitCommand } from "../../src/cli/command-init.ts";
import { registerLogsCommands } from "../../src/cli/command-logs.ts";
import { registerNewCommand } from "../../src/cli/command-new.ts";
import { registerNodeCommands } from "../../src/cli/command-node.ts";
import { registerProcessCommands } from "../../src/cli/command-processes.ts";
import { registerProfileCommands } from "../../src/cli/command-profile.ts";
import { registerStartCommands } from "../../src/cli/command-start.ts";
import { registerStatusCommands } from "../../src/cli/command-status.ts";
import { registerTraceCommands } from "../../src/cli/command-trace.ts";
import { registerValidateCommand } from "../../src/cli/command-validate.ts";

const DOCS = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");

function commandsOf(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

test("docs/cli.md names every command and flag of its own, and no others", () => {
  const program = new Command("dora");
  registerLogsCommands(program);
  registerTraceCommands(program);
  registerCanaryCommand(program);
  registerExportCommand(program);
  registerValidateCommand(program);
  registerGraphCommand(program);
  registerProcessCommands(program);
  registerStartCommands(program);
  registerStatusCommands(program);
  registerChangeCommands(program);
  registerNodeCommands(program);
  registerInitCommand(program);
  registerNewCommand(program);
  registerProfileCommands(program);
  registerDoctorCommand(program);
  registerBenchCommand(program);
  const commands = program.commands.flatMap(commandsOf);
  const flags = new Set(commands.flatMap(({ options }) => options.map(({ long }) => long ?? "")));
  const documented = new Set(DOCS.match(/--[a-z][a-z-]+/g));
  expect([...documented].sort()).toEqual([...flags].sort());
  for (const name of ["query", "tail", "export"]) expect(DOCS).toContain(`\`dora logs ${name} [`);
  expect(DOCS).toContain("`dora trace show TRACE_ID`");
  expect(DOCS).toContain("`dora canary`");
  expect(DOCS).toContain("`dora bench latency` and `dora bench throughput`");
  expect(DOCS).toContain("`dora validate FILE`");
  expect(DOCS).toContain("`dora graph FILE`");
  expect(DOCS).toContain("`dora export [QUERY]`");
  for (const name of ["init [NAME]", "new NAME", "profile", "doctor [FILE]"]) {
    expect(DOCS).toContain(`\`dora ${name}\``);
  }
  for (const name of ["up", "down", "coordinator", "daemon", "list", "status [FLOW]"]) {
    expect(DOCS).toContain(`\`dora ${name}\``);
  }
  for (const name of ["start", "run", "build"]) expect(DOCS).toContain(`\`dora ${name} [FILE]\``);
  for (const name of ["stop", "pause", "resume", "restart", "reload"]) {
    expect(DOCS).toContain(`\`dora ${name} [FLOW] [NODE]\``);
  }
  for (const name of ["list", "info", "set", "connect", "disconnect", "restart", "stop"]) {
    expect(DOCS).toContain(`\`dora node ${name}`);
  }
});
