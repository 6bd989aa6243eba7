import { assert } from "../../core/assert.ts";
import type { Clock } from "../../core/clock.ts";
import { errorMessage } from "../../core/errors.ts";
import { HOP_HANDLED } from "../protocol/hops.ts";
import type { InputConfig } from "../protocol/node-messages.ts";
import { Deque } from "./deque.ts";
import { InputEvent, type NodeEvent } from "./events.ts";
import type { HopRecorder } from "./hop-recorder.ts";
import { InputQueue, type Queued } from "./input-queue.ts";
import {
  entryMessage,
  readMessage,
  type ReceivedMessage,
  tickMessage,
} from "./received-message.ts";

type StopEvent = Extract<NodeEvent, { readonly type: "stop" }>;

interface Current {
  readonly event: InputEvent;
  readonly queue: InputQueue;
  /** Of the payload as it came: its memory may have been handed on since. */
  readonly payloadBytes: number;
  readonly done: (() => void) | undefined;
}

/**
 * All that a node is told, in the order in which it is told: `stop` first, then what the daemon says, then
 * the inputs by turns, one event of each that has any. After `stop` nothing follows.
 *
 * Threads: one, and one consumer: a second call of `next` while one waits is a mistake.
 */
export class EventStream {
  readonly #clock: Clock;
  readonly #hops: HopRecorder;
  readonly #told = new Deque<NodeEvent>();
  #queues: InputQueue[] = [];
  /** Whose turn it is. */
  #turn = 0;
  #indexes = 0;
  #stop: StopEvent | undefined;
  #state: "waiting for start" | "open" | "paused" | "ended" = "waiting for start";
  #current: Current | undefined;
  #waiter: ((event: NodeEvent | undefined) => void) | undefined;

  constructor(clock: Clock, hops: HopRecorder) {
    this.#clock = clock;
    this.#hops = hops;
  }

  /** The message that is being handled. */
  get current(): InputEvent | undefined {
    return this.#current?.event;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  get isPaused(): boolean {
    return this.#state === "paused";
  }

  get queues(): readonly InputQueue[] {
    return this.#queues;
  }

  find(input: string): InputQueue | undefined {
    return this.#queues.find(({ config }) => config.id === input);
  }

  addInput(config: InputConfig): InputQueue {
    const queue = new InputQueue(config, this.#indexes);
    this.#indexes++;
    this.#queues.push(queue);
    return queue;
  }

  removeInput(input: string): void {
    this.#queues = this.#queues.filter(({ config }) => config.id !== input);
  }

  /** Events begin; also after a pause. */
  resume(): void {
    if (this.#state === "ended") return;
    this.#state = "open";
    this.#wake();
  }

  /** Nothing of these inputs is given out until the returned function is called. */
  holdInputs(ids: readonly string[]): () => void {
    const held = this.#queues.filter(({ config }) => ids.includes(config.id));
    for (const queue of held) queue.holds++;
    return () => {
      for (const queue of held) queue.holds--;
      this.#wake();
    };
  }

  /** From now on nothing but `stop` is given out. */
  pause(): void {
    if (this.#state === "open") this.#state = "paused";
  }

  /** Something came on an input; on one that was closed it is told of the return before. */
  receive(queue: InputQueue, item: Queued): void {
    this.recover(queue);
    queue.push(item);
    this.#wake();
  }

  recover(queue: InputQueue): void {
    if (queue.closedBy === undefined) return;
    queue.closedBy = undefined;
    queue.push({ kind: "notice", event: { type: "input-recovered", id: queue.config.id } });
    this.#wake();
  }

  /** Nothing follows on an input, for now: told behind what waits there. */
  closeInput(queue: InputQueue, reason: "ended" | "timeout"): void {
    if (queue.closedBy === reason || queue.closedBy === "ended") return;
    queue.closedBy = reason;
    queue.push({ kind: "notice", event: { type: "input-closed", id: queue.config.id, reason } });
    this.#wake();
  }

  tell(event: NodeEvent): void {
    this.#told.push(event);
    this.#wake();
  }

  /** The last event, before all that waits. */
  stop(event: StopEvent): void {
    if (this.#state === "ended") return;
    this.#stop ??= event;
    this.#wake();
  }

  /** Ends without another event. */
  end(): void {
    this.finishCurrent();
    this.#state = "ended";
    this.#resolveWaiter(undefined);
  }

  /** The next event; undefined at the end, or where none comes within `timeoutMs`. */
  async next(timeoutMs?: number): Promise<NodeEvent | undefined> {
    assert(this.#waiter === undefined, "a node's events are taken by one loop at a time");
    const event = this.tryNext();
    if (event !== undefined || this.#state === "ended") return event;
    return new Promise((resolve) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => this.#resolveWaiter(undefined), timeoutMs);
      this.#waiter = (found) => {
        clearTimeout(timer);
        resolve(found);
      };
    });
  }

  /** The next event, where one is there. */
  tryNext(): NodeEvent | undefined {
    this.finishCurrent();
    return this.#take();
  }

  /** What is being handled was handled. */
  finishCurrent(): void {
    this.holdCurrent()();
  }

  /** What is being handled goes on beside what comes next, until the returned function is called. */
  holdCurrent(): () => void {
    const current = this.#current;
    this.#current = undefined;
    return () => {
      if (current !== undefined) this.#finish(current);
    };
  }

  #finish({ event, queue, payloadBytes, done }: Current): void {
    const { context } = event.message;
    this.#hops.write({
      kind: HOP_HANDLED,
      isFailed: event.isFailed,
      port: queue.index,
      link: 0,
      payloadBytes,
      traceId: event.traceId,
      spanId: event.spanId,
      parentSpanId: context?.spanId ?? "",
      startUnixNs: event.startUnixNs,
      endUnixNs: this.#clock.nowUnixNs(),
      sentUnixNs: event.sentUnixNs,
      receivedUnixNs: event.receivedUnixNs,
    });
    done?.();
  }

  #wake(): void {
    if (this.#waiter === undefined) return;
    const event = this.#take();
    if (event !== undefined) this.#resolveWaiter(event);
  }

  #resolveWaiter(event: NodeEvent | undefined): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.(event);
  }

