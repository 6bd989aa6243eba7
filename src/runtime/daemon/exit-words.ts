/** What a signal usually means, for those that a reader may not know. */
const SIGNALS: ReadonlyMap<string, string> = new Map([
  ["SIGSEGV", "it used memory that is not its own"],
  ["SIGBUS", "it used memory that is not there"],
  ["SIGABRT", "it gave up by itself"],
  ["SIGILL", "it ran an instruction that this processor does not have"],
  ["SIGFPE", "an arithmetic error"],
  ["SIGKILL", "by the system, often since memory ran out, or by hand"],
]);

/** How a process ended, in words: `exit code 1`, `killed by SIGSEGV (it used memory that is not its own)`. */
export function exitWords(exitCode: number | null, signal: string | null): string {
  if (signal !== null) {
    const meaning = SIGNALS.get(signal);
    return meaning === undefined ? `killed by ${signal}` : `killed by ${signal} (${meaning})`;
  }
  return `exit code ${exitCode ?? "unknown"}`;
}
