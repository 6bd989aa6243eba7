import { hostname } from "node:os";
import { basename, extname } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import type { Logger } from "../../telemetry/logger.ts";
import type { DaemonRequest } from "../protocol/daemon-messages.ts";
import type { DataflowStatus, RuntimeEvent } from "../protocol/status.ts";
import type { DaemonConnection, DaemonHello, DaemonOwner } from "./daemon-connection.ts";
import { DataflowRegistry, isEnded } from "./dataflow-registry.ts";
import type { CoordinatorLimits } from "./limits.ts";
import { RUNNING_MAX } from "./limits.ts";
import type { KnownDataflow } from "./state-file.ts";
import { StateFile } from "./state-file.ts";
import { DataflowStatusSchema } from "./status-schema.ts";
import { makeUuidV7 } from "./uuid-v7.ts";

const NAME = /^[\w][\w.-]{0,99}$/;
/** Beyond the grace that a stop gives, what a restart waits for the end. */
const RESTART_PATIENCE_MS = 45_000;

export interface StartRequest {
  readonly text: string;
  /** Absolute path on the daemon's machine. */
  readonly file: string;
  /** Default: the file's name without its extension. */
  readonly name?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly build?: boolean | undefined;
  /** Where; default the coordinator's own machine, else the only one that is connected. */
  readonly machine?: string | undefined;
}

export interface DaemonStatus {
  readonly machine: string;
  readonly version: string;
  readonly pid: number;
  readonly connectedAtUnixMs: number;
  readonly dataflows: number;
}

/** A dataflow with what only the coordinator knows. */
export interface DataflowAnswer extends DataflowStatus {
  readonly failure?: KnownDataflow["failure"];
  /** False while its daemon is away: then the rest is what was last heard. */
  readonly isDaemonConnected: boolean;
}

/** Told of what happens; must not throw. */
export interface CoordinatorListener {
  onEvent(event: RuntimeEvent): void;
}

/**
 * The control plane: knows what is wanted and what has ended, and hands requests to the daemons, which know
 * what runs. It may go away and come back while dataflows run.
 *
 * Threads: belongs to one thread; calls may overlap.
 * Errors:  `NOT_FOUND`, `DATAFLOW_AMBIGUOUS`, `DATAFLOW_STATE`, `DAEMON_UNREACHABLE` of all that name a dataflow,
 *          and what its daemon answers.
 */
export class Coordinator implements DaemonOwner {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: CoordinatorLimits;
  readonly #file: StateFile;
  readonly #registry: DataflowRegistry;
  /** By machine. */
  readonly #daemons = new Map<string, { connection: DaemonConnection; sinceUnixMs: number }>();
  readonly #listeners = new Set<CoordinatorListener>();
  /** Names of dataflows that a daemon is being asked to start. */
  readonly #starting = new Set<string>();
  /** Daemons of which was told that they say what is not theirs. */
  readonly #warned = new WeakSet<DaemonConnection>();

  private constructor(
    options: CoordinatorOptions,
    file: StateFile,
    registry: (onChange: () => void) => DataflowRegistry,
  ) {
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    this.#limits = options.limits;
    this.#file = file;
    this.#registry = registry(() => this.#file.save(this.#registry.state()));
  }

  /** Errors: `STATE_UNWRITABLE` */
  static async open(options: CoordinatorOptions): Promise<Coordinator> {
    const file = new StateFile(options.stateFile, options.log);
    const state = await file.load();
    return new Coordinator(options, file, (onChange) => new DataflowRegistry(state, onChange));
  }

  subscribe(listener: CoordinatorListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What runs, then what has ended, the newest first. */
  list(): readonly DataflowAnswer[] {
    return [...this.#registry.running, ...this.#registry.ended].map((known) => this.#answer(known));
  }

  running(): readonly DataflowAnswer[] {
    return this.#registry.running.map((known) => this.#answer(known));
  }

  /** By id, name, or the start of an id. */
  find(dataflow: string): DataflowAnswer {
    return this.#answer(this.#registry.find(dataflow));
  }

  daemons(): readonly DaemonStatus[] {
    return [...this.#daemons].map(([machine, { connection, sinceUnixMs }]) => ({
      machine,
      version: connection.hello?.version ?? "",
      pid: connection.hello?.pid ?? 0,
      connectedAtUnixMs: sinceUnixMs,
      dataflows: this.#registry.running.filter(({ status }) => status.machine === machine).length,
    }));
  }

