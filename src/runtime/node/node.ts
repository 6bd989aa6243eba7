import { readFileSync } from "node:fs";
import { type Clock, systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import type { DaemonMessage, NodeConfig, Parameters } from "../protocol/node-messages.ts";
import { CLOSE_TIMEOUT_MS } from "../transports/transport.ts";
import { DaemonLink } from "./daemon-link.ts";
import { EventStream } from "./event-stream.ts";
import type { NodeEvent } from "./events.ts";
import { GaugeReporter } from "./gauge-reporter.ts";
import { HopRecorder } from "./hop-recorder.ts";
import { MessageSender } from "./message-sender.ts";
import { NodeInputs } from "./node-inputs.ts";
import { NodeLog } from "./node-log.ts";
import { NodeOutputs } from "./node-outputs.ts";
import { findPlace, findRestarts, type PlaceOptions } from "./node-place.ts";
import { NodeTransports } from "./node-transports.ts";
import { forgetProcessEnd, type ProcessEndListener, watchProcessEnd } from "./process-end.ts";
import { type Scheduler, systemScheduler } from "./scheduler.ts";
import { StopDeadline } from "./stop-deadline.ts";
import type { TraceContext } from "./trace.ts";

export interface ConnectOptions extends PlaceOptions {
  /** What is done before the daemon is told that the node listens, such as loading what events need. */
  readonly prepare?: (config: NodeConfig) => Promise<void>;
  /** For tests. */
  readonly clock?: Clock;
  /** For tests: what timers and input time-outs run by. */
  readonly scheduler?: Scheduler;
}

export interface SendOptions {
  /**
   * What the message is sent because of: an event, or any span. Needed only where several events are handled
   * at once; by default it is the event that was taken last and is not handled yet.
   */
  readonly parent?: TraceContext;
}

/** What the daemon told the node about itself, but for what is secret. */
export type NodeInfo = Omit<NodeConfig, "linkToken" | "parameters" | "runDirectory">;

/**
 * A node of a dataflow: takes events, and sends messages on its outputs.
 *
 * Threads: an instance belongs to one thread. Sends may overlap; events are taken by one loop.
 * Source:  docs/node-api.md, docs/node-protocol.md
 * Example: examples in docs/node-api.md, run by a test
 */
export class Node implements AsyncIterable<NodeEvent>, AsyncDisposable {
  /** Writes to the dataflow's log. */
  readonly log: NodeLog;
  /** How often the daemon started this node again. */
  readonly restartCount: number;
  readonly #info: Omit<NodeInfo, "inputs">;
  readonly #daemon: DaemonLink;
  readonly #hops: HopRecorder;
  readonly #events: EventStream;
  readonly #transports: NodeTransports;
  readonly #inputs: NodeInputs;
  readonly #outputs: NodeOutputs;
  readonly #sender: MessageSender;
  readonly #gauges: GaugeReporter;
  #parameters: Parameters;
  /** Links that the daemon told of before it said `start`. */
  readonly #connecting: Promise<void>[] = [];
  #isStarted = false;
  #settleStart: (() => void) | undefined;
  readonly #lost = Promise.withResolvers<void>();
  readonly #deadline: StopDeadline;
  #closing: Promise<void> | undefined;

  private constructor(daemon: DaemonLink, config: NodeConfig, options: ConnectOptions) {
    const { dataflow, node, outputs, operators } = config;
    this.#info = { dataflow, node, outputs, operators };
    this.#parameters = config.parameters;
    this.#daemon = daemon;
    this.restartCount = findRestarts(options);
    const clock = options.clock ?? systemClock;
    const scheduler = options.scheduler ?? systemScheduler;
    this.#deadline = new StopDeadline(scheduler);
    this.#hops = new HopRecorder(systemScheduler, (body) => daemon.trySendHops(body));
    this.#events = new EventStream(clock, this.#hops);
    this.log = new NodeLog(
      clock,
      () => this.#events.current,
      (message) => daemon.send(message),
    );
    this.#transports = new NodeTransports(config, (reason) =>
      this.log.warn(`a connection to this node was turned away: ${reason}`),
    );
    this.#inputs = new NodeInputs({
      events: this.#events,
      transports: this.#transports,
      clock,
      scheduler,
      linkToken: config.linkToken,
      onEnded: (input) => daemon.send({ type: "input-closed", input }),
    });
    this.#outputs = new NodeOutputs(config, {
      transports: this.#transports,
      onLinkFailed: (link, message) => {
        daemon.send({ type: "link-failed", link, message });
        this.#events.tell({ type: "error", message: `link ${link} is not there: ${message}` });
      },
    });
    this.#sender = new MessageSender(clock, this.#hops);
    this.#gauges = new GaugeReporter(config, {
      daemon,
      events: this.#events,
      log: this.log,
      hops: this.#hops,
      outputs: this.#outputs,
      connections: () => this.#inputs.connections + this.#outputs.connections,
    });
  }

  /**
   * Connects this process to its daemon, which started it with the environment that says who it is; with
   * `node`, a dynamic node that was started by hand. Resolves when all nodes of the dataflow can receive.
   *
   * Errors: `DAEMON_UNREACHABLE`, `NODE_REFUSED`.
   */
  static async connect(options: ConnectOptions = {}): Promise<Node> {
    const place = findPlace(options, libraryName());
    const daemon = new DaemonLink(place.socketPath, place.hello);
    const config = await daemon.open();
    await options.prepare?.(config);
    const node = new Node(daemon, config, options);
    await node.#begin(config);
    return node;
  }

  get id(): string {
    return this.#info.node.id;
  }

  /** The inputs are those of now: links may be added and taken away while the dataflow runs. */
  get config(): NodeInfo {
    return { ...this.#info, inputs: this.#events.queues.map(({ config }) => config) };
  }

  /** As they are now; a change is also told as an event. */
  get parameters(): Parameters {
    return this.#parameters;
  }

  /** Whether the daemon has paused it: nothing but `stop` is given out. */
  get isPaused(): boolean {
    return this.#events.isPaused;
  }

  /** Messages that wait on all inputs. */
  get queuedCount(): number {
    return this.#events.queues.reduce((sum, { queued }) => sum + queued, 0);
  }

  /** Resolves when the daemon knows this node no more: where it stands for a process, that has ended. */
  get lost(): Promise<void> {
    return this.#lost.promise;
  }

  /** Whether `stop` was taken, or the node closed: no event follows. */
  get isEnded(): boolean {
    return this.#events.isEnded;
  }

  /**
   * The next event. Undefined where none comes within `timeoutMs`, and at the end: `isEnded` tells them apart.
   * What was given out before counts as handled with the call.
   */
  next(timeoutMs?: number): Promise<NodeEvent | undefined> {
    return this.#events.next(timeoutMs);
  }

  /** The next event, where one is there already. */
  tryNext(): NodeEvent | undefined {
    return this.#events.tryNext();
  }

  /**
   * The event that was given out last is handled until the returned function is called, whatever is taken
   * meanwhile: for who handles several at once. What is sent or logged because of it names it.
   */
  hold(): () => void {
    return this.#events.holdCurrent();
  }

  /**
   * Messages of these inputs wait in their queues until the returned function is called: for who handles some
   * inputs beside others.
   */
  holdInputs(ids: readonly string[]): () => void {
    return this.#events.holdInputs(ids);
  }

  /** How many links leave an output now. Errors: `OUTPUT_UNKNOWN`. */
  linkCount(output: string): number {
    return this.#outputs.find(output).links.size;
  }

  /** Events until `stop`, which is the last one. */
  [Symbol.asyncIterator](): AsyncIterator<NodeEvent, undefined> {
    return {
      next: () => this.#events.next().then(iteratorResult),
    };
  }

  /**
   * Sends a message to every input that the output is linked to. Resolves when each link has taken it, so
   * that who waits for it is never faster than the slowest receiver. Messages arrive in the order of the calls.
   *
   * `value`: bytes; a typed array; an Arrow vector, table or batch; or undefined for none. Its memory must
   * stay as it is from now on.
   * Errors: `OUTPUT_UNKNOWN`, `METADATA_INVALID`, `VALUE_UNSUPPORTED`, `FORMAT_MISMATCH`,
   *         `MESSAGE_TOO_LARGE`, `NODE_CLOSED`.
   */
  async sendOutput(
    id: string,
    value?: unknown,
    metadata?: Parameters,
    options?: SendOptions,
  ): Promise<void> {
    const output = this.#outputs.find(id);
    if (output.isClosed || this.#closing !== undefined) {
      throw new AppError("NODE_CLOSED", `output "${id}" of node ${this.id} is closed`);
    }
    const parent = options?.parent ?? this.#events.current;
    await this.#sender.send(output, { value, metadata, parent });
  }

  /** Ends outputs: their receivers are told, once they have everything. Errors: `OUTPUT_UNKNOWN`. */
  async closeOutputs(...ids: readonly string[]): Promise<void> {
    await this.#outputs.close(
      ids.map((id) => this.#outputs.find(id)),
      this.#deadline.closeBudgetMs,
    );
    this.#daemon.send({ type: "outputs-closed", outputs: ids });
  }

  /**
   * Ends the node: what was sent is brought to its receivers, within the time that the daemon grants or 5 s,
   * then the daemon is told. The process may go on. Safe to call twice.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#close(this.#deadline.closeBudgetMs);
    await this.#closing;
  }

  /** Ends the node as its process's death would: links are cut, and the daemon says what becomes of them. */
  async abandon(): Promise<void> {
    this.#closing ??= this.#close(0);
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #begin(config: NodeConfig): Promise<void> {
    watchProcessEnd(this.#atProcessEnd);
    const started = new Promise<void>((resolve) => (this.#settleStart = resolve));
    await Promise.all(config.inputs.map((input) => this.#inputs.add(input)));
    this.#daemon.listen({
      onMessage: (message) => this.#take(message),
      onReconnected: () => void this.#sayListening(),
      onRefused: () => {
        this.#stop("daemon-lost", CLOSE_TIMEOUT_MS);
        this.#lost.resolve();
      },
      onFault: (message) => this.log.warn(message),
    });
    await this.#sayListening();
    this.#gauges.start();
    await started;
  }

  async #sayListening(): Promise<void> {
    this.#daemon.send({ type: "listening", inboxes: await this.#transports.addresses() });
  }

  #take(message: Exclude<DaemonMessage, { readonly type: "welcome" | "refused" }>): void {
    switch (message.type) {
      case "connect":
        this.#connecting.push(this.#outputs.connect(message.links));
        return;
      case "disconnect":
        void this.#outputs.disconnect(message.links);
        return;
      case "start":
        void this.#start();
        return;
      case "stop":
        this.#takeStop(message.reason, message.graceMs);
        return;
      case "pause":
        this.#inputs.pause();
        this.#events.pause();
        return;
      case "resume":
        this.#inputs.resume();
        this.#events.resume();
        return;
      case "parameters":
        this.#setParameters(message.set, message.deleted);
        return;
      case "input-added":
        void this.#inputs.add(message.input).then(() => this.#sayListening());
        return;
      case "input-removed":
        void this.#inputs.remove(message.input);
        return;
      case "input-closed":
        this.#inputs.end(message.input);
        return;
      case "input-recovered":
        this.#inputs.recover(message.input);
        return;
      case "logs":
        this.#inputs.entries(message.input, message.entries);
        return;
      case "node-failed":
      case "node-restarted":
      case "reload":
        this.#events.tell(message);
    }
  }

  async #start(): Promise<void> {
    // Told again by a daemon that came back.
    if (this.#isStarted) return;
    this.#isStarted = true;
    await Promise.all(this.#connecting.splice(0));
    this.#inputs.start();
    this.#events.resume();
    this.#settleStart?.();
  }

  #takeStop(reason: "manual" | "all-inputs-closed", graceMs: number): void {
    if (reason === "all-inputs-closed" && this.#inputs.endAll()) return;
    this.#stop(reason, graceMs);
  }

  #stop(reason: "manual" | "all-inputs-closed" | "daemon-lost", graceMs: number): void {
    this.#inputs.pause();
    this.#events.stop({ type: "stop", reason, graceMs });
    this.#settleStart?.();
    this.#deadline.begin(graceMs, () => this.#outputs.senders);
  }

  #setParameters(set: Parameters, deleted: readonly string[]): void {
    const kept = Object.entries(this.#parameters).filter(([key]) => !deleted.includes(key));
    this.#parameters = { ...Object.fromEntries(kept), ...set };
    this.#events.tell({ type: "parameters", set, deleted, parameters: this.#parameters });
  }

  async #close(budgetMs: number): Promise<void> {
    this.#events.end();
    this.#inputs.pause();
    await this.#outputs.closeAll(budgetMs);
    this.#gauges.stop();
    this.#daemon.send({ type: "outputs-closed", outputs: [] });
    this.#flush();
    this.#daemon.send({ type: "finished" });
    this.#deadline.cancel();
    forgetProcessEnd(this.#atProcessEnd);
    await this.#daemon.close(CLOSE_TIMEOUT_MS);
    await this.#transports.close();
  }

  #flush(): void {
    this.#hops.close();
    this.log.flush();
  }

  readonly #atProcessEnd: ProcessEndListener = {
    onCrash: () => this.#events.current?.fail(),
    // Writes to a local socket are with the system when the call returns: nothing of them is lost here.
    onExit: () => {
      this.#events.finishCurrent();
      this.#flush();
    },
  };
}

function iteratorResult(event: NodeEvent | undefined): IteratorResult<NodeEvent, undefined> {
  return event === undefined ? { done: true, value: undefined } : { done: false, value: event };
}

/** Code that was bundled has no package.json beside it. */
function libraryName(): string {
  const name = "dora-dataflow/node";
  try {
    const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
    return `${name} ${/"version": "([^"]+)"/.exec(text)?.[1] ?? "of no version"}`;
  } catch {
    return name;
  }
}
