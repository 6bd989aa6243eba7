import { hostname } from "node:os";
import { isAbsolute } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { Dataflow } from "../dataflow/dataflow.ts";
import { parseDataflow } from "../dataflow/parse-dataflow.ts";
import { Gateway } from "../gateway/gateway.ts";
import type { DaemonRequest } from "../protocol/daemon-messages.ts";
import { NODE_PROTOCOL_VERSION } from "../protocol/node-messages.ts";
import type { LogEntry, RunTelemetry } from "../protocol/run-telemetry.ts";
import type { DataflowStatus, RuntimeEvent } from "../protocol/status.ts";
import { BuildRun } from "./build-run.ts";
import {
  daemonFolder,
  daemonSocketPath,
  makePrivateFolder,
  removeRunFolders,
} from "./daemon-folder.ts";
import { DataflowRun } from "./dataflow-run.ts";
import { deliverLogTo } from "./log-inputs.ts";
import type { Admission, Hello, NodeConnection } from "./node-connection.ts";
import { NodeServer } from "./node-server.ts";
import { ProcessGuard } from "./process-guard.ts";
import { ProcessRecord } from "./process-record.ts";
import * as changes from "./run-changes.ts";
import type { RunContext } from "./run-context.ts";
import type { Timers } from "./timers.ts";
import { systemTimers } from "./timers.ts";

/** Dataflows and builds that run at a time. */
export const RUNS_MAX = 256;
/** Dataflows that have ended, and of which it can still be told how. */
const ENDED_MAX = 100;
const TICK_MS = 1000;
/** A node without ports may be slow to load; a robot's vision model is. */
const START_TIMEOUT_MS = 120_000;
const CLOSE_TIMEOUT_MS = 20_000;

export interface DaemonOptions {
  readonly telemetry: RunTelemetry;
  readonly log: Logger;
  /** Default: `daemonFolder()`. */
  readonly folder?: string;
  /** By which people know this machine; default its host name. */
  readonly machine?: string;
  /** Of all nodes; default that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Where code of nodes that uses an OpenTelemetry SDK itself sends to. */
  readonly otlpEndpoint?: string;
  /** How long nodes have to connect and listen. */
  readonly startTimeoutMs?: number;
  readonly clock?: Clock;
  readonly timers?: Timers;
}

/** Told of what happens; must not throw. */
export interface DaemonListener {
  onEvent(event: RuntimeEvent): void;
  /** All dataflows; each second while one runs, and once after the last one. */
  onStatus(dataflows: readonly DataflowStatus[]): void;
}

/**
 * Runs dataflows on one machine: builds, starts, watches, restarts and stops node processes, and
 * introduces them to each other.
 *
 * Threads: belongs to one thread; calls may overlap.
 * Errors:  nothing that a node does or says ends the daemon.
 * Source:  docs/daemon.md, docs/node-protocol.md
 */
export class Daemon {
  readonly machine: string;
  readonly #context: RunContext;
  readonly #listeners = new Set<DaemonListener>();
  /** By id, in the order of their starts; ended ones are among them. */
  readonly #runs = new Map<string, DataflowRun>();
  readonly #builds = new Map<string, BuildRun>();
  #server: NodeServer | undefined;
  #cancelTick: (() => void) | undefined;
  #isClosing = false;

  private constructor(options: DaemonOptions) {
    const { telemetry, log, clock = systemClock, timers = systemTimers } = options;
    const folder = options.folder ?? daemonFolder();
    makePrivateFolder(folder);
    const socketPath = daemonSocketPath(folder);
    this.machine = options.machine ?? hostname();
    this.#context = {
      machine: this.machine,
      folder,
      socketPath,
      environment: options.environment ?? process.env,
      otlpEndpoint: options.otlpEndpoint ?? "http://127.0.0.1:4318",
      startTimeoutMs: options.startTimeoutMs ?? START_TIMEOUT_MS,
      gateway: new Gateway({ socketPath, log }),
      guard: new ProcessGuard(log),
      record: new ProcessRecord(folder),
      telemetry,
      clock,
      timers,
      log,
      emit: (event) => {
        for (const listener of this.#listeners) listener.onEvent(event);
      },
    };
  }

