import type { NodeEnd } from "../protocol/status.ts";
import { exitWords } from "./exit-words.ts";
import { findMissingDependency } from "./missing-dependency.ts";
import type { ProcessEnd } from "./node-process.ts";

export interface NodeEndParts {
  readonly processEnd: ProcessEnd;
  /** Why the daemon ended it, where it did. */
  readonly reason: string | undefined;
  readonly lastStderr: readonly string[];
  readonly atUnixMs: number;
}

/** How a process ended, in words; where its output tells what it lacked, with that and what brings it. */
export function nodeEnd({ processEnd, reason, lastStderr, atUnixMs }: NodeEndParts): NodeEnd {
  const { exitCode, signal, startError } = processEnd;
  const words =
    startError === undefined ? exitWords(exitCode, signal) : `cannot be started: ${startError}`;
  const message = reason ?? `${words}${exitCode === 0 ? "" : lackWords(lastStderr)}`;
  return { exitCode, signal, message, lastStderr, atUnixMs };
}

function lackWords(lines: readonly string[]): string {
  const missing = findMissingDependency(lines.join("\n"));
  if (missing === undefined) return "";
  const advice = missing.command === "" ? "" : `, run \`${missing.command}\``;
  return `: Missing dependency \`${missing.name}\`${advice}`;
}
