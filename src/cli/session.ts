import { EXIT_INTERRUPTED } from "./failure.ts";
import { Interruption } from "./interruption.ts";
import type { LogSource } from "./log-source.ts";
import type { LogsFlags } from "./logs-flags.ts";
import { openLogSource } from "./open-log-source.ts";
import { Output } from "./output.ts";

/** What a command that asks for records works with. */
export interface Session {
  readonly source: LogSource;
  /** Answers. */
  readonly output: Output;
  /** All else: what a reader of the answers must know, on standard error. */
  readonly notes: Output;
  /** Aborts at Ctrl-C, and when nobody reads the answers any more. */
  readonly signal: AbortSignal;
}

export interface SessionOptions {
  /** Ctrl-C is how it ends, as with `--follow`: no failure. */
  readonly isEndless: boolean;
}

/**
 * Opens the source, runs a command over it and closes it, also at Ctrl-C. Sets the exit code of an
 * interrupted command.
 */
export async function withSession(
  flags: LogsFlags,
  options: SessionOptions,
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const output = new Output(process.stdout);
  const notes = new Output(process.stderr);
  const interruption = new Interruption();
  const signal = AbortSignal.any([interruption.signal, output.closed]);
  let source: LogSource | undefined;
  try {
    const fallbacks: string[] = [];
    source = await openLogSource(
      {
        ...flags,
        environment: process.env,
        onFallback: (message) => void fallbacks.push(message),
      },
      signal,
    );
    for (const message of fallbacks) await note(notes, message);
    if (fallbacks.length === 0 && notes.look.isTerminal) await note(notes, `asking ${source.name}`);
    await run({ source, output, notes, signal });
  } catch (error) {
    // What fails behind an abort fails because of it.
    if (!signal.aborted) throw error;
  } finally {
    await source?.close();
    interruption.close();
  }
  if (output.failure !== undefined) throw output.failure;
  if (interruption.isRequested && !options.isEndless) process.exitCode = EXIT_INTERRUPTED;
}

/** One dim line on standard error. */
export async function note(notes: Output, text: string): Promise<void> {
  await notes.writeLine({ text, style: "dim" });
}

/** Says on standard error that an answer is not whole, and why. */
export async function warnPartial(notes: Output, reasons: readonly string[]): Promise<void> {
  const why = reasons.length === 0 ? "no reason was given" : reasons.join("; ");
  await notes.writeLine({ text: `warning: this answer is partial: ${why}`, style: "warning" });
}
