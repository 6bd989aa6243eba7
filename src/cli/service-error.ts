import type { ErrorCode } from "../core/errors.ts";
import { AppError, ERRORS } from "../core/errors.ts";

/** An error's body at the most; ours are far shorter, and what answers may not be a service of ours. */
const ERROR_BYTES_MAX = 64 * 1024;

/** The error that a response with a status of 400 and above stands for. */
export async function readRefusal(response: Response, name: string): Promise<AppError> {
  const text = await readStart(response);
  const fallback = new AppError(
    "SERVICE_REFUSED",
    `${name} answered ${response.status} ${response.statusText}`.trimEnd(),
  );
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return fallback;
  }
  return toAppError(answer) ?? fallback;
}

/** Reads `{ "error": { "code", "message", "hint"?, "position"? } }`, as routes and frames have it. */
export function toAppError(answer: unknown): AppError | undefined {
  if (!isObject(answer) || !isObject(answer["error"])) return undefined;
  const { code, message, hint, position } = answer["error"];
  if (typeof message !== "string") return undefined;
  const options = {
    ...(typeof hint === "string" ? { hint } : {}),
    ...(typeof position === "number" ? { position } : {}),
  };
  return new AppError(isErrorCode(code) ? code : "SERVICE_REFUSED", message, options);
}

async function readStart(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  if (response.body === null) return text;
  const chunks: AsyncIterable<Uint8Array> = response.body;
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > ERROR_BYTES_MAX) break;
  }
  return text;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(ERRORS, code);
}
