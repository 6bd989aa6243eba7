import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../collector/config.ts";
import { AppError } from "../core/errors.ts";
import { stateFolder } from "../runtime/coordinator/state-folder.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { BackgroundName } from "./pid-file.ts";
import { BACKGROUND_NAMES, makeStateFolder, PidFile } from "./pid-file.ts";
import { findPortOwner } from "./port-owner.ts";
import { ownServiceUrl } from "./telemetry-url.ts";

/** How long each of them may take to answer, on a machine that has much else to do. */
const START_TIMEOUT_MS = 60_000;
/** One that runs already; */
const RUNNING_TIMEOUT_MS = 20_000;
/** and a daemon between two attempts to reach its coordinator. */
const RECONNECT_MS = 3_000;
const POLL_MS = 50;
const HEALTH_TIMEOUT_MS = 2_000;
/** A daemon gives nodes their grace, and some more. */
const STOP_TIMEOUT_MS = 60_000;
/** Of a log that is quoted. */
const LOG_LINES = 5;

/** What became of one of the processes that `dora up` sees to. */
export interface Brought {
  readonly name: BackgroundName;
  readonly wasRunning: boolean;
  readonly elapsedMs: number;
  /** Where it listens, or whom it serves. */
  readonly where: string;
}

interface Service {
  readonly name: BackgroundName;
  /** The command that runs it. */
  readonly args: readonly string[];
  readonly where: string;
  /** TCP ports that must be free or its own. */
  readonly ports: readonly number[];
  readonly isAnswering: () => Promise<boolean>;
}

/**
 * Telemetry, coordinator and daemon of this machine, in the background: starts what does not run, and
 * stops what it started. Their output goes to `NAME.log` in the state folder.
 */
export class Background {
  readonly folder: string;
  readonly #client: CoordinatorClient;

  constructor(client: CoordinatorClient) {
    this.#client = client;
    this.folder = stateFolder(process.env);
  }

