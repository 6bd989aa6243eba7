/** Runs a broker of scripts/parts on a free port, which it keeps when it is stopped and started again. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { freePort } from "./part-process.ts";

const READY_TIMEOUT_MS = 20_000;

export interface Broker {
  readonly port: number;
  start(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** `argsOf` gives the arguments that make it listen at a port of 127.0.0.1. */
export async function startBroker(
  program: string,
  argsOf: (port: number) => readonly string[],
): Promise<Broker> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  let output = "";
  const start = async (): Promise<void> => {
    const started = spawn(program, argsOf(port), { stdio: ["ignore", "pipe", "pipe"] });
    child = started;
    started.stdout.on("data", (text: Buffer) => (output += text.toString()));
    started.stderr.on("data", (text: Buffer) => (output += text.toString()));
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await isListening(port))) {
      const isLate = performance.now() > deadlineMs || started.exitCode !== null;
      if (isLate) throw new Error(`${program} does not listen: ${output}`);
    }
  };
  await start();
  return {
    port,
    start,
    stop: async (signal = "SIGKILL") => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = net.connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return false;
  } finally {
    socket.destroy();
  }
}
