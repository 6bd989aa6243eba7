/**
 * A group of processes that may use so much memory and no more, and are killed by the kernel past it:
 * a Linux control group, of version 1 or 2. Needs the right to make one, which root usually has.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What the two versions call the same things. */
interface Files {
  readonly root: string;
  readonly limit: string;
  readonly swapLimit: string;
  /** What the swap's limit says where there shall be none, given the limit of memory. */
  readonly noSwap: (limitBytes: number) => number;
  readonly events: string;
}

const VERSION_1: Files = {
  root: "/sys/fs/cgroup/memory",
  limit: "memory.limit_in_bytes",
  swapLimit: "memory.memsw.limit_in_bytes",
  noSwap: (limitBytes) => limitBytes,
  events: "memory.oom_control",
};

const VERSION_2: Files = {
  root: "/sys/fs/cgroup",
  limit: "memory.max",
  swapLimit: "memory.swap.max",
  noSwap: () => 0,
  events: "memory.events",
};

export class MemoryCgroup {
  readonly #files: Files;
  readonly #directory: string;

  private constructor(files: Files, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** Makes a group, or says why none can be made here. */
  static create(limitBytes: number): MemoryCgroup | { readonly reason: string } {
    const files = existsSync(VERSION_1.root) ? VERSION_1 : VERSION_2;
    const directory = join(files.root, `dora-test-${process.pid}`);
    const group = new MemoryCgroup(files, directory);
    try {
      if (files === VERSION_2) writeFileSync(join(files.root, "cgroup.subtree_control"), "+memory");
      mkdirSync(directory);
    } catch (error) {
      return { reason: `no memory cgroup can be made here: ${String(error)}` };
    }
    try {
      writeFileSync(join(directory, files.limit), String(limitBytes));
      const swapLimit = join(directory, files.swapLimit);
      if (existsSync(swapLimit)) writeFileSync(swapLimit, String(files.noSwap(limitBytes)));
      return group;
    } catch (error) {
      group.remove();
      return { reason: `a memory cgroup takes no limit here: ${String(error)}` };
    }
  }

  /** A program and its arguments, to put a command behind: it joins the group and becomes that. */
  get runUnder(): readonly string[] {
    const script = `echo $$ > "$1/cgroup.procs" && shift && exec "$@"`;
    return ["sh", "-c", script, "sh", this.#directory];
  }

  /** Processes of the group that the kernel killed for their memory. */
  get oomKillCount(): number {
    const text = readFileSync(join(this.#directory, this.#files.events), "utf8");
    const found = /^oom_kill (\d+)$/m.exec(text);
    if (found === null) throw new Error(`no count of kills in ${text}`);
    return Number(found[1]);
  }

  /** The group must be empty. */
  remove(): void {
    rmdirSync(this.#directory);
  }
}
