import type { OutgoingLink } from "../protocol/node-messages.ts";
import type { Outbox, Payload, WaitingMessage } from "../transports/transport.ts";

/** Kept by whoever hears of the outbox's connection. */
export interface LinkConnection {
  isConnected: boolean;
  onLost: (() => void) | undefined;
}

/** What a link goes out by: another one when its receiver was started again elsewhere. */
export interface OpenLink {
  readonly link: OutgoingLink;
  readonly outbox: Outbox;
  readonly connection: LinkConnection;
}

/**
 * One link that leaves the node. Messages go in the order of the calls; one that finds the link full
 * waits, and so do those behind it.
 */
export class LinkSender {
  #open: OpenLink;
  #isClosing = false;
  #isStopping = false;
  /** Settles when all that wait have gone; undefined where none waits. */
  #waiting: Promise<void> | undefined;
  /** What an outbox before this one had not sent yet: it goes before all that wait. */
  #moved: WaitingMessage[] = [];
  #moving: Promise<void> | undefined;
  readonly #givingUp = new AbortController();
  /** Messages that were given up, since the node stops and the link takes nothing. */
  #dropped = 0;
  /** Of outboxes before this one. */
  #lostBefore = 0;

  constructor(open: OpenLink) {
    this.#open = open;
  }

  get link(): OutgoingLink {
    return this.#open.link;
  }

  get isConnected(): boolean {
    return this.#open.connection.isConnected;
  }

  /**
   * Messages whose arrival nobody confirmed when a connection or this node's time was over: at most so many were lost,
   * since receivers confirm many at a time.
   */
  get unconfirmed(): number {
    return this.#dropped + this.#lostBefore + lossesOf(this.#open.outbox);
  }

  /**
   * Undefined where the link has taken it, else a promise that resolves when it has.
   *
   * Errors: `MESSAGE_TOO_LARGE`, also by the promise.
   */
  send(header: Uint8Array, payload: Payload): Promise<void> | undefined {
    const { outbox } = this.#open;
    if (this.#waiting === undefined && this.#moving === undefined && !outbox.isFull) {
      outbox.send(header, payload);
      return undefined;
    }
    const before = this.#waiting ?? Promise.resolve();
    const sent = before.then(() => this.#sendWhenThereIsRoom({ header, payload }));
    // Those behind it go on, whatever became of it.
    const settled = sent.catch(() => {});
    this.#waiting = settled;
    void settled.then(() => {
      if (this.#waiting === settled) this.#waiting = undefined;
    });
    return sent;
  }

  /**
   * Goes on by another outbox, and sends by it what waited for a connection in the one before. What that one had
   * written, and nobody confirmed, is lost and counted.
   */
  async moveTo(open: OpenLink): Promise<void> {
    const { outbox: older } = this.#open;
    const lostSoFar = lossesOf(older);
    this.#lostBefore += lostSoFar;
    this.#open = open;
    this.#moved.unshift(...older.takeWaiting());
    if (this.#isStopping) this.stopWaitingForLost();
    // Not before it is known that they move: all that is sent from now on goes behind them.
    this.#moving ??= Promise.resolve().then(() => this.#sendMoved());
    await older.close(0);
    this.#lostBefore += lossesOf(older) - lostSoFar;
  }

  /** What waits, and what finds the link full from now on, is dropped and counted. */
  giveUp(): void {
    this.#givingUp.abort();
  }

  /**
   * From now on nobody waits for a receiver that is gone: when a whole dataflow stops, it does not come back,
   * and this node's time is short.
   */
  stopWaitingForLost(): void {
    const { connection, outbox } = this.#open;
    const giveUp = (): void => {
      this.giveUp();
      if (this.#isClosing) void outbox.close(0);
    };
    this.#isStopping = true;
    connection.onLost = giveUp;
    if (!connection.isConnected) giveUp();
  }

  /** Waits for what waits and for the other end to have taken all of it, so long at most. */
  async close(deadlineMs: number): Promise<void> {
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      this.giveUp();
    }, deadlineMs);
    const startMs = performance.now();
    this.#isClosing = true;
    let closed: Outbox | undefined;
    // Again, where it moved meanwhile.
    while (closed !== this.#open.outbox) {
      await this.#moving;
      await this.#waiting;
      const isGivenUp = this.#givingUp.signal.aborted && !this.isConnected;
      // A timer may fire a little before its time by the clock.
      const restMs = isOver ? 0 : Math.max(0, deadlineMs - (performance.now() - startMs));
      closed = this.#open.outbox;
      await closed.close(isGivenUp ? 0 : restMs);
    }
    clearTimeout(timer);
    this.giveUp();
  }

  async #sendWhenThereIsRoom(message: WaitingMessage): Promise<void> {
    while (this.#moving !== undefined || this.#mustWait()) await (this.#moving ?? this.#room());
    this.#put(message);
  }

  async #sendMoved(): Promise<void> {
    for (let next = this.#moved.shift(); next !== undefined; next = this.#moved.shift()) {
      while (this.#mustWait()) await this.#room();
      this.#put(next);
    }
    this.#moving = undefined;
  }

  #mustWait(): boolean {
    return this.#open.outbox.isFull && !this.#givingUp.signal.aborted;
  }

  /** Waits for the outbox of the moment: one that was moved from wakes who waits for it. */
  async #room(): Promise<void> {
    const { signal } = this.#givingUp;
    try {
      await this.#open.outbox.drained(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #put({ header, payload }: WaitingMessage): void {
    const { outbox } = this.#open;
    if (outbox.isFull) this.#dropped++;
    else outbox.send(header, payload);
  }
}

function lossesOf({ stats }: Outbox): number {
  return stats.lostMessages + stats.droppedMessages;
}
