import { AppError } from "../core/errors.ts";
import type { AnswerEnd } from "./log-source.ts";

const NEWLINE = 0x0a;

/** One line of an answer at the most: a record of 4 MiB can be several times that as JSON. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Parts a streamed answer (JSON Lines, the last of them `{"end":{...}}`) into batches of whole
 * lines and its end.
 *
 * The end is known by its place, not by its text: a row may have a column named "end". So the
 * newest line is held back until another one follows it.
 *
 * Errors: `SERVICE_UNREACHABLE` where the stream ends without the end.
 */
export async function* splitAnswer(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, AnswerEnd> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    const lastNewline = chunk.lastIndexOf(NEWLINE);
    pending.push(chunk);
    pendingBytes += chunk.length;
    if (pendingBytes > LINE_BYTES_MAX && lastNewline < 0) {
      throw new AppError("SERVICE_REFUSED", `a line of the answer exceeds ${LINE_BYTES_MAX} bytes`);
    }
    if (lastNewline < 0) continue;
    const held = Buffer.concat(pending);
    // The line that ends in the last newline may be the end: all before it are entries.
    const newestEnd = held.lastIndexOf(NEWLINE);
    const before = newestEnd === 0 ? -1 : held.lastIndexOf(NEWLINE, newestEnd - 1);
    if (before >= 0) yield held.subarray(0, before + 1);
    pending = [held.subarray(before + 1)];
    pendingBytes = held.length - before - 1;
  }
  return readEnd(Buffer.concat(pending).toString("utf8"));
}

function readEnd(line: string): AnswerEnd {
  let last: unknown;
  try {
    last = JSON.parse(line);
  } catch (error) {
    throw cutOff(error);
  }
  const end = typeof last === "object" && last !== null && "end" in last ? last.end : undefined;
  if (typeof end !== "object" || end === null || !("status" in end)) throw cutOff(undefined);
  const reasons = "reasons" in end && Array.isArray(end.reasons) ? end.reasons : [];
  return {
    status: end.status === "complete" ? "complete" : "partial",
    reasons: reasons.filter((reason) => typeof reason === "string"),
  };
}

function cutOff(cause: unknown): AppError {
  return new AppError("SERVICE_UNREACHABLE", "the answer was broken off before its end", {
    cause,
    hint: "what was printed is not complete; ask again, and see the service's log",
  });
}
