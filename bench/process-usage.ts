/** What a process used, read from /proc: Linux only, as the benchmarks are. */
import { readdirSync, readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";

/** The kernel counts CPU time in ticks of 10 ms on every platform that Node supports. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of all threads of a process, user and system. */
export function cpuSeconds(pid: number): number {
  const fields = statFields(pid);
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** CPU seconds of all children of this process that ended: exact where `cpuSeconds` is too early. */
export function endedChildrenCpuSeconds(): number {
  const fields = statFields(process.pid);
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** Fields of /proc/PID/stat from the state on; the name before it may hold spaces. */
function statFields(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** The largest resident size so far, in bytes. */
export function peakResidentBytes(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) * 1024;
}

/** The resident size now, in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) * 1024;
}

/** Resident bytes of a process and of all that it started, now; pages that they share count for each. */
export function processTreeBytes(root: number): number {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (Number.isNaN(pid)) continue;
    try {
      parents.set(pid, Number(statFields(pid)[1]));
    } catch {
      // It ended between the listing and this.
    }
  }
  let bytes = 0;
  let generation = [root];
  while (generation.length > 0) {
    for (const pid of generation) {
      try {
        bytes += residentBytes(pid);
      } catch {
        // As above.
      }
    }
    const meant = new Set(generation);
    generation = [...parents].flatMap(([pid, parent]) => (meant.has(parent) ? [pid] : []));
  }
  return bytes;
}

/** Bytes of all files below a folder, by its entries. */
export async function folderBytes(directory: string): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const top = path.slice(directory.length + 1).split("/")[0] ?? "";
    // A file may go between the listing and this: a seal replaces some.
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    sizes.set(top, (sizes.get(top) ?? 0) + size);
  }
  return sizes;
}

/** One line that says what a measurement was made on. */
export function machineLine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? "unknown processor";
  const memoryGb = (totalmem() / 2 ** 30).toFixed(0);
  return `${processors.length} x ${model}, ${memoryGb} GB, Linux ${release()}, Node ${process.version}`;
}
