import { errorMessage } from "../../core/errors.ts";
import type { DataflowInput, DataflowNode } from "../dataflow/dataflow.ts";
import type { DaemonMessage, InboxAddress, Parameters } from "../protocol/node-messages.ts";
import type { NodeTelemetry } from "../protocol/run-telemetry.ts";
import type { NodeEnd, NodeState } from "../protocol/status.ts";
import type { NodeCommand } from "./node-command.ts";
import type { Admission, AdmittedMessage, Hello, NodeConnection } from "./node-connection.ts";
import { nodeEnd } from "./node-end.ts";
import { nodeIdentity } from "./node-identity.ts";
import { NodeGaugesReading } from "./node-gauges.ts";
import type { NodeRunOwner } from "./node-owner.ts";
import type { ProcessEnd } from "./node-process.ts";
import { NodeProcess } from "./node-process.ts";
import { NodeToken } from "./node-token.ts";
import { OutputTail } from "./output-tail.ts";
import { RestartBudget } from "./restart-budget.ts";
import type { RunContext } from "./run-context.ts";
import { unixMs } from "./run-context.ts";

/** What is to follow the end of the process. */
type Intention = "stop" | "restart";

const ENDED: ReadonlySet<NodeState> = new Set<NodeState>(["completed", "stopped", "failed"]);

/**
 * One node of a running dataflow: its process, of which there may be several one after the other, and
 * its connection.
 *
 *     starting ─► running ◄─► paused
 *         │          │
 *         ├──────────┴─► restarting ─► starting      by its restart policy, or asked for
 *         ├──► stopping ─► stopped                    asked for
 *         └──► completed | failed                     by itself
 */
