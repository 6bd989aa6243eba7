import type { Clock } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import type { InputConfig, InputSource } from "../protocol/node-messages.ts";
import type { InboxLink, LinkReceiver } from "../transports/transport.ts";
import type { EventStream } from "./event-stream.ts";
import type { InputQueue, QueuedMessage } from "./input-queue.ts";
import { InputWatch } from "./input-watch.ts";
import { IntervalTimer } from "./interval-timer.ts";
import { type NodeTransports, topicOf } from "./node-transports.ts";
import type { Scheduler } from "./scheduler.ts";

interface OpenInput {
  readonly queue: InputQueue;
  readonly watch: InputWatch | undefined;
  timer: IntervalTimer | undefined;
  link: InboxLink | undefined;
  isConnected: boolean;
}

export interface InputSetup {
  readonly events: EventStream;
  readonly transports: NodeTransports;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly linkToken: string;
  /** An input's sender has closed it: the daemon knows whether it comes again. */
  readonly onEnded: (input: string) => void;
}

/** What feeds a node's inputs: links, timers and time-outs. */
export class NodeInputs {
  readonly #setup: InputSetup;
  readonly #inputs = new Map<string, OpenInput>();
  #isRunning = false;

  constructor(setup: InputSetup) {
    this.#setup = setup;
  }

  get connections(): number {
    return this.#inputs.values().reduce((sum, { isConnected }) => sum + (isConnected ? 1 : 0), 0);
  }

  /** An input that cannot be opened is told as an event, and its senders will find nobody. */
  async add(config: InputConfig): Promise<void> {
    const { events, scheduler } = this.#setup;
    const queue = events.addInput(config);
    const timeoutMs = config.inputTimeoutMs;
    const watch =
      timeoutMs === undefined
        ? undefined
        : new InputWatch(timeoutMs, scheduler, {
            isWaiting: () => !queue.isEmpty,
            onTimeout: () => events.closeInput(queue, "timeout"),
          });
    const input: OpenInput = {
      queue,
      watch,
      timer: undefined,
      link: undefined,
      isConnected: false,
    };
    this.#inputs.set(config.id, input);
    const { source } = config;
    if (source.kind === "timer") {
      input.timer = new IntervalTimer(source.intervalNs, scheduler, () => this.#tick(queue));
    } else if (source.kind === "link") {
      await this.#accept(input, source);
    }
    if (this.#isRunning) this.#startInput(input);
  }

  async remove(id: string): Promise<void> {
    const input = this.#inputs.get(id);
    if (input === undefined) return;
    this.#inputs.delete(id);
    this.#setup.events.removeInput(id);
    input.watch?.stop();
    input.timer?.pause();
    await input.link?.close();
  }

  start(): void {
    this.#isRunning = true;
    for (const input of this.#inputs.values()) this.#startInput(input);
  }

  pause(): void {
    this.#isRunning = false;
    for (const { watch, timer } of this.#inputs.values()) {
      watch?.stop();
      timer?.pause();
    }
  }

  resume(): void {
    this.#isRunning = true;
    for (const { watch, timer } of this.#inputs.values()) {
      watch?.start();
      timer?.resume();
    }
  }

  /** An input's sender is gone. An id that is not known is passed over. */
  end(id: string): void {
    const input = this.#inputs.get(id);
    if (input === undefined) return;
    input.watch?.stop();
    this.#setup.events.closeInput(input.queue, "ended");
  }

  /** Ends all, timers as well; false where there is none. */
  endAll(): boolean {
    for (const [id, { timer }] of this.#inputs) {
      timer?.pause();
      this.end(id);
    }
    return this.#inputs.size > 0;
  }

  recover(id: string): void {
    const input = this.#inputs.get(id);
    if (input === undefined) return;
    if (this.#isRunning) input.watch?.start();
    this.#setup.events.recover(input.queue);
  }

  entries(id: string, entries: readonly string[]): void {
    const queue = this.#inputs.get(id)?.queue;
    if (queue === undefined) return;
    const unixNs = this.#setup.clock.nowUnixNs();
    for (const entry of entries)
      this.#setup.events.receive(queue, { kind: "entry", unixNs, entry });
  }

  #startInput({ watch, timer }: OpenInput): void {
    watch?.start();
    timer?.start();
  }

  #tick(queue: InputQueue): void {
    this.#setup.events.receive(queue, { kind: "tick", unixNs: this.#setup.clock.nowUnixNs() });
  }

  async #accept(input: OpenInput, source: Extract<InputSource, { kind: "link" }>): Promise<void> {
    const { events, transports, linkToken } = this.#setup;
    const { config } = input.queue;
    try {
      const { guarantees } = await transports.transport(source.transport, source.node);
      const inbox = await transports.inbox(source.transport, source.node);
      const topic = topicOf(source.link, source.transport);
      const isConfirmed = guarantees.delivery === "at least once";
      const link = await inbox.accept(
        { topic, token: linkToken },
        this.#receiver(input, isConfirmed),
      );
      input.link = link;
      input.queue.source = link;
    } catch (error) {
      const message = `input ${config.id} cannot be received: ${errorMessage(error)}`;
      events.tell({ type: "error", input: config.id, message });
    }
  }

  #receiver(input: OpenInput, isConfirmed: boolean): LinkReceiver {
    const { clock, events, onEnded } = this.#setup;
    const { queue, watch } = input;
    const receive = (message: Omit<QueuedMessage, "kind" | "receivedUnixNs">): void => {
      watch?.touch();
      const receivedUnixNs = clock.nowUnixNs();
      events.receive(queue, { kind: "message", ...message, receivedUnixNs });
    };
    return {
      onMessage: (header, payload, topic) =>
        isConfirmed
          ? new Promise((done) => receive({ header, payload, topic, done }))
          : receive({ header, payload, topic }),
      onEnd: () => onEnded(queue.config.id),
      onConnection: (isConnected) => {
        input.isConnected = isConnected;
      },
    };
  }
}
