/** A programmer's mistake: never caught, ends the process. */
export function assert(condition: boolean, message: string): asserts condition {
  if (condition) return;
  const error = new Error(`assertion failed: ${message}`);
  error.name = "AssertionError";
  throw error;
}
