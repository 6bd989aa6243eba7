import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { Logger } from "../../telemetry/logger.ts";

/**
 * Reads `+ GROUP` and `- GROUP` lines until all writers are gone, then kills the groups that are left.
 * Keyboard and terminal signals are not for it.
 */
const SCRIPT = `
trap '' INT TERM HUP QUIT
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in
         *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;;
       esac ;;
  esac
done
for group in $groups; do kill -KILL "-$group" 2>/dev/null; done
`;

/**
 * A small shell beside the daemon that kills all nodes when the daemon dies, however it dies.
 *
 *     daemon ──────────── pipe ─────────► guard     "- 4711": this group has ended
 *       └─ node's shell ── pipe ────────► guard     "+ 4711": then the shell becomes the program
 *
 * A node's process tells the guard of itself before it becomes the node's program (see
 * `node-process.ts`), so that there is no moment in which it runs unknown: the pipe's end is
 * seen only when neither the daemon nor such a shell holds it. Groups are killed, so children of nodes
 * die too; what made itself a session of its own does not.
 *
 * Linux could send a signal at a parent's death (`prctl`), but only to the child itself, and Node cannot ask for it.
 */
export class ProcessGuard {
  readonly #log: Logger;
  readonly #groups = new Set<number>();
  #child: ChildProcess;
  #isClosed = false;

  constructor(log: Logger) {
    this.#log = log;
    this.#child = this.#start();
  }

  /** What a node's shell writes its group to. */
  get pipe(): Writable {
    const { stdin } = this.#child;
    if (stdin === null) throw new Error("the guard has no pipe");
    return stdin;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** A group was started with the pipe; remembered, to tell a new guard. */
  add(group: number): void {
    this.#groups.add(group);
  }

  /** A group has ended. */
  remove(group: number): void {
    if (this.#groups.delete(group)) this.pipe.write(`- ${group}\n`);
  }

  /** Ends the guard; it kills what is left. */
  close(): void {
    this.#isClosed = true;
    this.pipe.end();
  }

  #start(): ChildProcess {
    const child = spawn("/bin/sh", ["-c", SCRIPT, "dora-guard"], {
      detached: true,
      cwd: "/",
      env: {},
      stdio: ["pipe", "ignore", "ignore"],
    });
    // A guard that is gone is replaced; what was written to it meanwhile is told to the new one.
    child.stdin.on("error", () => {});
    child.once("error", (error) => {
      this.#log.error("cannot start the guard of node processes: they may outlive the daemon", {
        error,
      });
    });
    child.once("exit", () => {
      if (this.#isClosed) return;
      this.#log.warn("the guard of node processes was killed: a new one is started");
      this.#child = this.#start();
      for (const group of this.#groups) this.pipe.write(`+ ${group}\n`);
    });
    child.unref();
    return child;
  }
}