  /**
   * Starts what does not answer, one after the other, and waits until it does; `onBrought` is told of each.
   *
   * Errors: `ADDRESS_IN_USE` naming the program that has a port, `START_FAILED` with the end of the log,
   *         `USAGE` where the coordinator is one of another machine, `STATE_UNWRITABLE`.
   */
  async up(onBrought: (brought: Brought) => Promise<void>): Promise<void> {
    this.#assertLocal();
    await this.#alone(async () => {
      for (const service of this.#services()) {
        const beganMs = performance.now();
        const wasRunning = (await service.isAnswering()) || (await this.#awaitOwn(service));
        if (!wasRunning) await this.#start(service);
        const elapsedMs = performance.now() - beganMs;
        await onBrought({ name: service.name, wasRunning, elapsedMs, where: service.where });
      }
    });
  }

  /** Whether all three answer. */
  async isUp(): Promise<boolean> {
    for (const service of this.#services().toReversed()) {
      if (!(await service.isAnswering())) return false;
    }
    return true;
  }

  /** Stops what `up` started, the last first. Gives their names; `only` leaves others alone. */
  async down(
    only: readonly BackgroundName[] = BACKGROUND_NAMES,
  ): Promise<readonly BackgroundName[]> {
    const stopped: BackgroundName[] = [];
    await this.#alone(async () => {
      for (const name of BACKGROUND_NAMES.toReversed().filter((one) => only.includes(one))) {
        const file = new PidFile(this.folder, name);
        const pid = await file.runningPid();
        if (pid !== undefined) {
          await stop(file, pid);
          stopped.push(name);
        }
        file.remove();
      }
    });
    return stopped;
  }

  /** Two commands that start and stop at the same time would undo each other's work: the second one waits. */
  async #alone(run: () => Promise<void>): Promise<void> {
    makeStateFolder(this.folder);
    const file = new PidFile(this.folder, "up");
    while (!(await file.claim())) await sleep(POLL_MS);
    try {
      await run();
    } finally {
      file.remove();
    }
  }

  /**
   * Whether one that `up` started before runs, such as a daemon whose coordinator was away: then it answers
   * before long, and a second one would only be in its way.
   *
   * Errors: `START_FAILED` where it does not answer.
   */
  async #awaitOwn(service: Service): Promise<boolean> {
    const pid = await new PidFile(this.folder, service.name).runningPid();
    if (pid === undefined) return false;
    if (await answersWithin(service, RUNNING_TIMEOUT_MS)) return true;
    const message = `${service.name} runs (pid ${pid}) and does not answer at ${service.where}`;
    throw new AppError("START_FAILED", message, {
      hint: `see ${this.#logFile(service)}; \`dora down --force\` stops it`,
    });
  }

  #logFile({ name }: Service): string {
    return join(this.folder, `${name}.log`);
  }

  #services(): readonly Service[] {
    const config = loadConfig({ flags: {}, env: process.env });
    const url = new URL(this.#client.url);
    const { api, otlpGrpc, otlpHttp } = config;
    const listeners = [api, otlpGrpc, otlpHttp].flatMap((one) => (one === undefined ? [] : [one]));
    const apiUrl = ownServiceUrl(api);
    return [
      {
        name: "telemetry",
        args: ["serve"],
        where: apiUrl,
        ports: listeners.map(({ port }) => port),
        isAnswering: () => isHealthy(`${apiUrl}/readyz`),
      },
      {
        name: "coordinator",
        args: ["coordinator", "--listen", url.host],
        where: this.#client.url,
        ports: [Number(url.port || 80)],
        isAnswering: async () => typeof (await this.#client.health()) === "object",
      },
      {
        name: "daemon",
        args: ["daemon", "--coordinator", this.#client.url, "--retries", "10"],
        where: this.#client.url,
        ports: [],
        isAnswering: async () => (await this.#client.daemons().catch(() => [])).length > 0,
      },
    ];
  }

  /** Errors: `USAGE` */
  #assertLocal(): void {
    if (this.#client.isLocal) return;
    throw new AppError("USAGE", `the coordinator at ${this.#client.url} is not on this machine`, {
      hint: "start it there with `dora coordinator`, and here `dora daemon --coordinator URL`",
    });
  }

  async #start(service: Service): Promise<void> {
    const logFile = this.#logFile(service);
    const log = openSync(logFile, "a", 0o600);
    const child = spawn(process.execPath, [ownProgram(), ...service.args], {
      detached: true,
      stdio: ["ignore", log, log],
      // A daemon's folder is nobody's: where it was started may be removed.
      cwd: "/",
    });
    closeSync(log);
    let exitCode: number | string | undefined;
    child.once("exit", (code, signal) => (exitCode = code ?? signal ?? 1));
    child.once("error", (error) => (exitCode = error.message));
    child.unref();
    if (child.pid !== undefined) await new PidFile(this.folder, service.name).write(child.pid);
    const deadlineMs = performance.now() + START_TIMEOUT_MS;
    for (;;) {
      if (await service.isAnswering()) return;
      // One that somebody started by hand may be about to answer: a daemon that connects anew.
      if (exitCode !== undefined && !(await answersWithin(service, RECONNECT_MS))) break;
      if (exitCode !== undefined) return;
      if (performance.now() > deadlineMs) break;
      await sleep(POLL_MS);
    }
    await this.#fail(service, logFile, exitCode);
  }

  async #fail(
    service: Service,
    logFile: string,
    exitCode: number | string | undefined,
  ): Promise<never> {
    for (const port of exitCode === undefined ? [] : service.ports) {
      const owner = await findPortOwner(port);
      if (owner === undefined) continue;
      throw new AppError(
        "ADDRESS_IN_USE",
        `cannot start ${service.name}: port ${port} is taken by ${owner}`,
        { hint: `stop that program, or give another address: see docs/cli.md, "dora up"` },
      );
    }
    const how = exitCode === undefined ? "does not answer" : `ended (${exitCode})`;
    const lines = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-LOG_LINES);
    throw new AppError(
      "START_FAILED",
      `${service.name} was started and ${how}; the end of ${logFile}:\n${lines.map((line) => `    ${line}`).join("\n")}`,
      { hint: `start it in the foreground to see more: \`dora ${service.args[0] ?? ""}\`` },
    );
  }
}

async function answersWithin(service: Service, timeoutMs: number): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while (performance.now() < deadlineMs) {
    if (await service.isAnswering()) return true;
    await sleep(POLL_MS);
  }
  return false;
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const response = await fetch(url, { redirect: "error", signal });
    const text = await response.text();
    return response.ok && text.includes('"status"');
  } catch {
    return false;
  }
}

/** SIGTERM, and SIGKILL to one that does not end. */
async function stop(file: PidFile, pid: number): Promise<void> {
  process.kill(pid, "SIGTERM");
  const deadlineMs = performance.now() + STOP_TIMEOUT_MS;
  while ((await file.runningPid()) !== undefined) {
    if (performance.now() > deadlineMs) {
      process.kill(pid, "SIGKILL");
      return;
    }
    await sleep(POLL_MS);
  }
}

/** The file that runs as `dora`: built, or of a checkout. */
function ownProgram(): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`./main.${extension}`, import.meta.url));
}