  /** Resolves when the daemon has taken it; how it goes on is told by events. */
  async start(request: StartRequest): Promise<DataflowAnswer> {
    const name = request.name ?? nameOfFile(request.file);
    if (!NAME.test(name)) {
      throw new AppError(
        "REQUEST_INVALID",
        `"${name}" is no name of a dataflow: give letters, digits, . _ - (100 at the most)`,
        { hint: "give another with --name" },
      );
    }
    const before = this.#registry.running.find(({ status }) => status.name === name);
    if (before !== undefined || this.#starting.has(name)) {
      const id = before === undefined ? "" : ` (${before.status.id})`;
      throw new AppError("DATAFLOW_STATE", `a dataflow ${name} runs already${id}`, {
        hint: `stop it with \`dora stop ${name}\`, or give this one another name with --name`,
      });
    }
    if (this.#registry.running.length >= RUNNING_MAX) {
      throw new AppError("DATAFLOW_STATE", `${RUNNING_MAX} dataflows run already: stop one first`);
    }
    const daemon = this.#chooseDaemon(request.machine);
    this.#starting.add(name);
    try {
      return await this.#startOn(daemon, name, request);
    } finally {
      this.#starting.delete(name);
    }
  }

  /** Builds the nodes of a file and starts none; gives the id by which events tell of it. */
  async build(request: Omit<StartRequest, "name" | "build">): Promise<{ readonly id: string }> {
    const { text, file, environment = {}, machine } = request;
    const id = makeUuidV7(this.#nowUnixMs());
    const daemon = this.#chooseDaemon(machine);
    await daemon.request({ method: "build", dataflow: id, text, file, environment });
    return { id };
  }

  async stop(
    dataflow: string,
    options: { readonly graceMs?: number | undefined; readonly force?: boolean | undefined },
  ): Promise<DataflowAnswer> {
    const { graceMs, force = false } = options;
    const grace = graceMs === undefined ? {} : { graceMs };
    return this.#ask(dataflow, (id) => ({ method: "stop", dataflow: id, ...grace, force }));
  }

  /**
   * Stops it where it runs, and starts it anew under a new id: with its text unless another is given, and with
   * its variables, of which those that are given replace the ones of their names.
   */
  async restart(
    dataflow: string,
    options: Partial<Pick<StartRequest, "text" | "environment" | "build">> = {},
  ): Promise<DataflowAnswer> {
    const known = this.#registry.find(dataflow);
    const { id, name, file, machine } = known.status;
    const text = options.text ?? known.text;
    if (text === "") {
      throw new AppError("DATAFLOW_STATE", `the file of dataflow ${name} is not known any more`, {
        hint: `start it with \`dora start ${file}\``,
      });
    }
    if (this.#registry.isRunning(id)) {
      const ended = this.#whenEnded(id);
      await Promise.all([this.stop(id, {}), ended]);
    }
    const environment = { ...known.environment, ...options.environment };
    return this.start({ ...options, text, environment, file, name, machine });
  }

  /** Of one node, or of all. */
  async setPaused(dataflow: string, isPaused: boolean, node?: string): Promise<DataflowAnswer> {
    const method = isPaused ? "pause" : "resume";
    const part = node === undefined ? {} : { node };
    return this.#ask(dataflow, (id) => ({ method, dataflow: id, ...part }));
  }

  /** Has one node, or all that have an open connection, load anew what they can. */
  async reload(dataflow: string, node?: string): Promise<DataflowAnswer> {
    const known = this.#registry.find(dataflow);
    const running = known.status.nodes.filter(({ state }) => ["running", "paused"].includes(state));
    const nodes = node === undefined ? running.map(({ id }) => id) : [node];
    for (const one of nodes) {
      await this.#ask(known.status.id, (id) => ({
        method: "reload-node",
        dataflow: id,
        node: one,
      }));
    }
    return this.find(known.status.id);
  }

  /** A request about a part of a dataflow. */
  async change(dataflow: string, request: (id: string) => DaemonRequest): Promise<DataflowAnswer> {
    return this.#ask(dataflow, request);
  }

  onHello(connection: DaemonConnection, hello: DaemonHello): void {
    const before = this.#daemons.get(hello.machine);
    if (before !== undefined && before.connection.hello?.pid !== hello.pid) {
      const pid = before.connection.hello?.pid ?? 0;
      throw new AppError(
        "DATAFLOW_STATE",
        `a daemon of machine ${hello.machine} (pid ${pid}) is connected already`,
      );
    }
    if (before === undefined && this.#daemons.size >= this.#limits.daemonsMax) {
      throw new AppError("DATAFLOW_STATE", `${this.#limits.daemonsMax} daemons are connected`);
    }
    this.#daemons.set(hello.machine, { connection, sinceUnixMs: this.#nowUnixMs() });
    before?.connection.terminate();
    const passedOver = this.#registry.takeStatus(hello.machine, hello.dataflows, true);
    this.#tellPassedOver(connection, hello, passedOver);
    this.#log.info("a daemon has connected", { machine: hello.machine, pid: hello.pid });
  }

  onMessage(connection: DaemonConnection, message: Parameters<DaemonOwner["onMessage"]>[1]): void {
    const { hello } = connection;
    if (hello === undefined) return;
    if (message.type === "status") {
      const passedOver = this.#registry.takeStatus(hello.machine, message.dataflows, false);
      this.#tellPassedOver(connection, hello, passedOver);
      return;
    }
    if (!this.#registry.takeEvent(hello.machine, message.event)) {
      this.#tellPassedOver(connection, hello, 1);
      return;
    }
    for (const listener of this.#listeners) listener.onEvent(message.event);
  }

  onGone(connection: DaemonConnection): void {
    const machine = connection.hello?.machine ?? "";
    if (this.#daemons.get(machine)?.connection !== connection) return;
    this.#daemons.delete(machine);
    this.#log.warn("a daemon has gone: what it runs goes on", { machine });
  }

  /** Dataflows go on. */
  async close(): Promise<void> {
    for (const { connection } of this.#daemons.values()) connection.close();
    await this.#file.flush();
  }

  /** Once for each connection: it may say so each second. */
  #tellPassedOver(connection: DaemonConnection, { machine }: DaemonHello, count: number): void {
    if (count === 0 || this.#warned.has(connection)) return;
    this.#warned.add(connection);
    this.#log.warn("a daemon told of dataflows of other machines, or of too many: passed over", {
      machine,
      dataflows: count,
    });
  }

  async #startOn(
    daemon: DaemonConnection,
    name: string,
    request: StartRequest,
  ): Promise<DataflowAnswer> {
    const id = makeUuidV7(this.#nowUnixMs());
    const { text, file, environment = {}, build = true } = request;
    const result = await daemon.request({
      method: "start",
      dataflow: id,
      name,
      text,
      file,
      environment,
      build,
    });
    const status = DataflowStatusSchema.safeParse(result);
    const isMeant = status.data?.id === id && status.data.machine === daemon.hello?.machine;
    if (!status.success || !isMeant) {
      throw new AppError("INTERNAL", "the daemon's answer makes no sense");
    }
    // It may be known already, and have ended.
    const known = this.#registry.get(id);
    this.#registry.add({ status: status.data, ...known, text, environment });
    return this.find(id);
  }

  async #ask(dataflow: string, request: (id: string) => DaemonRequest): Promise<DataflowAnswer> {
    const { status } = this.#registry.find(dataflow);
    if (isEnded(status.state)) {
      throw new AppError("DATAFLOW_STATE", `dataflow ${status.name} has ended: ${status.state}`);
    }
    await this.#daemonOf(status.machine).request(request(status.id));
    return this.find(status.id);
  }

  #answer({ status, failure }: KnownDataflow): DataflowAnswer {
    return {
      ...status,
      ...(failure === undefined ? {} : { failure }),
      isDaemonConnected: this.#daemons.has(status.machine),
    };
  }

  #daemonOf(machine: string): DaemonConnection {
    const daemon = this.#daemons.get(machine);
    if (daemon !== undefined) return daemon.connection;
    const all = [...this.#daemons.keys()].join(", ");
    const rest = all === "" ? "no daemon is connected" : `connected are: ${all}`;
    throw new AppError("DAEMON_UNREACHABLE", `no daemon of machine ${machine}: ${rest}`, {
      hint: "start it there with `dora daemon`",
    });
  }

  #chooseDaemon(machine: string | undefined): DaemonConnection {
    if (machine !== undefined) return this.#daemonOf(machine);
    const [first] = this.#daemons.keys();
    if (first === undefined) {
      throw new AppError("DAEMON_UNREACHABLE", "no daemon is connected to the coordinator", {
        hint: "start one with `dora up`, or in the foreground with `dora daemon`",
      });
    }
    return this.#daemonOf(this.#daemons.has(hostname()) ? hostname() : first);
  }

  async #whenEnded(id: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = this.subscribe({
      onEvent: (event) => {
        if (event.dataflow !== id || event.type !== "dataflow") return;
        if (isEnded(event.state)) resolve();
      },
    });
    const timer = setTimeout(() => {
      reject(new AppError("DATAFLOW_STATE", "the dataflow did not end in time"));
    }, RESTART_PATIENCE_MS);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      leave();
    }
  }

  #nowUnixMs(): number {
    return Number(this.#clock.nowUnixNs() / 1_000_000n);
  }
}

export interface CoordinatorOptions {
  readonly stateFile: string;
  readonly log: Logger;
  readonly limits: CoordinatorLimits;
  readonly clock?: Clock;
}

/** `camera` of `/robot/camera.yaml`; other characters than a name may have become `-`. */
function nameOfFile(file: string): string {
  const name = basename(file, extname(file));
  return name.replaceAll(/[^\w.-]+/g, "-").replace(/^[.-]+/, "") || "dataflow";
}
