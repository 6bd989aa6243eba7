import { type Command, Option } from "commander";
import type { ProfileOutput } from "./show-profiles.ts";

/** Adds `dora profile list` and `dora profile show`, loaded when they run. */
export function registerProfileCommands(program: Command): void {
  const profile = program
    .command("profile")
    .description("profiles of this folder, for `dora run --profile NAME`: docs/profiles.md");
  profile
    .command("list")
    .description("all of them")
    .addOption(outputOption("table", "json", "yaml"))
    .action(async ({ output }: { readonly output: ProfileOutput }) => {
      const { listProfiles } = await import("./show-profiles.ts");
      await listProfiles(output);
    });
  profile
    .command("show")
    .description("one of them, as it is understood")
    .argument("<name>", "the profile")
    .addOption(outputOption("yaml", "json"))
    .action(async (name: string, { output }: { readonly output: ProfileOutput }) => {
      const { showProfile } = await import("./show-profiles.ts");
      await showProfile(name, output);
    });
}

function outputOption(first: ProfileOutput, ...others: readonly ProfileOutput[]): Option {
  return new Option("--output <format>", "form of the answer")
    .choices([first, ...others])
    .default(first);
}