  /**
   * Opens the local socket, and kills nodes that a daemon before this one left behind.
   *
   * Errors: `ADDRESS_IN_USE` where another daemon of this user runs; `FOLDER_UNSAFE`, `LISTEN_FAILED`.
   */
  static async open(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    const { socketPath: path, log, record, guard, gateway } = daemon.#context;
    try {
      daemon.#server = await NodeServer.open({
        path,
        log,
        admit: (hello, connection) => daemon.#admit(hello, connection),
      });
    } catch (error) {
      guard.close();
      throw error;
    }
    await gateway.open();
    for (const { pid, node } of await record.reap()) {
      log.warn("a node that an earlier daemon left behind was killed", { pid, node });
    }
    removeRunFolders(daemon.#context.folder);
    return daemon;
  }

  get socketPath(): string {
    return this.#context.socketPath;
  }

  /** Of the process that kills the nodes when the daemon dies. */
  get guardPid(): number | undefined {
    return this.#context.guard.pid;
  }

  /** Returns what ends it. */
  subscribe(listener: DaemonListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Of all that run, and of the last that have ended. */
  status(): readonly DataflowStatus[] {
    return [...this.#runs.values()].map((run) => run.status());
  }

  /** Resolves when a dataflow has ended. Errors: `NOT_FOUND`. */
  async ended(dataflow: string): Promise<DataflowStatus> {
    const run = this.#find(dataflow);
    await run.ended;
    return run.status();
  }

  /**
   * Does what is asked. Settles when it is accepted: what comes of it is told by events.
   *
   * Shape:  `start` gives the dataflow's status, the others nothing.
   * Errors: `DATAFLOW_INVALID`, naming each line; `NOT_FOUND`, `DATAFLOW_STATE`, `OUTPUT_UNKNOWN`, `REQUEST_INVALID`.
   */
  async handle(request: DaemonRequest): Promise<unknown> {
    switch (request.method) {
      case "start":
        return this.#start(request);
      case "build":
        this.#build(request);
        return undefined;
      case "stop":
        this.#stop(request);
        return undefined;
      case "pause":
      case "resume":
        this.#pause(request);
        return undefined;
      case "connect":
        changes.connectLink(this.#findRunning(request.dataflow), request);
        return undefined;
      case "disconnect":
        changes.disconnectLink(this.#findRunning(request.dataflow), request);
        return undefined;
      case "restart-node":
      case "stop-node":
      case "reload-node":
      case "set-parameters":
      case "set-data-format":
        this.#changeNode(request);
        return undefined;
    }
  }

  /** Hands a record of the log to the inputs `dora/logs` that want it. */
  deliverLog(dataflow: string, record: LogEntry): void {
    const run = this.#runs.get(dataflow);
    if (run !== undefined) deliverLogTo(run.nodes, record);
  }

  /** Stops all dataflows, within `graceMs` where it is given, and closes the socket. Safe to call twice. */
  async close(graceMs?: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    for (const build of this.#builds.values()) build.stop();
    const running = [...this.#runs.values()].filter((run) => !run.isOver);
    const grace = graceMs === undefined ? {} : { graceMs };
    for (const run of running) run.stop({ ...grace, force: false });
    const allEnded = Promise.all(running.map((run) => run.ended));
    const deadline = Promise.withResolvers<void>();
    const graces = running.flatMap((run) =>
      [...run.nodes.values()].map((node) => node.spec.finishGraceMs),
    );
    const longest = graceMs ?? Math.max(0, ...graces);
    const cancel = this.#context.timers.after(longest + CLOSE_TIMEOUT_MS, deadline.resolve);
    await Promise.race([allEnded, deadline.promise]);
    cancel();
    this.#cancelTick?.();
    this.#tellStatus();
    await Promise.all([this.#server?.close(), this.#context.gateway.close()]);
    // What is left now, the guard kills.
    this.#context.guard.close();
    removeRunFolders(this.#context.folder);
  }

  #start(request: Extract<DaemonRequest, { readonly method: "start" }>): DataflowStatus {
    const dataflow = this.#parse(request);
    if (this.#runs.has(request.dataflow)) {
      throw new AppError("DATAFLOW_STATE", `there is a dataflow ${request.dataflow} already`);
    }
    const run = new DataflowRun(
      {
        id: request.dataflow,
        name: request.name,
        file: request.file,
        environment: request.environment,
        dataflow,
      },
      this.#context,
    );
    this.#runs.set(run.id, run);
    this.#forgetOldest();
    void run.start(request.build);
    this.#tickLater();
    return run.status();
  }

  #build(request: Extract<DaemonRequest, { readonly method: "build" }>): void {
    const { dataflow: id, file, environment } = request;
    const dataflow = this.#parse(request);
    if (this.#builds.has(id)) {
      throw new AppError("DATAFLOW_STATE", `dataflow ${id} is being built already`);
    }
    const build = new BuildRun({ id, name: id, file, environment, dataflow }, this.#context);
    this.#builds.set(id, build);
    void build.run().then(() => this.#builds.delete(id));
  }

  /** Errors: `DATAFLOW_INVALID`, `REQUEST_INVALID`, `DATAFLOW_STATE` */
  #parse(request: Extract<DaemonRequest, { readonly method: "start" | "build" }>): Dataflow {
    if (this.#isClosing) throw new AppError("DATAFLOW_STATE", "the daemon is stopping");
    const running = [...this.#runs.values()].filter((run) => !run.isOver).length;
    if (running + this.#builds.size >= RUNS_MAX) {
      throw new AppError("DATAFLOW_STATE", `${RUNS_MAX} dataflows run already: stop one first`);
    }
    if (!isAbsolute(request.file)) {
      throw new AppError("REQUEST_INVALID", `${request.file} is no absolute path`);
    }
    const { text, environment } = request;
    const parsed = parseDataflow(text, {
      environment: { ...this.#context.environment, ...environment },
    });
    for (const { line, message } of parsed.warnings) {
      this.#context.log.warn("a key of the dataflow file has no effect", {
        file: request.file,
        line,
        reason: message,
      });
    }
    if (parsed.status === "ok") return parsed.dataflow;
    const problems = parsed.problems.map(
      ({ line, column, message }) => `${request.file}:${line}:${column}: ${message}`,
    );
    throw new AppError("DATAFLOW_INVALID", problems.join("\n"));
  }

  #stop(request: Extract<DaemonRequest, { readonly method: "stop" }>): void {
    const build = this.#builds.get(request.dataflow);
    if (build !== undefined) build.stop();
    else this.#findRunning(request.dataflow).stop(request);
  }

  #pause(request: Extract<DaemonRequest, { readonly method: "pause" | "resume" }>): void {
    const run = this.#findRunning(request.dataflow);
    const isPaused = request.method === "pause";
    if (request.node === undefined) {
      run.setPaused(isPaused);
      return;
    }
    const node = changes.findNode(run, request.node);
    changes.checkConnected(node);
    run.pauseNode(node, isPaused);
  }

  #changeNode(
    request: Extract<
      DaemonRequest,
      {
        readonly method:
          | "restart-node"
          | "stop-node"
          | "reload-node"
          | "set-parameters"
          | "set-data-format";
      }
    >,
  ): void {
    const run = this.#findRunning(request.dataflow);
    const node = changes.findNode(run, request.node);
    switch (request.method) {
      case "restart-node":
        run.restartNode(node);
        break;
      case "stop-node":
        node.stop(node.spec.finishGraceMs);
        break;
      case "reload-node":
        changes.checkConnected(node);
        node.send({ type: "reload" });
        break;
      case "set-parameters":
        changes.setParameters(node, request.set, request.deleted);
        break;
      case "set-data-format":
        changes.checkFormat(request.format);
    }
  }

  #admit(hello: Hello, connection: NodeConnection): Admission {
    if (hello.protocol !== NODE_PROTOCOL_VERSION) {
      const message = `${hello.library} speaks version ${hello.protocol} of the node protocol, this daemon version ${NODE_PROTOCOL_VERSION}`;
      return { status: "refused", message };
    }
    const candidates = [...this.#runs.values()].filter((run) => !run.isOver);
    const found = candidates.filter(
      ({ id, name }) =>
        hello.dataflow === id || (hello.token === "" && ["", name].includes(hello.dataflow)),
    );
    const [run] = found;
    if (run !== undefined && found.length === 1) return run.admit(hello, connection);
    const wanted = hello.dataflow === "" ? "the only dataflow" : `dataflow ${hello.dataflow}`;
    const names = found.map(({ id, name }) => `${name} (${id})`).join(", ");
    const message =
      found.length === 0 ? `${wanted} does not run here` : `${wanted} may be ${names}: say which`;
    return { status: "refused", message };
  }

  #find(id: string): DataflowRun {
    const run = this.#runs.get(id);
    if (run !== undefined) return run;
    throw new AppError("NOT_FOUND", `there is no dataflow ${id}`, { hint: "see `dora list`" });
  }

  /** Errors: `NOT_FOUND`, `DATAFLOW_STATE` */
  #findRunning(id: string): DataflowRun {
    const run = this.#find(id);
    if (!run.isOver) return run;
    const { state } = run.status();
    throw new AppError("DATAFLOW_STATE", `dataflow ${run.name} has ended: it is ${state}`);
  }

  #forgetOldest(): void {
    const over = [...this.#runs.values()].filter((run) => run.isOver);
    for (const run of over.slice(0, -ENDED_MAX)) this.#runs.delete(run.id);
  }

  #tickLater(): void {
    this.#cancelTick ??= this.#context.timers.after(TICK_MS, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    const running = [...this.#runs.values()].filter((run) => !run.isOver);
    for (const run of running) await run.tick();
    this.#tellStatus();
    this.#cancelTick = undefined;
    if (running.length > 0 && !this.#isClosing) this.#tickLater();
  }

  #tellStatus(): void {
    if (this.#listeners.size === 0) return;
    const status = this.status();
    for (const listener of this.#listeners) listener.onStatus(status);
  }
}
