/**
 * Every operational failure, told apart by code. `httpStatus` is what the query API answers;
 * `hint` is the next step that the command line prints. docs/errors.md repeats this table and a
 * test keeps the two equal.
 */
export const ERRORS = {
  ADDRESS_IN_USE: {
    httpStatus: 500,
    hint: "stop what listens there, or give another address with --otlp-grpc, --otlp-http or --api",
  },
  BENCH_FAILED: {
    httpStatus: 500,
    hint: "see docs/cli.md for what the benchmark runs, and `dora doctor` for this machine",
  },
  CANARY_FAILED: { httpStatus: 500, hint: "see docs/cli.md for what the canary looks at" },
  CONFIG_INVALID: {
    httpStatus: 500,
    hint: "run `dora config validate --config FILE`, and see docs/config.md",
  },
  CONTENT_TYPE_UNSUPPORTED: { httpStatus: 415, hint: "send JSON: content-type: application/json" },
  COORDINATOR_UNREACHABLE: {
    httpStatus: 502,
    hint: "make sure a coordinator is running and accessible at the specified endpoint",
  },
  CURSOR_INVALID: {
    httpStatus: 400,
    hint: "give the cursor of an answer of this same search, or leave it out",
  },
  DAEMON_UNREACHABLE: {
    httpStatus: 502,
    hint: "start it with `dora up`, and start the node by `dora start`; one that is started by hand needs `path: dynamic`",
  },
  DATAFLOW_AMBIGUOUS: {
    httpStatus: 409,
    hint: "give the name or the id of one of them; `dora list` shows all",
  },
  DATAFLOW_INVALID: {
    httpStatus: 400,
    hint: "correct the dataflow file; `dora validate FILE` shows all its problems",
  },
  DATAFLOW_STATE: {
    httpStatus: 409,
    hint: "see what runs with `dora status`",
  },
  FILE_EXISTS: {
    httpStatus: 409,
    hint: "give another folder or name, or --force to overwrite what is there",
  },
  FILE_UNREADABLE: {
    httpStatus: 500,
    hint: "check the file's name and permissions",
  },
  FOLDER_UNSAFE: {
    httpStatus: 500,
    hint: "remove the folder, or set XDG_RUNTIME_DIR to one that only this user can enter",
  },
  FORMAT_MISMATCH: {
    httpStatus: 400,
    hint: "send values of one type on an output, or declare another `schema` for it in the dataflow file",
  },
  INTERNAL: {
    httpStatus: 500,
    hint: "this is a fault of dora: please report it with the lines above",
  },
  LINK_REFUSED: {
    httpStatus: 502,
    hint: "check that the receiving node runs, has this input, and was told the same token",
  },
  LINK_UNREACHABLE: {
    httpStatus: 502,
    hint: "check that the receiving node, or the broker, runs at this endpoint",
  },
  LISTEN_FAILED: {
    httpStatus: 500,
    hint: "give an address of this machine, such as 127.0.0.1:4318",
  },
  LISTEN_UNSAFE: {
    httpStatus: 500,
    hint: "add a token and TLS, or --insecure-listen if everyone who reaches the address may read and write",
  },
  MESSAGE_TOO_LARGE: {
    httpStatus: 413,
    hint: "send it in pieces, or by a transport that carries more: docs/transports.md",
  },
  METADATA_INVALID: {
    httpStatus: 400,
    hint: "give true, false, numbers, texts or lists of these; put the rest into the message's value",
  },
  NODE_CLOSED: {
    httpStatus: 409,
    hint: "send before the node is closed, and leave the loop at the event `stop`",
  },
  NODE_PROTOCOL: {
    httpStatus: 500,
    hint: "use node libraries of the version of this daemon, and see docs/node-protocol.md",
  },
  NODE_REFUSED: {
    httpStatus: 409,
    hint: "start nodes by `dora start`; one that is started by hand needs `path: dynamic`",
  },
  NOT_FOUND: {
    httpStatus: 404,
    hint: "check the id, and that the record is younger than the retention",
  },
  ORIGIN_REFUSED: {
    httpStatus: 403,
    hint: "connect from a page that this service serves, or from a program that sends no Origin",
  },
  OUTPUT_FAILED: { httpStatus: 500, hint: "check the output file's folder and the free space" },
  OUTPUT_UNKNOWN: {
    httpStatus: 404,
    hint: "add it to the node's `outputs` in the dataflow file",
  },
  PROFILE_INVALID: {
    httpStatus: 400,
    hint: "correct what is marked above; docs/profiles.md has every key",
  },
  QUERY_SYNTAX: { httpStatus: 400, hint: "see docs/query-language.md" },
  QUERY_TOO_LARGE: { httpStatus: 400, hint: "ask for fewer groups, or a narrower time range" },
  QUERY_TOO_MANY: {
    httpStatus: 429,
    hint: "wait for a running query to end, or close it, then ask again",
  },
  REQUEST_INVALID: { httpStatus: 400, hint: "see docs/http-api.md for the parameters" },
  REQUEST_TOO_LARGE: { httpStatus: 413, hint: "shorten the query" },
  SERVICE_REFUSED: {
    httpStatus: 502,
    hint: "check the token (DORA_TOKEN_FILE) and the service's log",
  },
  SERVICE_UNREACHABLE: {
    httpStatus: 502,
    hint: "start it with `dora serve`, or read a store's folder with --data-dir DIR",
  },
  START_FAILED: {
    httpStatus: 500,
    hint: "see the end of its log, which the message names, and start it in the foreground",
  },
  STATE_UNWRITABLE: {
    httpStatus: 500,
    hint: "check the folder's permissions and the free space, or set DORA_STATE_DIR",
  },
  STORE_CLOSED: { httpStatus: 503, hint: "the service is stopping; send again" },
  STORE_CORRUPT: {
    httpStatus: 500,
    hint: "the damaged file was set aside; restore it from a copy, or go on without it",
  },
  STORE_FORMAT_UNKNOWN: {
    httpStatus: 500,
    hint: "open it with the version of dora that wrote it; nothing was changed",
  },
  STORE_IN_USE: { httpStatus: 500, hint: "query the running service instead, or stop it first" },
  STORE_UNWRITABLE: { httpStatus: 503, hint: "check the folder's permissions and the free space" },
  TIME_SYNTAX: { httpStatus: 400, hint: "for example --since -15m --until now" },
  UNAUTHENTICATED: {
    httpStatus: 401,
    hint: "set DORA_TOKEN_FILE to the file that holds the service's token",
  },
  USAGE: { httpStatus: 400, hint: "run the command with --help" },
  VALUE_UNSUPPORTED: {
    httpStatus: 400,
    hint: "send a Uint8Array, a typed array, an Arrow vector or table, or nothing: docs/node-api.md",
  },
} as const satisfies Readonly<
  Record<string, { readonly httpStatus: number; readonly hint: string }>
>;

export type ErrorCode = keyof typeof ERRORS;

/** An operational failure. The message says where, what was found and what to do. */
export class AppError extends Error {
  readonly code: ErrorCode;
  /** Where it went wrong in a text the user gave: offset in UTF-16 units. */
  readonly position: number | undefined;
  readonly #hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly position?: number; readonly hint?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.position = options.position;
    this.#hint = options.hint;
  }

  get hint(): string {
    return this.#hint ?? ERRORS[this.code].hint;
  }
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
