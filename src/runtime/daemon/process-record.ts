import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readProcesses, signalGroup } from "./process-table.ts";

const Recorded = z.array(
  z.object({ pid: z.number().int().min(2), startedAt: z.string(), node: z.string() }),
);
type RecordedProcess = z.infer<typeof Recorded>[number];

/**
 * The node processes that run, in a file, for a daemon that starts after one that was killed
 * together with its guard. A process is known by its id and its start, since ids are given again.
 */
export class ProcessRecord {
  readonly #path: string;
  readonly #running = new Map<number, RecordedProcess>();

  constructor(folder: string) {
    this.#path = join(folder, "processes.json");
  }

  /** Kills what an earlier daemon left behind. Shape: what was killed. */
  async reap(): Promise<readonly RecordedProcess[]> {
    const left = this.#read();
    const readings = await readProcesses(left.map(({ pid }) => pid));
    const same = left.filter(({ pid, startedAt }) => readings.get(pid)?.startedAt === startedAt);
    for (const { pid } of same) signalGroup(pid, "SIGKILL");
    this.#write();
    return same;
  }

  async add(pid: number, node: string): Promise<void> {
    const reading = (await readProcesses([pid])).get(pid);
    if (reading === undefined) return;
    this.#running.set(pid, { pid, startedAt: reading.startedAt, node });
    this.#write();
  }

  remove(pid: number): void {
    if (this.#running.delete(pid)) this.#write();
  }

  #read(): readonly RecordedProcess[] {
    try {
      const parsed = Recorded.safeParse(JSON.parse(readFileSync(this.#path, "utf8")));
      return parsed.success ? parsed.data : [];
    } catch {
      return [];
    }
  }

  #write(): void {
    // Not synced: after a crash of the machine none of them runs.
    try {
      writeFileSync(`${this.#path}.new`, JSON.stringify([...this.#running.values()]), {
        mode: 0o600,
      });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // A full disk must not end the nodes: the guard still holds them.
    }
  }
}
