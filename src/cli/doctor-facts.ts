/** What `dora doctor` looks at, as it is; what to make of it is in `doctor-checks.ts`. */
import { execFile } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import { once } from "node:events";
import { promisify } from "node:util";
import type { Dataflow } from "../runtime/dataflow/dataflow.ts";
import { DEFAULT_ENDPOINTS } from "../runtime/node/node-transports.ts";
import type { PortFacts, SpaceFacts } from "./doctor-checks.ts";
import { findPortOwner } from "./port-owner.ts";

const run = promisify(execFile);
const ANSWER_TIMEOUT_MS = 3_000;
/** The first import of pyarrow takes its time. */
const PYTHON_TIMEOUT_MS = 20_000;
const PYTHON_LINE = `import platform; print(platform.python_version())
try:
    import pyarrow; print(pyarrow.__version__)
except ImportError: pass`;

/** Why a folder takes no files; of one that is not there, its nearest parent that is. */
export function folderProblem(folder: string): string | undefined {
  try {
    accessSync(nearestFolder(folder), constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch {
    return existsSync(folder) ? "may not be written" : "cannot be made";
  }
}

/** Free bytes where a folder is, or will be; undefined where the system does not tell. */
export function spaceAt(folder: string): SpaceFacts | undefined {
  try {
    const { bavail, bsize } = statfsSync(nearestFolder(folder));
    return { folder, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}

/** Undefined also where there is no such folder. */
export function spaceIfThere(folder: string): SpaceFacts | undefined {
  return existsSync(folder) ? spaceAt(folder) : undefined;
}

function nearestFolder(folder: string): string {
  let found = folder;
  while (!existsSync(found) && dirname(found) !== found) found = dirname(found);
  return found;
}

/** The limit of this process, and so of those that it starts. Linux alone tells. */
export function openFilesLimit(): number | undefined {
  try {
    return readFilesLimit(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return undefined;
  }
}

/** Of the text of `/proc/PID/limits`. */
export function readFilesLimit(text: string): number | undefined {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(text) ?? [];
  if (soft === undefined) return undefined;
  return soft === "unlimited" ? Infinity : Number(soft);
}

/** Whether an address is free, and if not, who has it; `isOurs` is told of the owner. */
export async function lookAtPort(
  of: Pick<PortFacts, "label" | "variable"> & { readonly host: string; readonly port: number },
  isOurs: (owner: string | undefined) => boolean,
): Promise<PortFacts> {
  const { label, variable, host, port } = of;
  if (await isFree(host, port)) return { label, variable, state: "free", owner: undefined };
  const owner = await findPortOwner(port);
  return { label, variable, state: isOurs(owner) ? "ours" : "taken", owner };
}

async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    return true;
  } catch (error) {
    // A port that may not be listened on for another reason is not taken.
    return !(error instanceof Error && "code" in error && error.code === "EADDRINUSE");
  } finally {
    server.close();
  }
}

/** The `python3` of PATH; undefined where there is none that runs. */
export async function lookAtPython() {
  try {
    const { stdout } = await run("python3", ["-c", PYTHON_LINE], { timeout: PYTHON_TIMEOUT_MS });
    const [version = "", pyarrow] = stdout.trim().split("\n");
    return version === "" ? undefined : { version, pyarrow };
  } catch {
    return undefined;
  }
}

export interface Broker {
  readonly kind: "redis" | "mqtt";
  /** Without credentials. */
  readonly place: string;
  readonly host: string;
  readonly port: number;
}

/** The brokers that a dataflow's links go through, each once. */
export function brokersOf({ nodes }: Dataflow): readonly Broker[] {
  const brokers = new Map<string, Broker>();
  for (const { source } of nodes.flatMap(({ inputs }) => inputs)) {
    if (source.kind !== "output") continue;
    const { kind, options } = source.transport;
    if (kind !== "redis" && kind !== "mqtt") continue;
    const { endpoint } = options;
    const url = new URL(typeof endpoint === "string" ? endpoint : DEFAULT_ENDPOINTS[kind]);
    const isTls = url.protocol === "rediss:" || url.protocol === "mqtts:";
    const usual = kind === "redis" ? 6379 : isTls ? 8883 : 1883;
    const port = Number(url.port || usual);
    const place = `${url.protocol}//${url.hostname}:${port}`;
    brokers.set(place, { kind, place, host: url.hostname.replace(/^\[|\]$/g, ""), port });
  }
  return [...brokers.values()];
}

/** Why nothing takes a connection there; undefined where something does. */
export async function connectionProblem(host: string, port: number): Promise<string | undefined> {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return undefined;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ECONNREFUSED") return "nothing listens there";
    return code === "ABORT_ERR" ? "no answer" : `cannot be reached (${String(code)})`;
  } finally {
    socket.destroy();
  }
}

/** Whether a dataflow has Python in it. */
export function needsPython({ nodes }: Dataflow): boolean {
  return nodes.some(({ source }) => {
    if (source.kind === "executable") return source.path.endsWith(".py");
    return (
      source.kind === "operators" && source.operators.some((one) => one.source.endsWith(".py"))
    );
  });
}

/** The clock of what answers at a URL, less ours; undefined where nothing does. */
export async function clockSkewMs(url: URL): Promise<number | undefined> {
  try {
    const beganMs = Date.now();
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const response = await fetch(url, { redirect: "error", signal });
    const middleMs = (beganMs + Date.now()) / 2;
    await response.body?.cancel();
    const date = Date.parse(response.headers.get("date") ?? "");
    // It was cut to the second.
    return Number.isNaN(date) ? undefined : date + 500 - middleMs;
  } catch {
    return undefined;
  }
}
