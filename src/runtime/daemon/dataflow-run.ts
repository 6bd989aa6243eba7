import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { linksOf } from "../dataflow/dataflow.ts";
import type { NodeConfig } from "../protocol/node-messages.ts";
import type { DataflowState, DataflowStatus, NodeEnd } from "../protocol/status.ts";
import { makeRunFolder } from "./daemon-folder.ts";
import { summariseFailure } from "./failure-summary.ts";
import { HeldStarts } from "./held-starts.ts";
import { Introductions } from "./introductions.ts";
import type { LaunchOptions } from "./launch.ts";
import { Launch } from "./launch.ts";
import type { NodeCommand } from "./node-command.ts";
import { LinkWords } from "./link-words.ts";
import { nodeConfig } from "./node-config.ts";
import { mergeLayers } from "./node-environment.ts";
import type { Admission, Hello, NodeConnection } from "./node-connection.ts";
import type { LinkMessage, NodeRunOwner } from "./node-owner.ts";
import { NodeRun } from "./node-run.ts";
import { nodeStatus } from "./node-status.ts";
import type { RunContext } from "./run-context.ts";
import { unixMs } from "./run-context.ts";
import { RunReport } from "./run-report.ts";
import { StartSpans } from "./start-spans.ts";
import { RunWatch } from "./run-watch.ts";

export interface DataflowRunOptions extends Omit<LaunchOptions, "folder"> {
  readonly file: string;
}

/** Of lines that a node that did not connect has printed. */
const SHOWN_LINES = 3;

/**
 * A dataflow from its start to its end. All goes on in the daemon's thread, by messages, ends of processes
 * and timers; the state of the whole is computed from the states of its nodes.
 */
export class DataflowRun implements NodeRunOwner<NodeRun> {
  readonly id: string;
  readonly name: string;
  readonly file: string;
  /** The file's: nodes and builds run there. */
  readonly folder: string;
  readonly nodes: ReadonlyMap<string, NodeRun>;
  readonly links: Introductions;
  readonly #words: LinkWords;
  readonly #report: RunReport;
  readonly #context: RunContext;
  readonly #watch: RunWatch;
  readonly #heldStarts: HeldStarts;
  readonly #startSpans: StartSpans;
  readonly #startedAtUnixMs: number;
  readonly #linkToken = randomBytes(16).toString("hex");
  readonly #buildAbort = new AbortController();
  readonly #failures: NodeRun[] = [];
  readonly #ended = Promise.withResolvers<void>();
  readonly #launch: Launch;
  readonly #runFolder: string;
  #endedAtUnixMs: number | null = null;
  #state: DataflowState | undefined;
  #isBuilding = false;
  /** The processes were started. */
  #isLaunched = false;
  /** All nodes listened, and were told to start. */
  #isStarted = false;
  #isStopping = false;
  #isPaused = false;
  #stoppedByFailure: readonly NodeRun[] = [];
  #cancelStartTimer: (() => void) | undefined;

