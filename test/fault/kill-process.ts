import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type {
  Appended,
  Found,
  KillAnswer,
  KillCommand,
  KillPhase,
  KillSignal,
  Numbered,
  OpenCommand,
  Opened,
  Tidied,
} from "./kill-messages.ts";
import { KILL_PHASES, phaseBit } from "./kill-messages.ts";

const CHILD = fileURLToPath(new URL("kill-child.ts", import.meta.url));

/** Children that still run: none may outlive this process. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * A process with a store that can be killed at any time. Every answer is undefined where the process
 * died before it gave it.
 *
 * Errors: what the store throws, and an end of the process that was no kill.
 */
export class KillProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<KillAnswer | undefined>>();
  readonly #exit: Promise<void>;
  readonly #loaded = Promise.withResolvers<KillAnswer | undefined>();
  #nextId = 1;
  #phaseFile: string | undefined;
  #unexpected: Error | undefined;

  /** Begins to load the store's modules at once, so that it may be opened without a wait later. */
  constructor() {
    this.#child = fork(CHILD, [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "dora-kill-compiled") },
    });
    running.add(this.#child);
    this.#waiting.set(0, this.#loaded);
    this.#child.on("message", (answer: Numbered<KillAnswer>) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
    });
    // A command that finds nobody any more: the exit says why.
    this.#child.on("error", () => undefined);
    this.#exit = new Promise((resolve) => {
      // After the last message was read.
      this.#child.once("close", (code, signal) => {
        running.delete(this.#child);
        if (signal !== "SIGKILL")
          this.#unexpected = new Error(`the store ended (${code ?? signal})`);
        for (const { resolve: settle } of this.#waiting.values()) settle(undefined);
        this.#waiting.clear();
        resolve();
      });
    });
  }

  /** Resolves once it can be opened without a wait. */
  async loaded(): Promise<void> {
    await this.#loaded.promise;
  }

  open(command: Omit<OpenCommand, "kind">): Promise<Opened | undefined> {
    this.#phaseFile = command.phaseFile;
    return this.#ask({ kind: "open", ...command }, "opened");
  }

  append(signal: KillSignal, body: Uint8Array): Promise<Appended | undefined> {
    return this.#ask({ kind: "append", signal, body }, "appended");
  }

  tidy(): Promise<Tidied | undefined> {
    return this.#ask({ kind: "tidy" }, "tidied");
  }

  read(fromUnixMs: number): Promise<Found | undefined> {
    return this.#ask({ kind: "read", fromUnixMs }, "found");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Resolves once it is dead, with what it was doing then. */
  async death(): Promise<readonly KillPhase[]> {
    await this.#exit;
    if (this.#unexpected !== undefined) throw this.#unexpected;
    const mask = this.#phaseFile === undefined ? undefined : readFileSync(this.#phaseFile)[0];
    // A kill before the file was there is one before the store's first call.
    const bits = mask ?? phaseBit("start");
    return KILL_PHASES.filter((phase) => (bits & phaseBit(phase)) !== 0);
  }

  async #ask<Kind extends KillAnswer["kind"]>(
    command: KillCommand,
    kind: Kind,
  ): Promise<Extract<KillAnswer, { readonly kind: Kind }> | undefined> {
    if (!this.#child.connected) {
      await this.#exit;
      return undefined;
    }
    const id = this.#nextId++;
    const answered = Promise.withResolvers<KillAnswer | undefined>();
    this.#waiting.set(id, answered);
    this.#child.send({ ...command, id }, () => undefined);
    const answer = await answered.promise;
    if (answer === undefined) return undefined;
    if (isKind(answer, kind)) return answer;
    const what = answer.kind === "failed" ? answer.message : `it answered ${answer.kind}`;
    throw new Error(`${command.kind}: ${what}`);
  }
}

function isKind<Kind extends KillAnswer["kind"]>(
  answer: KillAnswer,
  kind: Kind,
): answer is Extract<KillAnswer, { readonly kind: Kind }> {
  return answer.kind === kind;
}
