import { WebSocket } from "ws";
import { AppError, errorMessage } from "../core/errors.ts";
import type { FollowEvent } from "./log-source.ts";
import { toAppError } from "./service-error.ts";

/** Frames held for a slow terminal; the socket is paused there, and the service then counts. */
const FRAMES_HELD_MAX = 16;

/** One frame at the most; a service that sends more is not ours. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;

type Frame = { readonly kind: "message"; readonly text: string } | { readonly kind: "closed" };

/**
 * Reads live search from a service's WebSocket until it is aborted.
 *
 * Errors: what the service says in its refusal or its `error` frame; `SERVICE_UNREACHABLE` where
 *         the connection cannot be made or breaks.
 */
export async function* followService(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<FollowEvent, void> {
  if (signal.aborted) return;
  const socket = new WebSocket(url, {
    headers: { ...headers },
    followRedirects: false,
    maxPayload: FRAME_BYTES_MAX,
    perMessageDeflate: false,
  });
  const frames: Frame[] = [];
  let failure: Error | undefined;
  let wake = (): void => {};
  const push = (frame: Frame): void => {
    frames.push(frame);
    if (frames.length >= FRAMES_HELD_MAX) socket.pause();
    wake();
  };
  socket.on("message", (data: Buffer) => push({ kind: "message", text: data.toString("utf8") }));
  socket.on("error", (error) => (failure ??= error));
  socket.on("unexpected-response", (_, response) => {
    const parts: Buffer[] = [];
    response.on("data", (part: Buffer) => parts.push(part));
    response.on("close", () => {
      failure = refusal(Buffer.concat(parts).toString("utf8"), response.statusCode ?? 0);
      push({ kind: "closed" });
    });
  });
  socket.on("close", () => push({ kind: "closed" }));
  const onAbort = (): void => push({ kind: "closed" });
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    while (!signal.aborted) {
      const frame = frames.shift();
      if (frame === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      if (frame.kind === "closed") break;
      if (socket.isPaused) socket.resume();
      const event = readFrame(frame.text);
      if (event !== undefined) yield event;
    }
    if (signal.aborted) return;
    if (failure instanceof AppError) throw failure;
    const why = failure === undefined ? "" : `: ${errorMessage(failure)}`;
    throw new AppError(
      "SERVICE_UNREACHABLE",
      `the live search at ${url.origin.replace(/^ws/, "http")} ended${why}`,
      { cause: failure },
    );
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.terminate();
  }
}

function refusal(body: string, status: number): AppError {
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch {
    answer = undefined;
  }
  return (
    toAppError(answer) ??
    new AppError("SERVICE_REFUSED", `the service refused the live search with status ${status}`)
  );
}

/** Errors: what an `error` frame says. A type that this version does not know is passed over. */
function readFrame(text: string): FollowEvent | undefined {
  const frame: unknown = JSON.parse(text);
  if (typeof frame !== "object" || frame === null || !("type" in frame)) return undefined;
  if (frame.type === "entries" && "entries" in frame && Array.isArray(frame.entries)) {
    const lines = frame.entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    return { kind: "entries", lines: Buffer.from(lines) };
  }
  if (frame.type === "missed" && "count" in frame && typeof frame.count === "number") {
    return { kind: "missed", count: frame.count };
  }
  if (frame.type === "error") {
    const error = "error" in frame ? frame : { error: frame };
    throw toAppError(error) ?? new AppError("SERVICE_REFUSED", "the service ended the live search");
  }
  return undefined;
}