export class NodeRun {
  readonly spec: DataflowNode;
  readonly gauges = new NodeGaugesReading();
  inputs: readonly DataflowInput[];
  parameters: Parameters;
  inboxes: readonly InboxAddress[] = [];
  isListening = false;
  /** Counts its processes; of a dynamic node its connections. */
  epoch = 0;
  /** This process was told to start. */
  hasBegun = false;
  restarts = 0;
  end: NodeEnd | undefined;
  telemetry: NodeTelemetry | undefined;
  cpuCores: number | null = null;
  memoryBytes: number | null = null;
  readonly #owner: NodeRunOwner<NodeRun>;
  readonly #context: RunContext;
  readonly #budget: RestartBudget;
  #state: NodeState = "starting";
  #process: NodeProcess | undefined;
  #connection: NodeConnection | undefined;
  #helloPid: number | undefined;
  readonly #token = new NodeToken();
  #stderr = new OutputTail();
  #intention: Intention | undefined;
  /** Why the daemon killed it. */
  #killReason: string | undefined;
  #isPastRestart = false;
  /** It said that it sends no more. */
  #isFinished = false;
  /** It had finished, and was made to end. */
  #isOverdue = false;
  #lastHeardMs: number | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(spec: DataflowNode, owner: NodeRunOwner<NodeRun>, context: RunContext) {
    this.spec = spec;
    this.inputs = spec.inputs;
    this.parameters = spec.parameters;
    this.#owner = owner;
    this.#context = context;
    this.#budget = new RestartBudget(spec.restart);
  }

  get id(): string {
    return this.spec.id;
  }

  get state(): NodeState {
    return this.#state;
  }

  get isEnded(): boolean {
    return ENDED.has(this.#state);
  }

  get isDynamic(): boolean {
    return this.spec.source.kind === "dynamic";
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** Whether it must speak with the daemon; one without inputs and outputs may be any program. */
  get mustConnect(): boolean {
    return !this.isDynamic && (this.inputs.length > 0 || this.spec.outputs.length > 0);
  }

  get hasProcess(): boolean {
    return this.#process !== undefined;
  }

  get pid(): number | null {
    return this.#process?.pid ?? this.#helloPid ?? null;
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Whether its process is followed by another one, as far as that is known before its end. */
  get mayComeAgain(): boolean {
    if (this.isDynamic || this.#intention === "stop") return false;
    return this.#intention === "restart" || this.spec.restart.policy !== "never";
  }

  lastStderr(): readonly string[] {
    return this.#stderr.lines();
  }

  setState(state: NodeState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#owner.onState(this);
  }

  send(message: DaemonMessage): void {
    this.#connection?.send(message);
  }

  start(command: NodeCommand): void {
    const token = this.#token.renew();
    this.epoch += 1;
    this.hasBegun = false;
    this.#stderr = new OutputTail();
    this.#intention = undefined;
    this.#killReason = undefined;
    this.#isFinished = false;
    this.#isOverdue = false;
    this.#lastHeardMs = undefined;
    try {
      this.#process = new NodeProcess({
        command,
        folder: this.#owner.folder,
        environment: this.#owner.environmentOf(this, command, token),
        guard: this.#context.guard,
        timers: this.#context.timers,
        onOutput: (stream, chunk) => {
          if (stream === "stderr") this.#stderr.add(chunk);
          this.telemetry?.output(stream, chunk);
        },
        onEnd: (end) => void this.#lastWords().then(() => this.#onProcessEnd(end, command)),
      });
    } catch (error) {
      this.failForGood(`cannot be started: ${errorMessage(error)}`);
      return;
    }
    // Told with its process id.
    this.setState("starting");
    const { pid } = this.#process;
    if (pid === undefined) return;
    this.#beginTelemetry(pid);
    void this.#context.record.add(pid, `${this.#owner.dataflow.id}/${this.id}`);
  }

  /** Fails without a process, or with one that is killed for it; nothing starts it again. */
  failForGood(reason: string): void {
    this.#isPastRestart = true;
    if (this.#process === undefined) {
      this.#cancelTimer?.();
      this.#finish("failed", this.#endOf({ exitCode: null, signal: null }, reason));
      return;
    }
    this.kill(reason);
  }

  /** Ends it before it had a process. */
  failWith(end: NodeEnd): void {
    this.#finish("failed", end);
  }

  /** Kills its process, which counts as a failure. */
  kill(reason: string): void {
    this.#killReason ??= reason;
    this.#process?.kill();
  }

  /**
   * Asks it to stop: by a message, or by SIGTERM where it has no connection; after the grace by SIGTERM,
   * then by SIGKILL.
   */
  stop(graceMs: number, then: "stop" | "restart" = "stop"): void {
    this.#cancelTimer?.();
    if (this.isDynamic) {
      this.#stopDynamic(graceMs);
      return;
    }
    if (this.#process === undefined) {
      if (!this.isEnded) this.#finish("stopped", this.end);
      return;
    }
    this.#intention = then;
    this.setState("stopping");
    if (this.#connection === undefined || graceMs <= 0) this.#process.terminate();
    else this.send({ type: "stop", reason: "manual", graceMs });
    this.#cancelTimer = this.#context.timers.after(graceMs, () => this.#process?.terminate());
  }

  /** It has finished, and nobody works any more: its process gets its grace to end. */
  hurry(): void {
    if (this.#intention !== undefined || this.#isOverdue || this.#process === undefined) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#context.timers.after(this.spec.finishGraceMs, () => {
      this.#isOverdue = true;
      this.#process?.terminate();
    });
  }

  /** Ends it at once, without asking. */
  stopByForce(): void {
    this.#cancelTimer?.();
    this.#intention = "stop";
    if (this.isDynamic) this.#stopDynamic(0);
    else if (this.#process !== undefined) this.#process.kill();
    else if (!this.isEnded) this.#finish("stopped", this.end);
  }

  /** Lets a process in that shows the token it was started with; a dynamic node shows none. */
  admit(hello: Hello, connection: NodeConnection): Admission {
    if (this.isDynamic) {
      if (this.#connection !== undefined) return refused(`node ${this.id} is connected already`);
      this.epoch += 1;
      this.hasBegun = false;
      this.#helloPid = hello.pid;
      this.#beginTelemetry(hello.pid);
      this.end = undefined;
      this.#isFinished = false;
    } else if (this.#process === undefined || !this.#token.isShownBy(hello.token)) {
      return refused(`node ${this.id} was not started with this token: it may be an older process`);
    }
    const previous = this.#connection;
    this.#connection = connection;
    previous?.destroy();
    this.isListening = false;
    this.#lastHeardMs = this.#context.clock.monotonicMs();
    connection.send({ type: "welcome", config: this.#owner.configOf(this) });
    return {
      status: "admitted",
      receiver: {
        onMessage: (message) => {
          if (this.#connection === connection) this.#take(message);
        },
        onHops: (body) => {
          this.#lastHeardMs = this.#context.clock.monotonicMs();
          this.telemetry?.hops(body);
        },
        onClose: () => {
          if (this.#connection === connection) this.#onDisconnected();
        },
      },
    };
  }

  /** Kills a process that has said nothing for longer than its file allows. */
  checkHealth(): void {
    const { healthCheckTimeoutMs } = this.spec;
    if (healthCheckTimeoutMs === 0 || this.#lastHeardMs === undefined) return;
    if (this.#process === undefined || this.#intention !== undefined) return;
    const silentMs = this.#context.clock.monotonicMs() - this.#lastHeardMs;
    if (silentMs <= healthCheckTimeoutMs) return;
    const seconds = healthCheckTimeoutMs / 1000;
    this.kill(`killed: it said nothing for ${seconds} s (health_check_timeout)`);
  }

  #take(message: AdmittedMessage): void {
    this.#lastHeardMs = this.#context.clock.monotonicMs();
    switch (message.type) {
      case "log":
        this.telemetry?.log(message.records);
        break;
      case "gauges":
        this.gauges.take(message.gauges, this.#lastHeardMs);
        this.telemetry?.gauges(message.gauges);
        break;
      case "listening":
        this.inboxes = message.inboxes;
        this.isListening = true;
        this.#owner.onListening(this);
        break;
      case "finished":
        this.#isFinished = true;
        this.#owner.onMessage(this, message);
        break;
      case "input-closed":
      case "link-failed":
      case "outputs-closed":
        this.#owner.onMessage(this, message);
    }
  }

  #onDisconnected(): void {
    this.#connection = undefined;
    this.isListening = false;
    if (!this.isDynamic) return;
    this.#cancelTimer?.();
    this.telemetry?.ended(this.restarts);
    this.telemetry = undefined;
    this.#helloPid = undefined;
    const intention = this.#intention;
    this.#intention = undefined;
    this.setState(intention === "stop" ? "stopped" : this.#isFinished ? "completed" : "starting");
    this.#owner.onGone(this);
  }

  #stopDynamic(graceMs: number): void {
    this.#intention = "stop";
    const connection = this.#connection;
    if (connection === undefined) {
      if (!this.isEnded) this.setState("stopped");
      return;
    }
    this.setState("stopping");
    connection.send({ type: "stop", reason: "manual", graceMs });
    this.#cancelTimer = this.#context.timers.after(graceMs, () => connection.close());
  }

  /** What was said at its end is read first: by itself, or by the gateway, which stands in for it and lives on. */
  async #lastWords(): Promise<void> {
    if (this.#connection === undefined || this.#isFinished) return;
    await this.#connection.lastWords(this.#context.timers);
  }

  #onProcessEnd(processEnd: ProcessEnd, command: NodeCommand): void {
    const pid = this.#process?.pid;
    if (pid !== undefined) this.#context.record.remove(pid);
    this.#process = undefined;
    this.#cancelTimer?.();
    this.#connection?.destroy();
    this.#connection = undefined;
    this.isListening = false;
    this.telemetry?.ended(this.restarts);
    this.cpuCores = null;
    this.memoryBytes = null;
    const end = this.#endOf(processEnd, this.#killReason);
    const isFailure = this.#killReason !== undefined || (end.exitCode !== 0 && !this.#isOverdue);
    if (this.#intention === "stop") {
      this.#finish("stopped", end);
      return;
    }
    if (this.#intention === "restart") {
      this.#startAgain(command, 0, end);
      return;
    }
    const mayRestart = !this.#isPastRestart && (isFailure || this.#owner.hasWorkLeft(this));
    const delayMs = mayRestart
      ? this.#budget.grant(isFailure, this.#context.clock.monotonicMs())
      : undefined;
    if (delayMs !== undefined) this.#startAgain(command, delayMs, end);
    else this.#finish(isFailure ? "failed" : "completed", end);
  }

  #startAgain(command: NodeCommand, delayMs: number, end: NodeEnd): void {
    this.end = end;
    this.restarts += 1;
    this.setState("restarting");
    this.#owner.onGone(this);
    this.#cancelTimer = this.#context.timers.after(delayMs, () => this.start(command));
  }

  #finish(state: "completed" | "stopped" | "failed", end: NodeEnd | undefined): void {
    this.end = end;
    this.setState(state);
    this.#owner.onGone(this);
  }

  #endOf(processEnd: ProcessEnd, reason: string | undefined): NodeEnd {
    return nodeEnd({
      processEnd,
      reason,
      lastStderr: this.#stderr.lines(),
      atUnixMs: unixMs(this.#context.clock),
    });
  }

  #beginTelemetry(pid: number): void {
    this.gauges.clear();
    const identity = nodeIdentity(this, this.#owner.dataflow);
    this.telemetry = this.#context.telemetry.nodeStarted(identity, pid);
  }
}

function refused(message: string): Admission {
  return { status: "refused", message };
}
