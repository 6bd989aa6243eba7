/** CPU time and memory of a process that is measured from outside, finer than a tick: Linux only. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Usage } from "./contestant.ts";

/** Runs something that makes another process work, and says what that took. */
export async function measureFromOutside(pid: number, run: () => Promise<unknown>): Promise<Usage> {
  const before = threadCpuNs(pid);
  const startedMs = performance.now();
  await run();
  const wallMs = performance.now() - startedMs;
  let cpuNs = 0;
  for (const [thread, ns] of threadCpuNs(pid)) cpuNs += ns - (before.get(thread) ?? 0);
  return { wallMs, cpuMs: cpuNs / 1e6 };
}

/** From here on, the peak resident size is counted anew. */
export function resetPeakResident(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** By thread, as one that ends takes its time with it. */
function threadCpuNs(pid: number): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = readSchedule(`/proc/${pid}/task/${thread}/schedstat`);
    if (text !== undefined) times.set(thread, Number(text.split(" ")[0]));
  }
  return times;
}

/** Nothing where the thread ended since the folder was read. */
function readSchedule(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