  /** Errors: `FOLDER_UNSAFE`. */
  constructor(options: DataflowRunOptions, context: RunContext) {
    const { dataflow } = options;
    this.id = options.id;
    this.name = options.name;
    this.file = options.file;
    this.folder = dirname(options.file);
    this.#report = new RunReport(options, context);
    this.#context = context;
    this.#startedAtUnixMs = unixMs(context.clock);
    this.#runFolder = makeRunFolder(context.folder, options.id);
    this.#launch = new Launch({ ...options, folder: this.folder }, context);
    this.nodes = new Map(dataflow.nodes.map((node) => [node.id, new NodeRun(node, this, context)]));
    this.links = new Introductions(linksOf(dataflow), this.nodes, {
      clock: context.clock,
      emit: (event) => this.#report.emit(event),
    });
    this.#words = new LinkWords({
      links: this.links,
      report: this.#report,
      timers: context.timers,
      onFinished: () => this.#hurry(),
    });
    this.#watch = new RunWatch(this, dataflow, context);
    this.#startSpans = new StartSpans(
      mergeLayers([options.environment, dataflow.environment]),
      context.clock,
    );
    this.#heldStarts = new HeldStarts(this.links, context.timers, (node) => this.#begin(node));
  }

  get dataflow(): { readonly id: string; readonly name: string } {
    return { id: this.id, name: this.name };
  }

  get isOver(): boolean {
    return this.#endedAtUnixMs !== null;
  }

  /** Resolves when all nodes have ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  status(): DataflowStatus {
    return {
      id: this.id,
      name: this.name,
      file: this.file,
      state: this.#state ?? "starting",
      startedAtUnixMs: this.#startedAtUnixMs,
      endedAtUnixMs: this.#endedAtUnixMs,
      machine: this.#context.machine,
      nodes: [...this.nodes.values()].map(nodeStatus),
      links: this.links.status(),
    };
  }

  /**
   * Builds, where asked, and starts all nodes. Settles when their processes run, or the start has failed;
   * never rejects.
   */
  async start(isWithBuild: boolean): Promise<void> {
    this.#isBuilding = isWithBuild;
    this.#publish();
    if (isWithBuild && !(await this.#build())) return;
    const { commands, failures } = this.#launch.findCommands();
    if (failures.size > 0) {
      this.#giveUp(failures);
      return;
    }
    this.#isLaunched = true;
    this.#publish();
    this.#report.log("info", "The dataflow starts.");
    this.links.begin();
    for (const [id, command] of commands) {
      // One that cannot be started ends it.
      if (this.#isStopping) break;
      this.nodes.get(id)?.start(command);
    }
    const { timers, startTimeoutMs } = this.#context;
    this.#cancelStartTimer = timers.after(startTimeoutMs, () => this.#onStartTimeout());
    this.#tryStart();
    this.#publish();
  }

  /** Stops all nodes; each has the grace its file gives it, or `graceMs`. */
  stop(options: { readonly graceMs?: number; readonly force: boolean }): void {
    this.#isStopping = true;
    this.#buildAbort.abort();
    this.#report.log("info", `The dataflow is being ${options.force ? "killed" : "stopped"}.`);
    for (const node of this.nodes.values()) {
      if (options.force) node.stopByForce();
      else node.stop(options.graceMs ?? node.spec.finishGraceMs);
    }
    this.#publish();
  }

  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    for (const node of this.nodes.values()) this.pauseNode(node, isPaused);
    this.#publish();
  }

  /** A node that is not connected has nothing that could be paused; it goes on. */
  pauseNode(node: NodeRun, isPaused: boolean): void {
    if (!node.isConnected || !["running", "paused"].includes(node.state)) return;
    node.send({ type: isPaused ? "pause" : "resume" });
    node.setState(isPaused ? "paused" : "running");
  }

  /** Starts a node anew that has ended, or stops it first. */
  restartNode(node: NodeRun): void {
    if (node.hasProcess) {
      node.stop(node.spec.finishGraceMs, "restart");
      return;
    }
    const found = this.#launch.findCommand(node.spec);
    node.restarts += 1;
    if (found.status === "found") node.start(found.command);
    else node.failForGood(`cannot be started: ${found.message}`);
  }

  admit(hello: Hello, connection: NodeConnection): Admission {
    const node = this.nodes.get(hello.node);
    if (node === undefined) {
      return { status: "refused", message: `dataflow ${this.name} has no node ${hello.node}` };
    }
    if (this.isOver) return { status: "refused", message: `dataflow ${this.name} has ended` };
    return node.admit(hello, connection);
  }

  /** Each second: use of the machine, health, thresholds. */
  async tick(): Promise<void> {
    await this.#watch.tick();
  }

  configOf(node: NodeRun): NodeConfig {
    return nodeConfig(node, {
      dataflow: this.dataflow,
      folder: this.folder,
      runDirectory: this.#runFolder,
      linkToken: this.#linkToken,
    });
  }

  environmentOf(node: NodeRun, command: NodeCommand, token: string): Record<string, string> {
    const carriers = this.#startSpans.begin(node);
    const { restarts } = node;
    return this.#launch.environmentOf(node.spec, command, { token, restarts, carriers });
  }

  hasWorkLeft(node: NodeRun): boolean {
    return !this.#isStopping && this.links.hasOpenInputs(node);
  }

  onState(node: NodeRun): void {
    if (node.state === "failed") this.#failures.push(node);
    this.#startSpans.onState(node);
    this.#report.nodeChanged(node);
  }

  onListening(node: NodeRun): void {
    this.links.onListening(node);
    if (this.#isStarted) this.#heldStarts.onListening(node);
    else this.#tryStart();
  }

  onMessage(node: NodeRun, message: LinkMessage): void {
    this.#words.take(node, message);
  }

  onGone(node: NodeRun): void {
    if (node.state === "failed") {
      for (const [receiver, inputs] of this.links.receiversOf(node)) {
        const text = node.end?.message ?? "it failed";
        receiver.send({ type: "node-failed", node: node.id, inputs, message: text });
      }
    }
    if (node.isEnded || node.isDynamic) this.links.onEnded(node);
    if (node.state === "failed" && !this.#isStarted && !this.#isStopping) this.#failStart(node);
    this.#heldStarts.onChange();
    this.#hurry();
    this.#tryStart();
    this.#publish();
  }

  /** Once all that still run have finished, their processes get their grace to end. */
  #hurry(): void {
    const alive = [...this.nodes.values()].filter((node) => node.hasProcess);
    if (alive.every((node) => node.isFinished)) for (const node of alive) node.hurry();
  }

  async #build(): Promise<boolean> {
    for (const node of this.nodes.values()) {
      if (node.spec.build.length > 0) node.setState("building");
    }
    const failures = await this.#launch.build(this.#buildAbort.signal, (event) => {
      this.#report.emit(event);
      if (event.state === "done") this.nodes.get(event.node)?.setState("starting");
    });
    this.#isBuilding = false;
    if (this.#isStopping) {
      this.#publish();
      return false;
    }
    if (failures.size > 0) this.#giveUp(failures);
    return failures.size === 0;
  }

  /** What cannot run does not begin: these nodes have failed, and the others are stopped. */
  #giveUp(failures: ReadonlyMap<string, Omit<NodeEnd, "atUnixMs">>): void {
    this.#isStopping = true;
    const atUnixMs = unixMs(this.#context.clock);
    for (const [id, failure] of failures) this.nodes.get(id)?.failWith({ ...failure, atUnixMs });
    this.#stopRest();
  }

  /** Once nobody is awaited any more, events begin. */
  #tryStart(): void {
    if (this.#isStarted || this.#isStopping || !this.#isLaunched) return;
    if (this.#awaited().length > 0) return;
    this.#isStarted = true;
    this.#cancelStartTimer?.();
    for (const node of this.nodes.values()) {
      if (node.isListening || (!node.mustConnect && node.hasProcess)) this.#begin(node);
    }
    this.#publish();
  }

  #awaited(): readonly NodeRun[] {
    return [...this.nodes.values()].filter(
      (node) => node.mustConnect && !node.isListening && !node.isEnded,
    );
  }

  #begin(node: NodeRun): void {
    if (node.hasBegun) {
      // The same process: its connection was lost, or it has new inputs.
      node.send({ type: "start" });
      return;
    }
    node.hasBegun = true;
    node.send({ type: "start" });
    this.links.tellClosed(node);
    node.setState("running");
    if (this.#isPaused) this.pauseNode(node, true);
    if (node.restarts > 0) {
      for (const receiver of this.links.receiversOf(node).keys()) {
        receiver.send({ type: "node-restarted", node: node.id });
      }
    }
  }

  #onStartTimeout(): void {
    const seconds = this.#context.startTimeoutMs / 1000;
    for (const node of this.#awaited()) {
      const printed = node.lastStderr().slice(-SHOWN_LINES).join(" | ") || "nothing";
      node.failForGood(
        `did not connect to the daemon within ${seconds} s; on standard error it printed: ${printed}`,
      );
    }
  }

  /** A dataflow that has not begun does not begin without one of its nodes. */
  #failStart(failed: NodeRun): void {
    this.#report.log("error", `The dataflow cannot start: node ${failed.id} failed.`);
    this.#isStopping = true;
    this.#stopRest();
  }

  #stopRest(): void {
    this.#stoppedByFailure = [...this.nodes.values()].filter(
      (node) => !node.isEnded && !node.isDynamic,
    );
    for (const node of this.nodes.values()) {
      if (!node.isEnded) node.stop(node.spec.finishGraceMs);
    }
    this.#publish();
  }

  /** Tells the state of the whole, where it has changed, and ends what is over. */
  #publish(): void {
    if (this.isOver) return;
    const all = [...this.nodes.values()];
    const own = all.filter((node) => !node.isDynamic);
    const awaited = this.#isStopping || own.length === 0 ? all : own;
    if (!this.#isBuilding && awaited.every((node) => node.isEnded)) {
      this.#finish();
      return;
    }
    const state = this.#stateWhileAlive();
    if (state === this.#state) return;
    this.#state = state;
    this.#report.emit({ type: "dataflow", state });
  }

  #stateWhileAlive(): DataflowState {
    if (this.#isStopping) return "stopping";
    if (this.#isBuilding) return "building";
    if (!this.#isStarted) return "starting";
    return this.#isPaused ? "paused" : "running";
  }

  #finish(): void {
    this.#endedAtUnixMs = unixMs(this.#context.clock);
    this.#cancelStartTimer?.();
    const all = [...this.nodes.values()];
    for (const node of all) if (!node.isEnded) node.stop(0);
    const failure = summariseFailure(
      // One that was started again by hand may have ended well since.
      this.#failures.filter((node) => node.state === "failed"),
      (node) => this.links.receiversOf(node).keys(),
      this.#stoppedByFailure,
    );
    const isStopped = this.#isStopping || all.every((node) => node.state === "stopped");
    const ending: DataflowState = isStopped ? "stopped" : "completed";
    this.#state = failure === undefined ? ending : "failed";
    this.#report.ended(this.#state, failure);
    rmSync(this.#runFolder, { recursive: true, force: true });
    this.#ended.resolve();
  }
}
