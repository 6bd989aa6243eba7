/** Profiles: what `dora start` and `dora run` take by one name, from `dora-profiles.yaml`. */
import { existsSync } from "node:fs";
import { AppError } from "../core/errors.ts";
import { didYouMean } from "../core/nearest-name.ts";
import type { Finding } from "../runtime/dataflow/finding.ts";
import { Findings } from "../runtime/dataflow/findings.ts";
import type { FileText } from "../runtime/dataflow/file-text.ts";
import { readFileText } from "../runtime/dataflow/file-text.ts";
import { reportShape } from "../runtime/dataflow/shape-problems.ts";
import { readDataflowText } from "./dataflow-file.ts";
import type { Output } from "./output.ts";
import type { ProfileContent } from "./profile-schema.ts";
import { ProfilesFile } from "./profile-schema.ts";
import { countFindings, renderFindings } from "./render-findings.ts";

/** In the folder in which a command is given; no other folder is looked into. */
export const PROFILES_FILE = "dora-profiles.yaml";

export interface Profile {
  readonly profile: string;
  /** The dataflow file, from here. */
  readonly file?: string;
  /** Of the dataflow. */
  readonly name?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly build?: boolean;
  readonly attach?: boolean;
  readonly coordinator?: string;
  readonly tokenFile?: string;
}

export type ProfilesResult =
  | { readonly status: "ok"; readonly profiles: readonly Profile[] }
  | { readonly status: "invalid"; readonly problems: readonly Finding[] };

/** Reads the text of a profiles file. Pure. */
export function parseProfiles(text: string): ProfilesResult {
  const read = readFileText(text);
  if (read.status === "broken") return { status: "invalid", problems: read.problems };
  const parsed = ProfilesFile.safeParse(read.file.value);
  if (!parsed.success) {
    const findings = new Findings(read.file);
    const checked = { value: read.file.value, path: [], schema: ProfilesFile };
    reportShape(parsed.error.issues, checked, findings);
    return { status: "invalid", problems: findings.problems };
  }
  const profiles = Object.entries(parsed.data.profiles).map(([name, content]) =>
    toProfile(name, content, read.file),
  );
  return { status: "ok", profiles };
}

function toProfile(profile: string, content: ProfileContent, text: FileText): Profile {
  const { file, name, build, attach, coordinator, token_file: tokenFile } = content;
  return {
    profile,
    ...(file === undefined ? {} : { file }),
    ...(name === undefined ? {} : { name }),
    environment: variablesOf(text, profile, content.environment ?? {}),
    ...(build === undefined ? {} : { build }),
    ...(attach === undefined ? {} : { attach }),
    ...(coordinator === undefined ? {} : { coordinator }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  };
}

/** Numbers and truth values as they are written: `1.10` stays so. */
function variablesOf(
  file: FileText,
  profile: string,
  variables: Readonly<Record<string, string | number | boolean>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      if (typeof value === "string") return [name, value];
      const source = file.sourceOf(["profiles", profile, "environment", name]);
      return [name, source ?? String(value)];
    }),
  );
}

/**
 * All profiles of this folder; none where there is no file. Problems are written to `notes`, as `dora validate` does.
 *
 * Errors: `FILE_UNREADABLE`; `PROFILE_INVALID` once all problems are written.
 */
export async function loadProfiles(notes: Output): Promise<readonly Profile[]> {
  if (!existsSync(PROFILES_FILE)) return [];
  const text = await readDataflowText(PROFILES_FILE);
  const result = parseProfiles(text);
  if (result.status === "ok") return result.profiles;
  const { problems } = result;
  const findings = { file: PROFILES_FILE, text, problems, warnings: [] };
  await notes.writeLines(renderFindings(findings));
  const message = `${PROFILES_FILE} is not valid: ${countFindings(problems.length, 0)}`;
  throw new AppError("PROFILE_INVALID", message);
}

/** Errors: those of `loadProfiles`; `NOT_FOUND`, with the names that there are. */
export async function loadProfile(name: string, notes: Output): Promise<Profile> {
  const profiles = await loadProfiles(notes);
  const found = profiles.find(({ profile }) => profile === name);
  if (found !== undefined) return found;
  const names = profiles.map(({ profile }) => profile);
  if (!existsSync(PROFILES_FILE)) {
    throw new AppError("NOT_FOUND", `no profile "${name}": there is no ${PROFILES_FILE} here`, {
      hint: "write one, or go to its folder: docs/profiles.md",
    });
  }
  throw new AppError("NOT_FOUND", `no profile "${name}"${didYouMean(name, names)}`, {
    hint: `${PROFILES_FILE} has ${names.length === 0 ? "none" : names.join(", ")}; \`dora profile list\` shows them`,
  });
}

/** `--profile`, else `DORA_PROFILE`; undefined where neither names one. */
export function chosenProfile(
  flag: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return flag ?? (environment["DORA_PROFILE"] || undefined);
}

/** The flags of a command that a profile may stand in for. */
export interface ProfiledFlags {
  readonly name?: string;
  readonly env?: readonly string[];
  readonly build: boolean;
  readonly coordinator?: string;
  readonly tokenFile?: string;
  readonly attach?: boolean;
  readonly detach?: boolean;
}

/**
 * A command line with a profile beneath it: what the command line says wins, and a variable of `--env` over the
 * profile's of that name. A profile wins over `DORA_COORDINATOR` and `DORA_TOKEN_FILE`.
 */
export function applyProfile<Flags extends ProfiledFlags>(
  profile: Profile,
  file: string | undefined,
  flags: Flags,
): { readonly file: string | undefined; readonly flags: Flags } {
  const variables = Object.entries(profile.environment).map(([name, value]) => `${name}=${value}`);
  const { name, coordinator, tokenFile, attach } = profile;
  return {
    file: file ?? profile.file,
    flags: {
      ...(name === undefined ? {} : { name }),
      ...(coordinator === undefined ? {} : { coordinator }),
      ...(tokenFile === undefined ? {} : { tokenFile }),
      ...(attach === undefined || flags.detach === true ? {} : { attach }),
      ...flags,
      build: flags.build && profile.build !== false,
      env: [...variables, ...(flags.env ?? [])],
    },
  };
}
