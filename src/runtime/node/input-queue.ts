import type { InputConfig } from "../protocol/node-messages.ts";
import type { InputClosedEvent, InputRecoveredEvent } from "./events.ts";
import { Deque } from "./deque.ts";

/** A message as it came: its header is read when its turn comes, so that what is dropped costs nothing. */
export interface QueuedMessage {
  readonly kind: "message";
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** What it was sent to: the link, or a broker's topic. */
  readonly topic: string;
  readonly receivedUnixNs: bigint;
  /** It was handled, or dropped: what a broker waits for. */
  readonly done?: () => void;
}

export type Queued =
  | QueuedMessage
  | { readonly kind: "tick"; readonly unixNs: bigint }
  /** A record, for an input of `dora/logs`. */
  | { readonly kind: "entry"; readonly unixNs: bigint; readonly entry: string }
  | { readonly kind: "notice"; readonly event: InputClosedEvent | InputRecoveredEvent };

/** How a queue holds back what fills it. */
export interface QueueSource {
  pause(): void;
  resume(): void;
  /** Takes back the memory of what was dropped. */
  recycle(payload: Uint8Array): void;
}

/**
 * What waits on one input: at most `queueSize` messages, and notices of its end and return in their place
 * among them.
 *
 * `backpressure`: a full queue pauses its link until it is half empty, so that the sender waits.
 * `drop_oldest`: a full queue loses its oldest message, which is counted. But a burst is no slow handler:
 * messages that arrive in one piece fill the queue before any code of the node can run. So a queue that
 * becomes full pauses its link for one turn of the event loop; only if it is still full then, the oldest go.
 */
export class InputQueue {
  readonly config: InputConfig;
  /** Place in the node's configuration, which hops name. */
  readonly index: number;
  readonly #items = new Deque<Queued>();
  #messages = 0;
  #source: QueueSource | undefined;
  #isPaused = false;
  /** It was full for a whole turn: until something is taken, the oldest go. */
  #isOverflowing = false;
  received = 0;
  dropped = 0;
  /** At the queue's end: what comes next is a return. */
  closedBy: InputClosedEvent["reason"] | undefined;
  /** How many ask that nothing is taken from it for now. */
  holds = 0;
  /** At the queue's front: the node was told that the input has ended. */
  isEnded = false;

  constructor(config: InputConfig, index: number) {
    this.config = config;
    this.index = index;
  }

  /** Its link; a timer has none. */
  set source(source: QueueSource) {
    this.#source = source;
  }

  get queued(): number {
    return this.#messages;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  recycle(payload: Uint8Array): void {
    this.#source?.recycle(payload);
  }

  push(item: Queued): void {
    if (item.kind === "notice") {
      this.#items.push(item);
      return;
    }
    this.received++;
    const { queueSize, queuePolicy } = this.config;
    const isDropping = queuePolicy === "drop_oldest" || this.#source === undefined;
    if (isDropping && this.#messages >= queueSize) this.#dropOldest();
    this.#items.push(item);
    this.#messages++;
    if (this.#messages < queueSize || this.#source === undefined || this.#isPaused) return;
    if (!isDropping) this.#pause();
    else if (!this.#isOverflowing) this.#pauseForOneTurn();
  }

  take(): Queued | undefined {
    const item = this.#items.shift();
    if (item === undefined || item.kind === "notice") return item;
    this.#messages--;
    this.#isOverflowing = false;
    const isHalfEmpty = this.#messages <= this.config.queueSize / 2;
    if (this.#isPaused && this.config.queuePolicy === "backpressure" && isHalfEmpty) this.#resume();
    return item;
  }

  #dropOldest(): void {
    const oldest = this.#items.removeFirst((item) => item.kind !== "notice");
    if (oldest === undefined) return;
    this.#messages--;
    this.dropped++;
    if (oldest.kind !== "message") return;
    oldest.done?.();
    this.recycle(oldest.payload);
  }

  #pauseForOneTurn(): void {
    this.#pause();
    setImmediate(() => {
      this.#isOverflowing = this.#messages >= this.config.queueSize;
      this.#resume();
    });
  }

  #pause(): void {
    this.#isPaused = true;
    this.#source?.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    this.#source?.resume();
  }
}
