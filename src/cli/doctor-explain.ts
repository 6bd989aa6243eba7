import { AppError } from "../core/errors.ts";
import { findMissingDependency } from "../runtime/daemon/missing-dependency.ts";

/** What an error message means, and what to do. */
export interface Explanation {
  readonly cause: string;
  readonly fix: string;
}

interface Entry extends Explanation {
  readonly pattern: RegExp;
}

/** Of a text that is looked through. */
const TEXT_LENGTH_MAX = 10_000;

/** The first that matches counts: what is particular stands before what is general. */
const ENTRIES: readonly Entry[] = [
  {
    pattern:
      /no coordinators? (?:found|at )|Could not connect to: .*53290|COORDINATOR_UNREACHABLE/i,
    cause: "no coordinator runs at the address that was asked",
    fix: "start it with `dora up`; one elsewhere is named by --coordinator URL or DORA_COORDINATOR",
  },
  {
    pattern: /no daemon|DAEMON_UNREACHABLE|DORA_DAEMON_SOCKET|daemon\.sock/i,
    cause:
      "the node's or the coordinator's daemon does not run, or the program was not started by one",
    fix: "start it with `dora up`, and the node by `dora start`; one that is started by hand needs `path: dynamic`",
  },
  {
    pattern: /EADDRINUSE|address (?:is )?already in use|port \d+ is taken/i,
    cause: "another program listens on the port",
    fix: "`dora doctor` names it: stop it, or give another address (DORA_API, DORA_OTLP_GRPC, DORA_OTLP_HTTP, DORA_COORDINATOR)",
  },
  {
    pattern: /(?:6379|redis).*(?:ECONNREFUSED|refused)|(?:ECONNREFUSED|refused).*6379/i,
    cause: "no Redis server answers",
    fix: "start `redis-server`, or correct the `endpoint` of the link's transport",
  },
  {
    pattern: /(?:1883|mqtt).*(?:ECONNREFUSED|refused)|(?:ECONNREFUSED|refused).*1883/i,
    cause: "no MQTT broker answers",
    fix: "start `mosquitto`, or correct the `endpoint` of the link's transport",
  },
  {
    pattern: /ECONNREFUSED|connection refused/i,
    cause: "nothing listens at the address",
    fix: "start what should; `dora doctor` says which of dora's processes answer",
  },
  {
    pattern: /EMFILE|ENFILE|too many open files/i,
    cause: "the limit of open files is reached",
    fix: "raise it (`ulimit -n 65536`, or LimitNOFILE= of a service), then `dora down` and `dora up`",
  },
  {
    pattern: /\/dev\/shm|SIGBUS|exit code 135/i,
    cause: "the shared memory is full, which large messages go through",
    fix: "give it more: `docker run --shm-size=1g`, or `mount -o remount,size=1g /dev/shm`",
  },
  {
    pattern: /ENOSPC|no space left|disk (?:is )?full/i,
    cause: "the disk is full",
    fix: "free some, keep records for less long (`dora serve --retention`), or set DORA_DATA_DIR to another disk",
  },
  {
    pattern: /EDQUOT|quota exceeded/i,
    cause: "this user's share of the disk is used up",
    fix: "free some, or set DORA_DATA_DIR to a folder on another disk",
  },
  {
    pattern: /heap out of memory|ERR_WORKER_OUT_OF_MEMORY|exit code 134/i,
    cause: "a Node.js program used up its heap",
    fix: "give it more by `env: { NODE_OPTIONS: --max-old-space-size=4096 }`, or keep fewer messages (`queue_size`)",
  },
  {
    pattern: /SIGKILL|OOM|out of memory|Cannot allocate memory|exit code 137/i,
    cause: "a process was killed, most often because the machine has no memory left",
    fix: "see `dmesg | grep -i kill`; need less (`queue_size`), or give the machine or container more",
  },
  {
    pattern: /already (?:has|owns) the store|STORE_IN_USE|folder is in use/i,
    cause: "another service has the store's folder open",
    fix: "ask that one, or give another folder with DORA_DATA_DIR",
  },
  {
    pattern: /not executable|exec format error/i,
    cause: "the node's program may not be run, or is of another kind of machine",
    fix: "`chmod +x` it, or build it here; see `build` in docs/dataflow-file.md",
  },
  {
    pattern: /EACCES|EPERM|permission denied/i,
    cause: "this user may not read or write the file, or listen on the port",
    fix: "correct its owner and mode; ports below 1024 need more rights",
  },
  {
    pattern: /there is no file .*correct `path`|ENOENT|no such file or directory/i,
    cause: "a file is not where it is looked for",
    fix: "paths of nodes count from the dataflow file's folder: correct `path`, or build it first",
  },
  {
    pattern: /Cannot use import statement outside a module|Unexpected token '?export/i,
    cause: "Node.js takes the file for CommonJS",
    fix: 'call it `.mjs`, or write `"type": "module"` into the package.json beside it',
  },
  {
    pattern: /ERR_UNKNOWN_FILE_EXTENSION|ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX/i,
    cause: "this Node.js does not run that TypeScript as it is",
    fix: "use Node.js 22.18 or later, and no enums, namespaces or parameter properties; or compile it in `build`",
  },
  {
    pattern: /FORMAT_MISMATCH|schema of output/i,
    cause: "an output sends values of another type than it began with, or than its `schema` says",
    fix: "send values of one type on an output, or declare another `schema` for it in the dataflow file",
  },
  {
    pattern: /is not valid: \d+ problems?|unknown key `/i,
    cause: "the dataflow file has a fault",
    fix: "`dora validate FILE` shows every problem with its line",
  },
  {
    pattern: /UNAUTHENTICATED|\b401\b|asks for a token/i,
    cause: "the service asks for a token",
    fix: "set DORA_TOKEN_FILE to the file that holds it",
  },
  {
    pattern: /certificate|SELF_SIGNED|UNABLE_TO_VERIFY/i,
    cause: "the other side's certificate is not trusted",
    fix: "give its authority by `ca:` of the transport, or NODE_EXTRA_CA_CERTS",
  },
  {
    pattern: /ETIMEDOUT|timed? ?out/i,
    cause: "the other side did not answer in time",
    fix: "see whether it runs and how busy it is: `dora status`, `dora doctor`",
  },
  {
    pattern: /ENOTFOUND|EAI_AGAIN|getaddrinfo/i,
    cause: "the host's name is not known here",
    fix: "correct it, or the machine's name service",
  },
];

/**
 * What an error message means: of a missing package or program the command that brings it, else the first entry
 * of the table that matches. Pure.
 *
 * Limits: the first `TEXT_LENGTH_MAX` characters.
 * Errors: `NOT_FOUND`
 */
export function explain(given: string): Explanation {
  const text = given.slice(0, TEXT_LENGTH_MAX);
  const missing = findMissingDependency(text);
  if (missing !== undefined) {
    const { name, command } = missing;
    const fix = command === "" ? "correct its name, or add it" : `install it: \`${command}\``;
    return { cause: `\`${name}\` is missing`, fix };
  }
  const entry = ENTRIES.find(({ pattern }) => pattern.test(text));
  if (entry !== undefined) return { cause: entry.cause, fix: entry.fix };
  throw new AppError("NOT_FOUND", "no explanation is known for this text", {
    hint: "give the line that names the error; `dora doctor` looks at the machine, docs/errors.md has all codes",
  });
}
