import { documentText } from "./document-text.ts";
import { Output } from "./output.ts";
import { chosenProfile, loadProfile, loadProfiles, PROFILES_FILE } from "./profile.ts";
import { renderTable } from "./render-table.ts";

export type ProfileOutput = "table" | "json" | "yaml";

/** `dora profile list`. Errors: those of `loadProfiles`. */
export async function listProfiles(format: ProfileOutput): Promise<void> {
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const profiles = await loadProfiles(notes);
  if (format !== "table") return writeDocument(output, profiles, format);
  if (profiles.length === 0) {
    await notes.writeLine(
      `no profiles: ${PROFILES_FILE} is not here, or has none; see docs/profiles.md`,
    );
    return;
  }
  const usual = chosenProfile(undefined);
  await output.writeLines(
    renderTable(
      profiles.map(({ profile, file, name, environment }) => ({
        Profile: profile === usual ? `${profile} (DORA_PROFILE)` : profile,
        File: file ?? null,
        Name: name ?? null,
        Variables: Object.keys(environment).length,
      })),
    ),
  );
}

/** `dora profile show NAME`. Errors: those of `loadProfile`. */
export async function showProfile(name: string, format: ProfileOutput): Promise<void> {
  const profile = await loadProfile(name, new Output(process.stderr));
  await writeDocument(new Output(process.stdout), profile, format === "json" ? "json" : "yaml");
}

async function writeDocument(
  output: Output,
  value: object,
  format: "json" | "yaml",
): Promise<void> {
  await output.writeDocument(Buffer.from(documentText(format, value)));
  if (output.failure !== undefined) throw output.failure;
}
