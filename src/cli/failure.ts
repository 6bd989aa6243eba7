import { AppError, ERRORS } from "../core/errors.ts";
import { cleanText } from "./terminal-text.ts";

/** How every command of dora ends. */
export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_WRONG_USAGE = 2;
/** Ctrl-C ended it before it was done. */
export const EXIT_INTERRUPTED = 130;

/** What the user is told of an error: its message, then `hint:` with the next step (SEC-009). */
export function formatFailure(error: unknown): string {
  if (error instanceof AppError) return cleanText(`${error.message}\nhint: ${error.hint}\n`);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return cleanText(`${text}\nhint: ${ERRORS.INTERNAL.hint}\n`);
}

export function exitCodeOf(error: unknown): number {
  return error instanceof AppError && error.code === "USAGE" ? EXIT_WRONG_USAGE : EXIT_FAILED;
}
