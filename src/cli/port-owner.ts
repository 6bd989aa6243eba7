import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
/** `TCP_LISTEN` of the kernel, in the column `st`. */
const LISTENING = "0A";

/**
 * The program that listens on a TCP port, as `python3 (pid 4711)`; undefined where none does, or the
 * system does not tell, as of another user's programs.
 *
 * Source: proc_pid_net(5); `lsof` elsewhere than on Linux.
 */
export async function findPortOwner(port: number): Promise<string | undefined> {
  try {
    return process.platform === "linux" ? ownerFromProc(port) : await ownerFromLsof(port);
  } catch {
    return undefined;
  }
}

function ownerFromProc(port: number): string | undefined {
  const sockets = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((path) => listeningInodes(readText(path), port)),
  );
  if (sockets.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (socketsOf(pid).some((socket) => sockets.has(socket))) {
      return `${nameOf(pid)} (pid ${pid})`;
    }
  }
  return undefined;
}

/** Node.js calls its first thread, and so its process, `MainThread`. */
function nameOf(pid: string): string {
  const name = readText(`/proc/${pid}/comm`).trim();
  return name === "MainThread" ? basename(readLink(`/proc/${pid}/exe`)) || name : name;
}

/** Inodes of the sockets that listen on a port, of a table such as `/proc/net/tcp`. */
export function listeningInodes(table: string, port: number): readonly string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    return state === LISTENING && local.endsWith(suffix) ? [inode] : [];
  });
}

function socketsOf(pid: string): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    // Another user's, or gone.
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function ownerFromLsof(port: number): Promise<string | undefined> {
  const { stdout } = await run("lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"]);
  const pid = /^p(\d+)$/m.exec(stdout)?.[1];
  const name = /^c(.+)$/m.exec(stdout)?.[1];
  return pid === undefined ? undefined : `${name ?? "a program"} (pid ${pid})`;
}
