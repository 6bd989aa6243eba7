import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants, writeFileSync } from "node:fs";
import net from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../core/errors.ts";

const READY_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;

export type BrokerKind = "redis" | "mqtt";

/** A broker of our own, in memory and for this machine only, until it is closed. */
export interface Broker {
  readonly endpoint: string;
  close(): Promise<void>;
}

const PROGRAMS = {
  redis: { program: "redis-server", scheme: "redis" },
  mqtt: { program: "mosquitto", scheme: "mqtt" },
} as const;

/**
 * Starts a broker on a free port of 127.0.0.1; undefined where its program is not in PATH. Its
 * settings go into `folder`.
 *
 * Errors: `BENCH_FAILED` where it is there and does not listen.
 */
export async function startBroker(kind: BrokerKind, folder: string): Promise<Broker | undefined> {
  const { program, scheme } = PROGRAMS[kind];
  const path = findInPath(program);
  if (path === undefined) return undefined;
  const port = await freePort();
  const file = join(folder, `${program}.conf`);
  writeFileSync(file, settingsOf(kind, port).join("\n"));
  const args = kind === "redis" ? [file] : ["-c", file];
  const child = spawn(path, args, { stdio: "ignore", cwd: folder });
  const failed = once(child, "error").then(([error]: unknown[]) => error);
  try {
    await Promise.race([untilItListens(program, child, port), failed.then(rethrow)]);
  } catch (error) {
    await end(child);
    throw error;
  }
  return { endpoint: `${scheme}://127.0.0.1:${port}`, close: () => end(child) };
}

function settingsOf(kind: BrokerKind, port: number): readonly string[] {
  if (kind === "redis") {
    return [`port ${port}`, "bind 127.0.0.1", 'save ""', "appendonly no"];
  }
  // Without the limits: by default it drops what waits past 1,000 messages.
  const limits = ["max_queued_messages 0", "max_queued_bytes 0"];
  return [`listener ${port} 127.0.0.1`, "allow_anonymous true", "persistence false", ...limits];
}

async function untilItListens(program: string, child: ChildProcess, port: number): Promise<void> {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (!(await isListening(port))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      throw new AppError("BENCH_FAILED", `${program} does not listen on 127.0.0.1:${port}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

function rethrow(error: unknown): never {
  throw new AppError("BENCH_FAILED", "a broker cannot be started", { cause: error });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  // It holds nothing that is worth an orderly end.
  child.kill("SIGKILL");
  await exited;
}

function findInPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function isListening(port: number): Promise<boolean> {
  const socket = net.connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