  #take(): NodeEvent | undefined {
    if (this.#state === "ended") return undefined;
    if (this.#stop !== undefined) {
      this.#state = "ended";
      return this.#stop;
    }
    if (this.#state !== "open") return undefined;
    return this.#told.shift() ?? this.#takeInput();
  }

  #takeInput(): NodeEvent | undefined {
    const queues = this.#queues;
    for (let step = 0; step < queues.length; step++) {
      const index = (this.#turn + step) % queues.length;
      const queue = queues[index];
      const item = queue.holds > 0 ? undefined : queue.take();
      if (item === undefined) continue;
      this.#turn = index + 1;
      return this.#open(queue, item);
    }
    return undefined;
  }

  #open(queue: InputQueue, item: Queued): NodeEvent {
    if (item.kind === "notice") {
      if (item.event.type === "input-recovered") queue.isEnded = false;
      else if (item.event.reason === "ended") this.#endInput(queue);
      return item.event;
    }
    try {
      const message = open(queue, item);
      const event = new InputEvent(queue.config.id, message, this.#clock.nowUnixNs());
      const payloadBytes = message.payload.length;
      const done = item.kind === "message" ? item.done : undefined;
      this.#current = { event, queue, payloadBytes, done };
      return event;
    } catch (error) {
      if (item.kind === "message") item.done?.();
      const input = queue.config.id;
      return { type: "error", input, message: `a message was lost: ${errorMessage(error)}` };
    }
  }

  #endInput(queue: InputQueue): void {
    queue.isEnded = true;
    // A timer goes on for ever, and so does the stream of a dataflow's records.
    if (this.#queues.every(({ isEnded }) => isEnded)) {
      this.#stop ??= { type: "stop", reason: "all-inputs-closed", graceMs: 0 };
    }
  }
}

function open(
  queue: InputQueue,
  item: Exclude<Queued, { readonly kind: "notice" }>,
): ReceivedMessage {
  if (item.kind === "tick") return tickMessage(item.unixNs);
  if (item.kind === "entry") return entryMessage(item.entry, item.unixNs);
  const { header, payload, topic, receivedUnixNs } = item;
  const recycle = (): void => queue.recycle(payload);
  return readMessage(header, { payload, topic, receivedUnixNs, recycle });
}
