import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../core/errors.ts";
import { AppError, ERRORS, errorMessage } from "../core/errors.ts";
import type { Logger } from "../telemetry/logger.ts";

/** An error as the API answers it. */
export interface ErrorAnswer {
  readonly httpStatus: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: {
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string;
      /** Where in the query: offset in UTF-16 units. */
      readonly position?: number;
    };
  };
}

/** What a client must know besides the status. */
const HEADERS: Readonly<Partial<Record<ErrorCode, Readonly<Record<string, string>>>>> = {
  UNAUTHENTICATED: { "www-authenticate": "Bearer" },
  QUERY_TOO_MANY: { "retry-after": "1" },
  STORE_CLOSED: { "retry-after": "5" },
  STORE_UNWRITABLE: { "retry-after": "30" },
};

/** What the web framework refuses, by the status that it gives. */
const FRAMEWORK_CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [400, "REQUEST_INVALID"],
  [413, "REQUEST_TOO_LARGE"],
  [414, "REQUEST_TOO_LARGE"],
  [415, "CONTENT_TYPE_UNSUPPORTED"],
  [503, "STORE_CLOSED"],
]);

/** Answers a request for a WebSocket with an ordinary refusal, and closes its connection. */
export function refuseUpgrade(socket: Duplex, { httpStatus, headers, body }: ErrorAnswer): void {
  const bytes = Buffer.from(JSON.stringify(body));
  const lines = Object.entries({
    ...headers,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(bytes.length),
    "x-content-type-options": "nosniff",
    connection: "close",
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const status = `HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ""}\r\n`;
  socket.once("finish", () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${status}${lines.join("")}\r\n`), bytes]));
}

/** The answer for anything thrown. What is nobody's mistake but ours is logged, not told. */
export function answerError(error: unknown, log: Logger): ErrorAnswer {
  if (error instanceof AppError) {
    if (ERRORS[error.code].httpStatus >= 500) {
      log.error("a request failed", { code: error.code, error });
    }
    return toAnswer(error);
  }
  const code = FRAMEWORK_CODES.get(frameworkStatus(error));
  if (code !== undefined) return toAnswer(new AppError(code, errorMessage(error)));
  log.error("a request failed", { error });
  return toAnswer(new AppError("INTERNAL", "the request failed; the service's log says why"));
}

function toAnswer(error: AppError): ErrorAnswer {
  const { code, message, hint, position } = error;
  return {
    httpStatus: ERRORS[code].httpStatus,
    headers: HEADERS[code] ?? {},
    body: { error: { code, message, hint, ...(position === undefined ? {} : { position }) } },
  };
}

function frameworkStatus(error: unknown): number {
  const isRefusal = error instanceof Error && "statusCode" in error && "code" in error;
  if (!isRefusal || !String(error.code).startsWith("FST_")) return 500;
  return Number(error.statusCode);
}
