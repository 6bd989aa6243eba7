const LEAVE_MS = 100;

/**
 * Ends the process even where a library still waits, with the exit code that is set by then: the
 * OpenTelemetry SDK's retries cannot be called off, and hold a process for 10 s.
 */
export function leaveSoon(): void {
  setTimeout(() => process.exit(), LEAVE_MS).unref();
}
