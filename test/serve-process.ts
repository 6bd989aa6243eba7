/**
 * `dora serve` as a real child process, for end-to-end, fault and parts tests and for the benchmarks.
 *
 * Example:
 *     const service = await startServe({ dataDirectory });
 *     await fetch(`${service.otlpHttp}/v1/logs`, ...);
 *     service.kill("SIGKILL");
 *     await service.exit;
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface ServeProcess {
  readonly pid: number;
  /** `HOST:PORT` */
  readonly otlpGrpc: string;
  /** `http://HOST:PORT`, or `https://` where the service says so. */
  readonly otlpHttp: string;
  readonly api: string;
  readonly dataDirectory: string;
  /** The line by which the service said that it listens. */
  readonly firstLine: string;
  /** Settles when the process is gone; never rejects. */
  readonly exit: Promise<ServeExit>;
  /** All it wrote so far. */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL to one that stays. Safe to call twice. */
  close(): Promise<ServeExit>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServeExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServeOptions {
  readonly dataDirectory: string;
  /** Further arguments after the addresses. */
  readonly args?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  /** Arguments of node itself. */
  readonly nodeArgs?: readonly string[];
  /** A program and its arguments to run node under, such as one that sets a memory limit. It must
   * become node (`exec`), so that signals and the process id are node's. */
  readonly runUnder?: readonly string[];
  /** Listen here instead of on free ports, for a service that comes back at its address. */
  readonly addresses?: {
    readonly otlpGrpc: string;
    readonly otlpHttp: string;
    readonly api: string;
  };
}

/** The process ended before it said that it listens. */
export class ServeFailedError extends Error {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: ServeExit;

  constructor(exit: ServeExit, output: { readonly stdout: string; readonly stderr: string }) {
    super(`dora serve ended (${exit.code ?? exit.signal}):\n${output.stdout}${output.stderr}`);
    this.name = "ServeFailedError";
    this.exit = exit;
    this.stdout = output.stdout;
    this.stderr = output.stderr;
  }
}

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const START_TIMEOUT_MS = 60_000;
const CLOSE_TIMEOUT_MS = 10_000;
const FREE_PORT = "127.0.0.1:0";
const LISTENS =
  /^dora listens: OTLP\/gRPC (?<grpc>\S+), OTLP\/HTTP (?<http>\S+), query API (?<api>\S+), data in (?<data>.+)$/m;

/** Children that still run: none may outlive the test process. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts `dora serve` and waits until it listens. Errors: `ServeFailedError` where it ends before. */
export async function startServe(options: ServeOptions): Promise<ServeProcess> {
  const addresses = options.addresses ?? {
    otlpGrpc: FREE_PORT,
    otlpHttp: FREE_PORT,
    api: FREE_PORT,
  };
  const [program = process.execPath, ...programArgs] = [
    ...(options.runUnder ?? []),
    process.execPath,
    ...(options.nodeArgs ?? []),
    MAIN,
    "serve",
    "--data-dir",
    options.dataDirectory,
    "--otlp-grpc",
    addresses.otlpGrpc,
    "--otlp-http",
    addresses.otlpHttp,
    "--api",
    addresses.api,
    ...(options.args ?? []),
  ];
  const child = spawn(program, programArgs, {
    env: { ...process.env, NO_COLOR: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  const exit = new Promise<ServeExit>((resolve) => {
    child.once("error", (error) => {
      stderr += `cannot start ${program}: ${error.message}\n`;
      running.delete(child);
      resolve({ code: null, signal: null });
    });
    child.once("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const listens = new Promise<RegExpExecArray>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const found = LISTENS.exec(stdout);
      if (found !== null) resolve(found);
    });
  });
  const startTimer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
  const found = await Promise.race([listens, exit.then(() => undefined)]);
  clearTimeout(startTimer);
  if (found === undefined) {
    throw new ServeFailedError(await exit, { stdout, stderr });
  }
  const { grpc = "", http = "", api = "", data = "" } = found.groups ?? {};
  const close = async (): Promise<ServeExit> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), CLOSE_TIMEOUT_MS);
    const ended = await exit;
    clearTimeout(timer);
    return ended;
  };
  return {
    pid: child.pid ?? -1,
    otlpGrpc: grpc.replace(/^https?:\/\//, ""),
    otlpHttp: http.includes("://") ? http : `http://${http}`,
    api,
    dataDirectory: data,
    firstLine: found[0],
    exit,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
    close,
    [Symbol.asyncDispose]: async () => void (await close()),
  };
}
