import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

/** What the system tells of a process. */
export interface ProcessReading {
  /** Tells this process from a later one with the same id; to be compared, not understood. */
  readonly startedAt: string;
  /** Processor time so far. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

/** `sysconf(_SC_CLK_TCK)`: the same on all Linux machines of our time. */
const TICKS_PER_SECOND = 100;

const run = promisify(execFile);

/**
 * Reads processes: from `/proc` on Linux, else by one call of `ps` for all of them. Those that are
 * gone are left out.
 */
export async function readProcesses(
  pids: readonly number[],
): Promise<ReadonlyMap<number, ProcessReading>> {
  if (pids.length === 0) return new Map();
  if (process.platform !== "linux") return readByPs(pids);
  const readings = new Map<number, ProcessReading>();
  for (const pid of pids) {
    const reading = readProcFolder(pid);
    if (reading !== undefined) readings.set(pid, reading);
  }
  return readings;
}

function readProcFolder(pid: number): ProcessReading | undefined {
  let text: string;
  try {
    // Synchronous: the kernel answers from memory, in some 10 us.
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  return parseStat(text, pageBytes());
}

/**
 * A line of `/proc/PID/stat`; undefined where it is none, or the process is dead and not yet
 * collected. The program's name stands in parentheses and may hold any character.
 *
 * Source: proc_pid_stat(5): fields 3 state, 14 utime, 15 stime, 22 starttime, 24 rss.
 */
export function parseStat(text: string, bytesPerPage: number): ProcessReading | undefined {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): string => fields[number - 3] ?? "";
  const cpuTicks = Number(field(14)) + Number(field(15));
  const startedAt = field(22);
  if (startedAt === "" || !Number.isFinite(cpuTicks) || field(3) === "Z") return undefined;
  return {
    startedAt,
    cpuSeconds: cpuTicks / TICKS_PER_SECOND,
    memoryBytes: Number(field(24)) * bytesPerPage,
  };
}

let knownPageBytes: number | undefined;

/** Node does not tell the size of a page: it is what makes its own pages its own bytes. */
function pageBytes(): number {
  if (knownPageBytes === undefined) {
    const pages = Number(readFileSync("/proc/self/statm", "latin1").split(" ")[1]);
    const ratio = process.memoryUsage.rss() / pages;
    knownPageBytes = 2 ** Math.round(Math.log2(ratio));
  }
  return knownPageBytes;
}

async function readByPs(pids: readonly number[]): Promise<ReadonlyMap<number, ProcessReading>> {
  try {
    const list = pids.join(",");
    const args = ["-o", "pid=,rss=,time=,lstart=", "-p", list];
    const { stdout } = await run("ps", args, { env: { ...process.env, LC_ALL: "C" } });
    return parsePs(stdout);
  } catch {
    // `ps` exits 1 where none of the processes is there.
    return new Map();
  }
}

const PS_LINE = /^\s*(\d+)\s+(\d+)\s+(?:(\d+)-)?(?:(\d+):)?(\d+):([\d.]+)\s+(\S.*?)\s*$/;

/** Lines of `ps -o pid=,rss=,time=,lstart=`: rss in KiB, time as `[[DD-]HH:]MM:SS[.ss]`. */
export function parsePs(text: string): ReadonlyMap<number, ProcessReading> {
  const readings = new Map<number, ProcessReading>();
  for (const line of text.split("\n")) {
    const [, pid, rss, days, hours, minutes, seconds, startedAt] = PS_LINE.exec(line) ?? [];
    if (startedAt === undefined) continue;
    const wholeMinutes = (Number(days ?? 0) * 24 + Number(hours ?? 0)) * 60 + Number(minutes);
    readings.set(Number(pid), {
      startedAt,
      cpuSeconds: wholeMinutes * 60 + Number(seconds),
      memoryBytes: Number(rss) * 1024,
    });
  }
  return readings;
}

/** Whether a process group has a member. Signals none. */
export function hasGroup(group: number): boolean {
  return signalGroup(group, 0);
}

/** Sends a signal to a process group; false where nobody is in it. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}
